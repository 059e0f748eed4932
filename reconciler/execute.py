"""Runs a plan: asks the saga what is next, records the intent, acts, records the outcome. Nothing else.

`apply` and `resume` are the same loop; they differ in the journal they start from.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from reconciler.core.saga import BEGUN, Action, GroupState, Next, next_actions
from reconciler.core.saga import Progress as Marks
from reconciler.core.schedule import Limits, pick
from reconciler.errors import HostError, ReconcilerError, ReplyLost
from reconciler.model.command import Bytes, Seconds
from reconciler.model.event import Reporter, StepEnded, StepProgress, StepStarted, ignore
from reconciler.model.plan import Plan, Step, StepKind
from reconciler.model.record import Mark, Record
from reconciler.steps import Steps

INTERRUPTIBLE = (
    StepKind.PULL_IMAGE,
    StepKind.COPY_IMAGE,
    StepKind.TRANSFER,
    StepKind.STAGE,
    StepKind.CONFIRM,
)
"""Steps that are cut short when the user cancels before the commit; the others take a moment and end."""


@dataclass(frozen=True)
class Patience:
    """How often and how long a step is tried again when its host does not answer.

    Before the commit going back is cheap, so little is tried; after it the way is forward, so more is."""

    before_commit: int = 2
    after_commit: int = 6
    pause: Seconds = 0.5
    longest_pause: Seconds = 8.0


class Writer(Protocol):
    """Where records become durable before effects."""

    def append(
        self, run_id: str, step: str, mark: Mark, at: float, note: str = "", data: dict[str, str] | None = None
    ) -> Record: ...


@dataclass(frozen=True)
class Outcome:
    """How each workload ended, and what went wrong, first cause first."""

    groups: dict[str, GroupState]
    errors: dict[str, tuple[tuple[Step, bool, str], ...]]
    failures: tuple[ReconcilerError, ...] = ()


@dataclass
class Executor:
    """Carries out one run. `records` are those of an earlier controller, for a resume."""

    plan: Plan
    run: str
    steps: Steps
    journal: Writer
    now: Callable[[], float]
    report: Reporter = ignore
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    records: list[Record] = field(default_factory=list)
    recovering: frozenset[str] = frozenset()
    limits: Limits = field(default_factory=Limits)
    patience: Patience = field(default_factory=Patience)
    while_frozen: Callable[[str], Awaitable[None]] | None = None
    _cancelled: bool = False
    _running: dict[asyncio.Task[None], Action] = field(default_factory=dict)
    _failures: list[ReconcilerError] = field(default_factory=list)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def cancel(self) -> None:
        """Stop as soon as that is safe: before a commit by going back, after it by finishing."""
        self._cancelled = True
        marks = Marks(self.records)
        for task, action in self._running.items():
            if not action.undo and action.step.kind in INTERRUPTIBLE and not self._committed(action.step, marks):
                task.cancel()
        self._wake.set()

    async def execute(self) -> Outcome:
        """Run until nothing is left to do or may be done."""
        for record in self.records:
            if record.mark is Mark.DONE:
                self.steps.data[record.step] = record.data
        self._try_again()
        heartbeat = asyncio.create_task(self._beat(), name="heartbeat") if self.while_frozen else None
        try:
            while not (state := await self._start_ready()).ended or self._running:
                if not self._running:
                    break
                await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
                for task in [t for t in self._running if t.done()]:
                    del self._running[task]
                    task.result()
            return self._outcome(state)
        finally:
            if heartbeat:
                heartbeat.cancel()
            for task in self._running:
                task.cancel()

    async def _start_ready(self) -> Next:
        following = next_actions(self.plan, self.records, cancelled=self._cancelled, recovering=self.recovering)
        for action in pick(following.ready, self._running.values(), self._frozen(), self.limits):
            name = f"{'undo ' if action.undo else ''}{action.step.id}"
            self._running[asyncio.create_task(self._act(action), name=name)] = action
        return following

    async def _act(self, action: Action) -> None:
        step = action.step
        started = self.now()
        self._write(step, Mark.UNDO if action.undo else Mark.INTENT)
        self.report(StepStarted(step, action.undo))
        lost, error, data = False, "", dict[str, str]()
        try:
            data = await self._with_patience(action)
        except asyncio.CancelledError:
            if not self._cancelled:
                raise
            error = "interrupted"
        except ReplyLost as failure:
            error, lost = str(failure), True
            self._failures.append(failure)
        except ReconcilerError as failure:
            error = str(failure)
            self._failures.append(failure)
        if action.undo:
            mark = Mark.UNDO_FAILED if error else Mark.UNDONE
        else:
            mark = Mark.LOST if lost else Mark.FAILED if error else Mark.DONE
        self._write(step, mark, note=error, data=data)
        if mark is Mark.DONE:
            self.steps.data[step.id] = data
        self.report(StepEnded(step, action.undo, self.now() - started, error, lost, data.get("unhealthy", "")))

    async def _with_patience(self, action: Action) -> dict[str, str]:
        """Try a step again while its host does not answer; every effect is idempotent. ReplyLost at the end
        when any try may have had an effect that cannot be asked for."""
        step = action.step
        committed = self._committed(step, Marks(self.records))
        tries = self.patience.after_commit if committed else self.patience.before_commit
        lost: ReplyLost | None = None
        pause = self.patience.pause
        for left in range(tries, 0, -1):
            try:
                if action.undo:
                    await self.steps.undo(step, fenced=self._fenced(step))
                    return {}
                return await self.steps.do(step, lambda done: self._progress(step, done))
            except ReplyLost as error:
                lost = error
                if left == 1:
                    raise
            except HostError:
                if left == 1:
                    if lost:
                        raise lost from None
                    raise
            await self.sleep(pause)
            pause = min(pause * 2, self.patience.longest_pause)
        raise AssertionError("unreachable: the last try returns or raises")

    def _try_again(self) -> None:
        """A resume asks again where an answer was missing, and repeats undos and tidying that failed."""
        marks = Marks(self.records)
        for step in self.plan.steps:
            mark = marks.of(step)
            if mark is Mark.LOST or (mark is Mark.FAILED and step.kind is StepKind.RETIRE):
                self._write(step, Mark.INTENT, note="asked again by resume")
            elif mark is Mark.UNDO_FAILED:
                self._write(step, Mark.UNDO, note="tried again by resume")

    def _write(self, step: Step, mark: Mark, note: str = "", data: dict[str, str] | None = None) -> None:
        self.records.append(self.journal.append(self.run, step.id, mark, self.now(), note, data or {}))

    def _progress(self, step: Step, done: Bytes) -> None:
        self.report(StepProgress(step, done, step.expected_bytes))

    def _commit_step(self, workload: str) -> Step | None:
        return next((s for s in self.plan.steps if s.workload == workload and s.kind.commits), None)

    def _committed(self, step: Step, marks: Marks) -> bool:
        commit = self._commit_step(step.workload)
        return commit is not None and marks.of(commit) in BEGUN

    def _fenced(self, step: Step) -> bool:
        commit = self._commit_step(step.workload)
        return commit is not None and Marks(self.records).of(commit) is Mark.UNDONE

    def _frozen(self) -> dict[str, tuple[str, ...]]:
        """Workloads in their frozen window, with their two hosts."""
        marks = Marks(self.records)
        frozen: dict[str, tuple[str, ...]] = {}
        for step in self.plan.steps:
            if step.kind is StepKind.HOLD and marks.of(step) in BEGUN:
                frozen[step.workload] = (step.host, step.peer or "")
            if step.kind is StepKind.RESTORE and marks.of(step) is Mark.DONE:
                frozen.pop(step.workload, None)
        return frozen

    async def _beat(self) -> None:
        """Tell the hosts that this controller lives, as long as something is frozen."""
        assert self.while_frozen
        while True:
            for workload in self._frozen():
                await self.while_frozen(workload)
            await self.sleep(1.0)

    def _outcome(self, state: Next) -> Outcome:
        errors: dict[str, list[tuple[Step, bool, str]]] = {}
        for record in self.records:
            if record.mark in (Mark.FAILED, Mark.LOST, Mark.UNDO_FAILED):
                step = self.plan.step(record.step)
                errors.setdefault(step.workload, []).append((step, record.mark is Mark.UNDO_FAILED, record.note))
        return Outcome(dict(state.groups), {w: tuple(found) for w, found in errors.items()}, tuple(self._failures))
