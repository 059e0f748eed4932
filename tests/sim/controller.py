"""One controller process: the real executor, steps, journal and retry, with faults at every boundary.

A killed controller does nothing any more: its calls to the outside never return. A stopped one (a zombie) goes on
where it was when it is woken, knowing nothing of what happened meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from reconciler.commands.compose import Outside, wrapped
from reconciler.core.saga import GroupState
from reconciler.engine.execute import Executor
from reconciler.engine.steps import Steps
from reconciler.errors import HostUnreachable, JournalError, ReconcilerError, ReplyLost
from reconciler.hosts.base import Fleet, Progress
from reconciler.hosts.memory import MemoryFleet
from reconciler.hosts.wrap import About, Call, WrappedFleet
from reconciler.model.event import Event
from reconciler.model.plan import Plan, Step, StepKind
from reconciler.model.record import Mark, Record, Run, RunState
from reconciler.model.result import StepResult, WentBack
from reconciler.state.store import Store, Writer
from tests.sim.faults import Point

if TYPE_CHECKING:
    from tests.sim.run import Simulation

T = TypeVar("T")

RUN = "run1"
INTENTS = (Mark.INTENT, Mark.UNDO)
LOST_AFTER = 15.0


class Killed(BaseException):
    """This controller is no more."""


@dataclass
class Here:
    """The step a piece of work belongs to, for faults inside its effect."""

    step: Step
    undo: bool
    commands: int = 0


HERE: ContextVar[Here | None] = ContextVar("here", default=None)


@dataclass
class Controller:
    """`sim` is told of each boundary (`sim.at`) and may answer a trouble for a command."""

    sim: Simulation
    name: str
    dead: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)
    awake: asyncio.Event = field(default_factory=asyncio.Event)
    error: BaseException | None = None
    groups: dict[str, GroupState] | None = None
    run: str = RUN
    outside: Outside = field(init=False)
    executor: Executor = field(init=False)
    journal: GatedJournal = field(init=False)
    plan: Plan = field(init=False)
    task: asyncio.Task[None] = field(init=False)

    def __post_init__(self) -> None:
        self.awake.set()

    def kill(self) -> None:
        self.dead = True
        self.over.set()

    def stop(self) -> None:
        """SIGSTOP, or a machine that is suspended."""
        self.awake.clear()
        self.over.set()

    def check(self) -> None:
        if self.dead:
            raise Killed

    async def gate(self) -> None:
        """Everything between this controller and the outside passes here."""
        if self.dead:
            await asyncio.get_running_loop().create_future()
        await self.awake.wait()

    def start(self, plan: Plan, journal: Store, records: Iterable[Record], recovering: frozenset[str]) -> None:
        self.plan = plan
        self.outside = Gated(
            wrapped(GatedFleet(MemoryFleet(self.sim.universe), self)),
            drivers=self.sim.scene.drivers,
            secrets=lambda workload: {},
            now=asyncio.get_running_loop().time,
            sleep=self._sleep,
        )
        self.journal = GatedJournal(journal, self, plan)
        self.executor = self.outside.executor(
            plan, self.run, self.journal, report=nobody_reads, records=records, recovering=recovering
        )
        self.task = asyncio.create_task(self._main(), name=self.name)

    async def _main(self) -> None:
        try:
            outcome = await self.outside.carry_out(self.executor)
            self.groups = outcome.groups
        except (ReconcilerError, Killed) as error:
            self.error = error
        except Exception as error:
            self.error = error
            self.sim.watcher.fail("crash", f"{self.name}: {type(error).__name__}: {error}")
        finally:
            self.over.set()

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.gate()


def nobody_reads(event: Event) -> None:
    """Output never decides what happens, so that of every simulated controller is closed."""
    raise BrokenPipeError


class SimSteps(Steps):
    """The real effects; only notes which step is at work."""

    @classmethod
    def of(cls, steps: Steps) -> SimSteps:
        return cls(steps.plan, steps.run, steps.fleet, steps.drivers, steps.secrets, now=steps.now)

    async def do(self, step: Step, progress: Progress) -> StepResult | None:
        _enter(step, False)
        return await super().do(step, progress)

    async def undo(self, step: Step) -> WentBack | None:
        _enter(step, True)
        return await super().undo(step)


def _enter(step: Step, undo: bool) -> None:
    here = HERE.get()
    if here is None or (here.step.id, here.undo) != (step.id, undo):
        HERE.set(Here(step, undo))


@dataclass(frozen=True)
class Gated(Outside):
    """Whatever is carried out, also in a run that another one leads to, passes the boundaries."""

    def executor(self, plan: Plan, run: str, journal: Writer, **more: Any) -> Executor:
        assert isinstance(journal, GatedJournal)
        executor = super().executor(plan, run, journal.of(plan), **more)
        executor.steps = SimSteps.of(executor.steps)
        return executor


class GatedJournal:
    """The real journal, with boundaries around each record. Others go on before a record is kept, and before the
    loop knows that it is."""

    def __init__(self, inner: Store, controller: Controller, plan: Plan) -> None:
        self.inner, self.controller, self.plan = inner, controller, plan

    async def append(
        self,
        run_id: str,
        step: str,
        mark: Mark,
        at: float,
        note: str = "",
        result: StepResult | None = None,
        *,
        after: int | None = None,
    ) -> Record:
        controller = self.controller
        controller.check()
        undo = mark in (Mark.UNDO, Mark.UNDONE, Mark.UNDO_FAILED)
        began = mark in INTENTS
        here = Here(self.plan.step(step), undo)
        controller.sim.at(controller, here, Point.BEFORE_INTENT if began else Point.AFTER_EFFECT)
        controller.check()
        if controller.sim.journal_full:
            raise JournalError("the journal cannot be written")
        await asyncio.sleep(0)
        controller.check()
        record = self.inner.append(run_id, step, mark, at, note, result, after=after)
        controller.sim.durable[step] = mark
        if mark is Mark.DONE and here.step.kind in (StepKind.CONFIRM, StepKind.SETTLE):
            controller.sim.watcher.proven.add(here.step.workload)
        controller.sim.universe.note(f"{controller.name}: {step} {mark} {note}")
        controller.sim.at(controller, here, Point.AFTER_INTENT if began else Point.AFTER_OUTCOME)
        controller.check()
        await asyncio.sleep(0)
        return record

    def of(self, plan: Plan) -> GatedJournal:
        return GatedJournal(self.inner, self.controller, plan)

    async def begin(self, run: Run) -> None:
        self.controller.check()
        self.inner.begin(run)

    def known(self, run_id: str) -> Run | None:
        self.controller.check()
        return self.inner.run(run_id) if self.inner.knows(run_id) else None

    async def end(self, run_id: str, state: RunState, at: float) -> None:
        self.controller.check()
        self.inner.end(run_id, state, at)


class GatedFleet(WrappedFleet):
    """Connections of one controller."""

    def __init__(self, inner: Fleet, controller: Controller) -> None:
        super().__init__(inner)
        self.controller = controller

    async def _around(self, about: About, call: Call[T]) -> T:
        controller, sim = self.controller, self.controller.sim
        await controller.gate()
        here = HERE.get()
        changes = about.command is None or about.command.changes
        if here is not None:
            sim.check_intent(here, about)
            trouble = sim.at(controller, here, Point.IN_EFFECT, about)
            here.commands += 1
            await controller.gate()
            if trouble is None and sim.refusing.get(about.host, 0) > 0:
                sim.refusing[about.host] -= 1
                trouble = "refused"
            if trouble == "refused":
                raise HostUnreachable("connection refused", where=about.host)
            if trouble == "hang":
                await asyncio.sleep(LOST_AFTER)
                await controller.gate()
                raise (ReplyLost if changes else HostUnreachable)("no answer", where=about.host)
            if trouble == "late":
                asyncio.get_running_loop().create_task(sim.deliver_late(call))
                await asyncio.sleep(LOST_AFTER)
                await controller.gate()
                raise (ReplyLost if changes else HostUnreachable)("no answer", where=about.host)
            if trouble == "lost":
                with suppress(ReconcilerError):
                    await call()
                await controller.gate()
                raise (ReplyLost if changes else HostUnreachable)("the reply is lost", where=about.host)
        try:
            return await call()
        finally:
            await controller.gate()
