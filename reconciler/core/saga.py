"""What may be done next, from a plan and its journal alone. `apply` and `resume` ask the same questions.

Steps of one workload form a group. A group goes

    FORWARD     steps run as soon as what they need is done
    BACK        a step failed before the commit, or the way back after it was proven safe: what was done is
                undone, last first; an undo that fails does not stop the others
    IN_DOUBT    a commit was begun and the destination cannot be asked, or a held source could not be told to
                resume: nothing is started any more

and ends DONE, PUT_BACK, INCOMPLETE (something remains to be tidied; no workload is in danger) or SKIPPED.

The undo of a commit is the proof that the destination does not run and cannot come up (fencing with a higher
epoch). It is a gate: until it is recorded, no other undo of the group is started. Smaller gates are the traits
`barred_by` of the kinds of steps (`reconciler.model.plan.TRAITS`).

Stopping and removing have no way back: a group that has begun to do so goes on when cancelled, and is INCOMPLETE
when it cannot.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from reconciler.model.plan import Plan, Step
from reconciler.model.record import Mark, Record, Run, RunState

T = TypeVar("T")


class GroupState(StrEnum):
    FORWARD = "forward"
    BACK = "back"
    IN_DOUBT = "in-doubt"
    DONE = "done"
    PUT_BACK = "put-back"
    INCOMPLETE = "incomplete"
    SKIPPED = "skipped"

    @property
    def ended(self) -> bool:
        return self not in (GroupState.FORWARD, GroupState.BACK)


@dataclass(frozen=True)
class Due:
    """Do a step, or undo it."""

    step: Step
    undo: bool = False


@dataclass(frozen=True)
class Next:
    """What may run now, and how each workload stands."""

    ready: tuple[Due, ...]
    groups: Mapping[str, GroupState]

    @property
    def ended(self) -> bool:
        return all(state.ended for state in self.groups.values())


BEGUN = (Mark.INTENT, Mark.DONE, Mark.FAILED, Mark.LOST)
"""Marks of a step that may have had an effect and was not undone."""


class Progress:
    """The last mark of every step."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._last: dict[str, Mark] = {}
        for record in records:
            self.note(record)

    def note(self, record: Record) -> None:
        self._last[record.step] = record.mark

    def of(self, step: Step) -> Mark | None:
        return self._last.get(step.id)

    def done(self, step_id: str) -> bool:
        return self._last.get(step_id) is Mark.DONE


class Saga:
    """One run as it goes on. Every record is noted once, and only its workload's group is judged again: with 5,000
    workloads, judging all of them after each record would take the square of the time.

    `recovering`: names of workloads whose controller died: those before their commit go back, for their source
    runs or is held. One that comes back from a checkpoint runs nowhere meanwhile, and goes on.
    """

    def __init__(self, plan: Plan, records: Iterable[Record] = (), recovering: Collection[str] = ()) -> None:
        self.plan = plan
        self.progress = Progress(records)
        self.cancelled = False
        self._recovering = recovering
        self._groups = {name: _Group(plan, name, self.progress) for name in plan.groups}
        self.states: dict[str, GroupState] = {}
        """How each workload stands."""
        self.ready: dict[str, tuple[Due, ...]] = {}
        """What may run now, of the workloads that have anything."""
        self.frozen: dict[str, tuple[str, ...]] = {}
        """Workloads in their frozen window, with their two hosts; not those that nothing more is done for."""
        self.changed: set[str] = set()
        """Workloads judged anew since a caller has cleared this."""
        self._open = 0
        for name in self._groups:
            self._judge(name)

    def note(self, record: Record) -> None:
        """Take a record of the journal into account."""
        self.progress.note(record)
        self._judge(self.plan.step(record.step).workload)

    def cancel(self) -> None:
        """The user asked to stop: groups before their commit go back, others finish."""
        self.cancelled = True
        for name in self._groups:
            self._judge(name)

    @property
    def ended(self) -> bool:
        return self._open == 0

    def committed(self, workload: str) -> bool:
        """Whether the destination owns the workload, or may."""
        return self._groups[workload].committed()

    def _judge(self, name: str) -> None:
        group = self._groups[name]
        stop = self.cancelled or (group.has_source and name in self._recovering)
        before, state = self.states.get(name), group.state(stop)
        self._open += (not state.ended) - (before is not None and not before.ended)
        self.states[name] = state
        self.changed.add(name)
        _put(self.ready, name, group.ready(state))
        _put(self.frozen, name, () if state.ended else group.frozen())


def next_actions(
    plan: Plan, records: Sequence[Record], *, cancelled: bool = False, recovering: Collection[str] = ()
) -> Next:
    """What may be done now, by a journal as it stands. Arguments as those of `Saga`."""
    saga = Saga(plan, records, recovering)
    if cancelled:
        saga.cancel()
    return Next(tuple(action for actions in saga.ready.values() for action in actions), saga.states)


def unended(run: Run) -> frozenset[str]:
    """Workloads that a run has not ended with: all of one that is open, for its controller may be at work; of one
    that is kept because something is in doubt, only what is not as it was or should be."""
    if run.state is not RunState.IN_DOUBT:
        return frozenset(run.plan.groups)
    over = (GroupState.DONE, GroupState.PUT_BACK, GroupState.SKIPPED)
    states = Saga(run.plan, run.records, recovering=run.plan.groups.keys()).states
    return frozenset(name for name, state in states.items() if state not in over)


def unended_in(runs: Iterable[Run]) -> dict[str, Run]:
    """Every workload that one of the runs has not ended with, and the latest such run."""
    return {name: run for run in runs for name in unended(run)}


def went_with(step: Step, plan: Plan, progress: Progress) -> bool:
    """Whether an undo that failed needs no other try: a start, whose container was taken away. What has its name
    by now is another one."""
    other = step.kind.traits.goes_with
    return other is not None and any(
        s.kind is other and progress.of(s) is Mark.UNDONE for s in plan.groups[step.workload]
    )


def _put(into: dict[str, tuple[T, ...]], name: str, items: tuple[T, ...]) -> None:
    if items:
        into[name] = items
    else:
        into.pop(name, None)


class _Group:
    """The steps of one workload."""

    def __init__(self, plan: Plan, workload: str, progress: Progress) -> None:
        self._plan = plan
        self._steps = plan.groups[workload]
        self._progress = progress
        move = plan.moves.get(workload)
        self.has_source = move is not None and move.comeback is None and not move.by_runtime
        self._dependents = _dependents(self._steps)

    def state(self, stop: bool) -> GroupState:
        marks = [(step, self._progress.of(step)) for step in self._steps]
        if any(mark in (Mark.UNDO, Mark.UNDONE, Mark.UNDO_FAILED) for _, mark in marks):
            if any(step.kind.traits.commits and mark is Mark.UNDO_FAILED for step, mark in marks):
                return GroupState.IN_DOUBT
            return self._back_or_ended()
        if all(mark is Mark.DONE for _, mark in marks):
            return GroupState.DONE
        failed = [mark for _, mark in marks if mark in (Mark.FAILED, Mark.LOST)]
        if self._past_return():
            return GroupState.INCOMPLETE if failed else GroupState.FORWARD
        if failed and self.committed():
            return GroupState.IN_DOUBT if Mark.LOST in failed else GroupState.BACK
        if failed:
            return self._back_or_ended()
        if stop and not self.committed():
            if all(mark is None for _, mark in marks):
                return GroupState.SKIPPED
            return self._back_or_ended()
        return GroupState.FORWARD

    def ready(self, state: GroupState) -> tuple[Due, ...]:
        if state is GroupState.FORWARD:
            return tuple(Due(step) for step in self._steps if self._may_start(step))
        if state is GroupState.BACK:
            return tuple(Due(step, undo=True) for step in self._undoable())
        return ()

    def frozen(self) -> tuple[str, ...]:
        """The hosts of the frozen window that the group is in; none when it is in none."""
        hosts: tuple[str, ...] = ()
        for step in self._steps:
            if step.kind.traits.freezes and self._progress.of(step) in BEGUN:
                hosts = (step.host, step.peer or "")
            if step.kind.traits.thaws and self._progress.of(step) is Mark.DONE:
                hosts = ()
        return hosts

    def committed(self) -> bool:
        return any(step.kind.traits.commits and self._progress.of(step) in BEGUN for step in self._steps)

    def _may_start(self, step: Step) -> bool:
        begun = self._progress.of(step)
        return begun in (None, Mark.INTENT) and all(self._progress.done(need) for need in step.needs)

    def _past_return(self) -> bool:
        """Whether something was begun that cannot be taken back: from there on the only way is forward."""
        for step in self._steps:
            mark, traits = self._progress.of(step), step.kind.traits
            if traits.one_way and mark in BEGUN and (traits.tidying or mark is not Mark.FAILED):
                return True
        return False

    def _back_or_ended(self) -> GroupState:
        if self._undoable():
            return GroupState.BACK
        failed = [
            step
            for step in self._steps
            if self._progress.of(step) is Mark.UNDO_FAILED and not went_with(step, self._plan, self._progress)
        ]
        if any(step.kind.traits.freezes for step in failed):
            return GroupState.IN_DOUBT
        return GroupState.INCOMPLETE if failed else GroupState.PUT_BACK

    def _undoable(self) -> list[Step]:
        """The last begun steps first: a step is undone when all begun steps that need it, directly or not, are
        undone or failed to be; steps of a chain therefore go one by one, and independent ones together."""
        failed = {step.kind for step in self._steps if self._progress.of(step) is Mark.UNDO_FAILED}
        begun = {
            step.id
            for step in self._steps
            if step.kind.traits.undoable and self._progress.of(step) in (*BEGUN, Mark.UNDO)
        }
        return [
            step
            for step in self._steps
            if step.id in begun
            and step.kind.traits.barred_by not in failed
            and not self._dependents[step.id] & begun
        ]


def _dependents(steps: Sequence[Step]) -> Mapping[str, set[str]]:
    """The steps of the group that need a step, directly or not."""
    found: dict[str, set[str]] = {step.id: set() for step in steps}
    for step in reversed(steps):
        for need in step.needs:
            if need in found:
                found[need] |= {step.id} | found[step.id]
    return found
