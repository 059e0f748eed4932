"""Runs a plan: asks the saga what is next, records the intent, acts, records the outcome. Nothing else.

`apply` and `resume` are the same loop; they differ in the journal they start from.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from reconciler.core.accuracy import frozen_seconds, stopped_seconds
from reconciler.core.saga import Due, GroupState, Saga, went_with
from reconciler.core.schedule import Schedule, Slots
from reconciler.engine.leading import KeptBeside, Returned
from reconciler.engine.steps import Steps
from reconciler.errors import (
    GuardRefused,
    HostError,
    HostKeyError,
    HostUnreachable,
    InDoubt,
    JournalError,
    ReconcilerError,
    ReplyLost,
)
from reconciler.model.command import Bytes, Seconds
from reconciler.model.event import Event, Reporter, StepEnded, StepProgress, StepStarted, ignore
from reconciler.model.plan import Plan, Step, StepKind
from reconciler.model.record import Mark, Record, Run
from reconciler.model.result import HealthSeen, StepResult, WentBack
from reconciler.state.store import Writer

INTERRUPTED = "interrupted"
"""What is written of a step that was cut short because somebody asked to stop."""


@dataclass(frozen=True)
class Patience:
    """How often and how long a step is tried again when its host does not answer.

    Before the commit going back is cheap, so little is tried; after it the way is forward, so more is."""

    before_commit: int = 2
    commit: int = 4
    after_commit: int = 6
    pause: Seconds = 0.5
    frozen_pause: Seconds = 0.05
    """The first pause while clients wait and the source can still take over again."""
    longest_pause: Seconds = 8.0


log = logging.getLogger("reconciler.engine")


@dataclass(frozen=True)
class Outcome:
    """How each workload ended, and what went wrong, first cause first."""

    groups: dict[str, GroupState]
    errors: dict[str, tuple[tuple[Step, bool, str], ...]]
    became: dict[str, str] = field(default_factory=dict)
    """What became of workloads that were put back, where they do not simply run on."""
    failures: tuple[ReconcilerError, ...] = ()
    frozen: dict[str, Seconds] = field(default_factory=dict)
    """How long each move kept its workload frozen: what a client can have waited."""
    cancelled: bool = False
    stopped: dict[str, Seconds] = field(default_factory=dict)
    """How long each that was to be made anew did not run: from when it was told to stop until it, or its
    successor, was started."""
    beside: dict[str, KeptBeside] = field(default_factory=dict)
    """Copies of old versions beside the new ones."""


@dataclass
class Executor:
    """Carries out one run, or a part of it. `records` are all that an earlier controller has written of the run,
    for a resume; those of steps that are not in the plan only say which record was the last."""

    plan: Plan
    run: str
    steps: Steps
    journal: Writer
    now: Callable[[], float]
    report: Reporter = ignore
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    records: list[Record] = field(default_factory=list)
    recovering: frozenset[str] = frozenset()
    limits: Slots = field(default_factory=Slots)
    patience: Patience = field(default_factory=Patience)
    while_frozen: Callable[[str], Awaitable[None]] | None = None
    go_back: Callable[[Executor, str], Awaitable[Returned | None]] | None = None
    """How a workload that stays set aside goes back to its checkpoint; None where it turns out to run."""
    keep_beside: Callable[[Executor, str], Awaitable[KeptBeside]] | None = None
    """How a workload's old version comes up beside the new one, once that is well."""
    _led_to: list[Executor] = field(default_factory=list)
    _beside: dict[str, asyncio.Future[KeptBeside]] = field(default_factory=dict)
    _returning: dict[str, asyncio.Future[Returned | None]] = field(default_factory=dict)
    _running: dict[asyncio.Task[None], Due] = field(default_factory=dict)
    _at_work: set[asyncio.Task[None]] = field(default_factory=set)
    """Those whose effect is under way: what may be cut short. What is being written never is."""
    _stopped: set[asyncio.Task[None]] = field(default_factory=set)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _failures: list[ReconcilerError] = field(default_factory=list)
    _broken: BaseException | None = None

    def __post_init__(self) -> None:
        self._last = self.records[-1].seq if self.records else 0
        known = {step.id for step in self.plan.steps}
        self.records = [record for record in self.records if record.step in known]
        self._saga = Saga(self.plan, self.records, self.recovering)
        self._schedule = Schedule(self._saga, self.limits)

    def cancel(self) -> None:
        """Stop as soon as that is safe: before a commit by going back, after it by finishing."""
        self._saga.cancel()
        for executor in self._led_to:
            executor.cancel()
        for task, action in self._running.items():
            step = action.step
            if not action.undo and step.kind.traits.interruptible and not self._saga.committed(step.workload):
                self._stopped.add(task)
                if task in self._at_work:
                    task.cancel()

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked to stop."""
        return self._saga.cancelled

    def lead_to(self, executor: Executor) -> Executor:
        """What ends this one early ends that one, too."""
        self._led_to.append(executor)
        return executor

    async def execute(self) -> Outcome:
        """Run until nothing is left to do or may be done.

        When the journal fails, or another controller has taken over (Locked), nothing new is started, what is
        under way ends, and that error is raised: a held source whose controller falls silent resumes by itself."""
        self.steps.generation = len(self.records)
        for record in self.records:
            if record.mark is Mark.DONE:
                self.steps.results[record.step] = record.result
        await self._try_again()
        heartbeat = asyncio.create_task(self._beat(), name="heartbeat") if self.while_frozen else None
        try:
            self._start_ready()
            while self._running:
                await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
                self._collect()
                if self._broken is None:
                    self._start_ready()
            led_to: list[asyncio.Future[Any]] = [*self._returning.values(), *self._beside.values()]
            await asyncio.gather(*led_to, return_exceptions=True)
            self._broken = self._broken or next(filter(None, (t.exception() for t in led_to)), None)
            if self._broken is not None:
                raise self._as_left(self._broken) from self._broken
            return self._outcome()
        finally:
            if heartbeat:
                heartbeat.cancel()
            for task in self._running:
                task.cancel()
            for back in self._returning.values():
                back.cancel()
            for copy in self._beside.values():
                copy.cancel()

    def _as_left(self, error: BaseException) -> BaseException:
        """A failed journal, with the next command; in doubt when a workload may run nowhere until then."""
        if not isinstance(error, JournalError):
            return error
        marks = self._saga.progress
        held = {s.workload for s in self.plan.steps if s.kind.traits.commits and marks.of(s) is not None}
        for step in self.plan.steps:
            restored = step.kind.traits.thaws and marks.of(step) is Mark.DONE
            resumed = step.kind.traits.freezes and marks.of(step) is Mark.UNDONE
            if restored or resumed:
                held.discard(step.workload)
        error.fix = f"{error.fix}; then: reconcile resume".removeprefix("; then: ")
        if not held:
            return error
        names = ", ".join(sorted(held))
        return InDoubt(f"{names} may run nowhere until the journal can be written", why=str(error), fix=error.fix)

    def _collect(self) -> None:
        """Take note of the tasks that have ended."""
        for task in [t for t in self._running if t.done()]:
            self._schedule.ended(self._running.pop(task))
            if not task.cancelled() and (error := task.exception()):
                self._broken = self._broken or error

    def _start_ready(self) -> None:
        for action in self._schedule.pick():
            name = f"{'undo ' if action.undo else ''}{action.step.id}"
            self._running[asyncio.create_task(self._act(action), name=name)] = action
        for name, capture in self.plan.captures.items():
            if self.go_back and capture.goes_back and name not in self._returning and self._is_aside(name):
                self._returning[name] = asyncio.ensure_future(self.go_back(self, name))
            done = capture.beside and self._saga.states.get(name) is GroupState.DONE
            if self.keep_beside and done and name not in self._beside:
                self._beside[name] = asyncio.ensure_future(self.keep_beside(self, name))

    def _is_aside(self, workload: str) -> bool:
        """Whether it was left set aside, for it goes back to its checkpoint."""
        marks = self._saga.progress
        steps = self.plan.groups.get(workload, ())
        return any(s.kind is StepKind.SET_ASIDE and marks.of(s) is Mark.UNDONE for s in steps)

    async def _act(self, action: Due) -> None:
        step = action.step
        started = self.now()
        if asyncio.current_task() in self._stopped:
            return  # before it began: it has done nothing
        await self._write(step, Mark.UNDO if action.undo else Mark.INTENT)
        self._tell(StepStarted(step, action.undo))
        lost, error = False, ""
        result: StepResult | None = None
        try:
            result = await self._effect(action)
        except asyncio.CancelledError:
            if not self._saga.cancelled:
                raise
            error = INTERRUPTED
        except ReplyLost as failure:
            error, lost = str(failure), True
            self._failures.append(failure)
        except ReconcilerError as failure:
            error, lost = str(failure), self._leaves_doubt(action, failure)
            self._failures.append(failure)
        if action.undo:
            mark = Mark.UNDO_FAILED if error else Mark.UNDONE
        else:
            mark = Mark.LOST if lost else Mark.FAILED if error else Mark.DONE
        await self._write(step, mark, note=error, result=result)
        if mark is Mark.DONE:
            self.steps.results[step.id] = result
        unhealthy = result.unhealthy if isinstance(result, HealthSeen) else ""
        self._tell(StepEnded(step, action.undo, self.now() - started, error, lost, unhealthy))

    async def _effect(self, action: Due) -> StepResult | None:
        """CancelledError where somebody has asked to stop meanwhile."""
        task = asyncio.current_task()
        assert task is not None
        if task in self._stopped:
            raise asyncio.CancelledError
        self._at_work.add(task)
        try:
            return await self._with_patience(action)
        finally:
            self._at_work.discard(task)

    async def _with_patience(self, action: Due) -> StepResult | None:
        """Try a step again while its host does not answer; every effect is idempotent. ReplyLost at the end
        when any try may have had an effect that cannot be asked for."""
        step = action.step
        urgent = self._is_urgent(action)
        tries = self.patience.after_commit if urgent else self.patience.before_commit
        pause = self.patience.pause
        if not action.undo and step.kind.traits.commits:
            tries = self.patience.commit
        elif not urgent and step.workload in self._saga.frozen:
            pause = self.patience.frozen_pause
        lost: ReplyLost | None = None
        for left in range(tries, 0, -1):
            try:
                if action.undo:
                    return await self.steps.undo(step)
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

    async def _try_again(self) -> None:
        """A resume asks again where an answer was missing, and repeats undos and tidying that failed."""
        marks = self._saga.progress
        for step in self.plan.steps:
            mark = marks.of(step)
            if mark is Mark.LOST or (mark is Mark.FAILED and step.kind.traits.tidying):
                await self._write(step, Mark.INTENT, note="asked again by resume")
            elif mark is Mark.UNDO_FAILED and not went_with(step, self.plan, marks):
                await self._write(step, Mark.UNDO, note="tried again by resume")

    async def _write(self, step: Step, mark: Mark, note: str = "", result: StepResult | None = None) -> None:
        """One at a time: each says which record it follows."""
        async with self._turn:
            at = self.now()
            record = await self.journal.append(self.run, step.id, mark, at, note, result, after=self._last)
            self._last = record.seq
            self.records.append(record)
            self._saga.note(record)

    def _progress(self, step: Step, done: Bytes) -> None:
        self._tell(StepProgress(step, done, step.expected_bytes))

    def _tell(self, event: Event) -> None:
        """Who shows what happens has no say in it: after its first failure nothing is shown any more."""
        self._log(event)
        try:
            self.report(event)
        except Exception:
            self.report = ignore

    def _log(self, event: Event) -> None:
        step = event.step
        about = {"run": self.run, "workload": step.workload, "host": step.host, "step": step.id}
        verb = f"undo of {step.kind}" if not isinstance(event, StepProgress) and event.undo else f"{step.kind}"
        match event:
            case StepStarted():
                log.info("%s began", verb, extra=about)
            case StepEnded(error=""):
                log.info("%s done in %.2f s", verb, event.seconds, extra=about)
            case StepEnded():
                how = "may have failed" if event.lost else "failed"
                log.warning("%s %s after %.2f s: %s", verb, how, event.seconds, event.error, extra=about)
            case StepProgress():
                log.debug("%s: %d of %d bytes", verb, event.done, event.total, extra=about)

    def _is_urgent(self, action: Due) -> bool:
        """Whether going back is not cheap any more, or the very thing that must succeed."""
        if action.undo:
            return action.step.kind.traits.urgent_undo
        return self._saga.committed(action.step.workload)

    def _leaves_doubt(self, action: Due, error: ReconcilerError) -> bool:
        """After the commit a destination that cannot be asked may well run: that is no reason to go back. Nor is
        its guard's refusal: another controller has decided meanwhile, and may have finished."""
        unknown = isinstance(error, HostUnreachable | HostKeyError | GuardRefused)
        return unknown and not action.undo and not action.step.kind.traits.commits and self._is_urgent(action)

    async def _beat(self) -> None:
        """Tell the hosts that this controller lives, as long as something is frozen. One host that does not
        answer must not make the others' holds give up."""
        assert self.while_frozen
        beats: dict[str, asyncio.Future[None]] = {}
        try:
            while True:
                for workload in list(self._saga.frozen):
                    if workload not in beats or beats[workload].done():
                        beats[workload] = asyncio.ensure_future(self.while_frozen(workload))
                await self.sleep(1.0)
        finally:
            for beat in beats.values():
                beat.cancel()

    def _outcome(self) -> Outcome:
        errors: dict[str, list[tuple[Step, bool, str]]] = {}
        became: dict[str, str] = {}
        for record in self.records:
            if isinstance(record.result, WentBack):
                became.setdefault(self.plan.step(record.step).workload, record.result.became)
            if record.mark in (Mark.FAILED, Mark.LOST, Mark.UNDO_FAILED):
                step = self.plan.step(record.step)
                errors.setdefault(step.workload, []).append((step, record.mark is Mark.UNDO_FAILED, record.note))
        returned = {name: back for name, task in self._returning.items() if (back := task.result())}
        for name, back in returned.items():
            became[name] = back.became
            errors.setdefault(name, []).extend(back.errors)
            self._failures += back.failures
        told = {w: tuple(found) for w, found in errors.items()}
        run = Run(id=self.run, plan=self.plan, started_at=0.0, actor="", records=tuple(self.records))
        spans = {name: frozen_seconds(run, name) for name in self.plan.moves}
        ended = {n: b.state for n, b in returned.items() if self._saga.states[n] is GroupState.PUT_BACK}
        ran_at = {name: back.ran_at for name, back in returned.items()}
        stopped = {name: stopped_seconds(run, name, ran_at.get(name)) for name in self.plan.groups}
        return Outcome(
            {**self._saga.states, **ended},
            told,
            became,
            tuple(self._failures),
            {name: seconds for name, seconds in spans.items() if seconds is not None},
            self._saga.cancelled,
            {name: seconds for name, seconds in stopped.items() if seconds is not None},
            {name: task.result() for name, task in self._beside.items()},
        )
