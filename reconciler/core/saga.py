"""What may be done next, from a plan and its journal alone. `apply` and `resume` ask the same questions.

Steps of one workload form a group. A group goes

    FORWARD     steps run as soon as what they need is done
    BACK        a step failed before the commit, or the way back after it was proven safe: what was done is
                undone, last first; an undo that fails does not stop the others
    IN_DOUBT    a commit was begun and the destination cannot be asked, or a held source could not be told to
                resume: nothing is started any more

and ends DONE, PUT_BACK, INCOMPLETE (something remains to be tidied; no workload is in danger) or SKIPPED.

The undo of a commit is the proof that the destination does not run and cannot come up (fencing with a higher
epoch). It is a gate: until it is recorded, no other undo of the group is started. Smaller gates are in
`BARRED_BY`: what was staged is kept until the source runs again, for its images may be all that is left of the
workload; and an old container is not brought back while its successor may still run.

Stopping and removing have no way back: a group that has begun to do so goes on when cancelled, and is INCOMPLETE
when it cannot.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from reconciler.model.plan import Plan, Step, StepKind
from reconciler.model.record import Mark, Record


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
class Action:
    """Do a step, or undo it."""

    step: Step
    undo: bool = False


@dataclass(frozen=True)
class Next:
    """What may run now, and how each workload stands."""

    ready: tuple[Action, ...]
    groups: Mapping[str, GroupState]

    @property
    def ended(self) -> bool:
        return all(state.ended for state in self.groups.values())


BARRED_BY: Mapping[StepKind, StepKind] = {
    StepKind.STAGE: StepKind.HOLD,
    StepKind.SET_ASIDE: StepKind.CREATE,
}
"""A step of the first kind is not undone as long as the undo of one of the second kind has failed."""

BEGUN = (Mark.INTENT, Mark.DONE, Mark.FAILED, Mark.LOST)
"""Marks of a step that may have had an effect and was not undone."""


class Progress:
    """The last mark of every step."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._last: dict[str, Mark] = {}
        for record in records:
            self._last[record.step] = record.mark

    def of(self, step: Step) -> Mark | None:
        return self._last.get(step.id)

    def done(self, step_id: str) -> bool:
        return self._last.get(step_id) is Mark.DONE


def next_actions(
    plan: Plan, records: Sequence[Record], *, cancelled: bool = False, recovering: frozenset[str] = frozenset()
) -> Next:
    """What may be done now.

    `cancelled`: the user asked to stop; groups before their commit go back, others finish. `recovering`: names
    of workloads whose controller died: those before their commit go back.
    """
    progress = Progress(records)
    groups: dict[str, list[Step]] = {}
    for step in plan.steps:
        groups.setdefault(step.workload, []).append(step)
    ready: list[Action] = []
    states: dict[str, GroupState] = {}
    for workload, steps in groups.items():
        moves = any(step.kind.commits for step in steps)
        stop = cancelled or (moves and workload in recovering)
        state = _group_state(steps, progress, stop)
        states[workload] = state
        if state is GroupState.FORWARD:
            ready.extend(Action(s) for s in steps if _may_start(s, progress))
        elif state is GroupState.BACK:
            ready.extend(Action(s, undo=True) for s in _undoable(steps, progress))
    return Next(tuple(ready), states)


def is_undoable(step: Step) -> bool:
    """Whether a step leaves something that going back must take away or make good."""
    return not step.kind.shared and step.kind not in (
        StepKind.STOP,
        StepKind.REMOVE,
        StepKind.TRANSFER,
        StepKind.RESTORE,
        StepKind.CONFIRM,
        StepKind.RETIRE,
    )


def went_with(step: Step, steps: Iterable[Step], progress: Progress) -> bool:
    """Whether an undo that failed needs no other try: a start, whose container was taken away. What has its name
    by now is another one."""
    return step.kind is StepKind.START and any(
        s.kind is StepKind.CREATE and s.workload == step.workload and progress.of(s) is Mark.UNDONE for s in steps
    )


def _may_start(step: Step, progress: Progress) -> bool:
    begun = progress.of(step)
    return begun in (None, Mark.INTENT) and all(progress.done(need) for need in step.needs)


def _committed(steps: Sequence[Step], progress: Progress) -> bool:
    return any(step.kind.commits and progress.of(step) in BEGUN for step in steps)


def _group_state(steps: Sequence[Step], progress: Progress, stop: bool) -> GroupState:
    marks = {step.id: progress.of(step) for step in steps}
    if any(mark in (Mark.UNDO, Mark.UNDONE, Mark.UNDO_FAILED) for mark in marks.values()):
        if any(step.kind.commits and marks[step.id] is Mark.UNDO_FAILED for step in steps):
            return GroupState.IN_DOUBT
        return _back_or_ended(steps, progress)
    if all(mark is Mark.DONE for mark in marks.values()):
        return GroupState.DONE
    failed = [step for step in steps if marks[step.id] in (Mark.FAILED, Mark.LOST)]
    if _past_return(steps, progress):
        return GroupState.INCOMPLETE if failed else GroupState.FORWARD
    if failed and _committed(steps, progress):
        lost = any(marks[step.id] is Mark.LOST for step in failed)
        return GroupState.IN_DOUBT if lost else GroupState.BACK
    if failed:
        return _back_or_ended(steps, progress)
    if stop and not _committed(steps, progress):
        if all(mark is None for mark in marks.values()):
            return GroupState.SKIPPED
        return _back_or_ended(steps, progress)
    return GroupState.FORWARD


def _past_return(steps: Sequence[Step], progress: Progress) -> bool:
    """Whether something was begun that cannot be taken back: from there on the only way is forward."""
    final = (StepKind.RETIRE, StepKind.REMOVE)
    for step in steps:
        mark = progress.of(step)
        if step.kind in final and mark in BEGUN:
            return True
        if step.kind is StepKind.STOP and mark in BEGUN and mark is not Mark.FAILED:
            return True
    return False


def _back_or_ended(steps: Sequence[Step], progress: Progress) -> GroupState:
    undoable = [step for step in steps if is_undoable(step)]
    if _undoable(steps, progress):
        return GroupState.BACK
    failed = [s for s in undoable if progress.of(s) is Mark.UNDO_FAILED and not went_with(s, steps, progress)]
    if any(step.kind is StepKind.HOLD for step in failed):
        return GroupState.IN_DOUBT
    return GroupState.INCOMPLETE if failed else GroupState.PUT_BACK


def _undoable(steps: Sequence[Step], progress: Progress) -> list[Step]:
    """The last begun steps first: a step is undone when all begun steps that need it, directly or not, are
    undone or failed to be; steps of a chain therefore go one by one, and independent ones together."""
    failed = {s.kind for s in steps if progress.of(s) is Mark.UNDO_FAILED}
    barred = {s.id for s in steps if BARRED_BY.get(s.kind) in failed}
    begun = {s.id for s in steps if is_undoable(s) and progress.of(s) in (*BEGUN, Mark.UNDO)}
    dependents: dict[str, set[str]] = {s.id: set() for s in steps}
    for step in reversed(steps):
        for need in step.needs:
            if need in dependents:
                dependents[need] |= {step.id} | dependents[step.id]
    return [s for s in steps if s.id in begun - barred and not (dependents[s.id] & begun)]
