"""Plan and apply: looking, deciding, asking, carrying out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from reconciler.commands.binding import AGAIN, refuse_other_world
from reconciler.commands.compose import Outside, drivers, kept_runs, open_fleet, open_store, run_state, secrets_of
from reconciler.commands.discarding import tidy_copies
from reconciler.commands.fencing import proven
from reconciler.commands.interruptible import Interruptible
from reconciler.commands.planfile import SavedPlan
from reconciler.commands.points import recovery_points, restorable
from reconciler.core.consent import Consent, lacking
from reconciler.core.digests import spec_digest
from reconciler.core.failing import out_of_sight
from reconciler.core.index import Index
from reconciler.core.planner import make_plan
from reconciler.core.points import RULES, Point, told
from reconciler.core.questions import questions
from reconciler.core.saga import GroupState, unended_in
from reconciler.core.schedule import Slots
from reconciler.core.unwanted import asked_again, put_back
from reconciler.engine.execute import Outcome
from reconciler.engine.lease import Leases, fleet_leases
from reconciler.engine.lenient import Warn
from reconciler.engine.observe import observe
from reconciler.engine.preflight import look_closer
from reconciler.errors import Locked, Refused, StalePlan
from reconciler.hosts.base import Fleet
from reconciler.model.ending import Ending, PlanState
from reconciler.model.event import Reporter, Untidied, ignore
from reconciler.model.place import leased
from reconciler.model.plan import ChangeKind, Plan
from reconciler.model.record import RunState
from reconciler.model.spec import Spec
from reconciler.model.world import World
from reconciler.state.identity import owner
from reconciler.state.store import Awaited, Store, aside

log = logging.getLogger("reconciler.commands")
MANY = 500
"""Workloads from which on a plan is made in a thread: it takes long enough to keep moves under way waiting."""
LATEST = 10
"""Of a workload's runs so many are looked at for what was put back."""


@dataclass(frozen=True)
class Seen:
    """What one look at the hosts gave."""

    world: World
    plan: Plan
    points: Mapping[str, Point] = field(default_factory=dict)
    """Recovery points of the workloads that are saved by policy."""
    proven: frozenset[str] = frozenset()
    """Hosts whose fencing confirms that they are off."""

    @property
    def state(self) -> PlanState:
        if self.world.blind:
            return PlanState.UNSEEN
        if self.plan.errored:
            return PlanState.PARTLY if self.plan.applyable else PlanState.REFUSED
        return PlanState.CHANGES if self.plan.changes else PlanState.NOTHING


@dataclass(frozen=True)
class Applied:
    """How an apply ended. `run` is None when there was nothing to do. `where`: the host each workload was seen to
    run on afterwards (or none), where somebody has looked."""

    plan: Plan
    run: str | None = None
    outcome: Outcome | None = None
    untidied: tuple[Untidied, ...] = ()
    """What went wrong when all was over."""
    where: Mapping[str, str] = field(default_factory=dict)
    blind: bool = False
    """Whether no host was seen, so that nothing was done."""

    @property
    def state(self) -> RunState:
        return run_state(self.outcome) if self.outcome else RunState.DONE

    def ending(self, interrupted: bool = False) -> Ending:
        """How the command that this was all of ended."""
        if self.state is RunState.IN_DOUBT:
            return Ending.IN_DOUBT
        if interrupted:
            return Ending.INTERRUPTED
        if self.outcome is None:
            return self._untouched
        if self.state is RunState.DONE and self.plan.errored:
            return Ending.PARTLY
        return Ending(self.state)

    @property
    def _untouched(self) -> Ending:
        if self.blind:
            return Ending.UNSEEN
        if self.plan.steps:
            return Ending.DECLINED
        return Ending.REFUSED if self.plan.errored else Ending.DONE

    @property
    def counted(self) -> str:
        """How many changes are done and how many are not; empty where none was begun."""
        if self.outcome is None:
            return ""
        done = sum(state is GroupState.DONE for state in self.outcome.groups.values())
        refused = {f.workload for f in self.plan.findings if f.severity == "refuse"} - self.outcome.groups.keys()
        return counted(done, len(self.outcome.groups) - done, len(refused))


def counted(done: int, bad: int, refused: int) -> str:
    """In words."""
    parts = [f"{done} done", *([f"{bad} not"] if bad else []), *([f"{refused} refused"] if refused else [])]
    return ", ".join(parts)


async def look(spec: Spec, fleet: Fleet, journal: Store, before: World | None = None) -> Seen:
    """Observe all hosts and make the plan. Changes nothing, anywhere. `before`: what was seen earlier."""
    world = await observe(fleet, drivers(), spec.places, before=before)
    world = await look_closer(fleet, drivers(), world, questions(spec, world))
    told_by, spec = spec, await proven(spec, world)
    stock = await restorable(spec, fleet, world, out_of_sight(spec, world), time.time())
    make = partial(make_plan, spec, world, unfinished(journal), journal.measured(), stock)
    plan = await aside(make) if len(spec.workloads) > MANY else make()
    points = await recovery_points(spec, fleet, world.unknown(), time.time())
    tried = (found for name in asked_again(plan) for found in put_back(plan, name, journal.runs(name, LATEST)))
    plan = plan.model_copy(update={"findings": (*plan.findings, *told(points), *tried)})
    found = (len(plan.changes), len(plan.steps), len(plan.findings))
    log.info("planned: %d changes, %d steps, %d findings", *found)
    fenced = frozenset(name for name in spec.hosts if spec.hosts[name] is not told_by.hosts[name])
    if fenced:  # a plan is bound to the specs as they are written
        plan = plan.model_copy(update={"spec_digest": spec_digest(told_by)})
    return Seen(world, plan, points, fenced)


def unfinished(journal: Store) -> set[str]:
    """Workloads that a run has not ended with."""
    return set(unended_in(journal.open_runs()))


Looked = tuple[World, Mapping[str, Point]]
"""What is there, and the recovery points of workloads that are saved by policy."""


async def observed(spec: Spec, warn: Warn) -> Looked:
    """`reconcile get`: one look at the hosts."""
    async with open_fleet(spec, warn) as fleet:
        return await _observed(spec, fleet)


async def looks(spec: Spec, warn: Warn, every: float = 2.0) -> AsyncIterator[Looked]:
    """`reconcile get --watch`: one look after the other, over the same connections."""
    async with open_fleet(spec, warn) as fleet:
        while True:
            yield await _observed(spec, fleet)
            await asyncio.sleep(every)


async def _observed(spec: Spec, fleet: Fleet) -> Looked:
    world = await observe(fleet, drivers(), spec.places)
    return world, await recovery_points(spec, fleet, world.unknown(), time.time())


async def plan(spec: Spec, journal_path: Path | None, warn: Warn) -> Seen:
    """`reconcile plan`."""
    with open_store(journal_path, write=False) as journal:
        async with open_fleet(spec, warn) as fleet:
            return await look(spec, fleet, journal)


@dataclass
class Apply(Interruptible):
    """`reconcile apply`: everything it needs, and the order in which it is asked for.

    `show` gets the plan before anything is changed. Then `ask` is asked, where there is somebody to ask;
    nothing is locked or leased meanwhile, so that afterwards the hosts are looked at again. `agreed`: a look that
    somebody took and agreed to already. `narrow` leaves of every plan the part that is to be carried out.
    `limits`: how much of it may go on at once."""

    spec: Spec
    journal_path: Path | None
    show: Callable[[Seen], None] = lambda seen: None
    ask: Callable[[Seen], Awaitable[bool]] | None = None
    consent: Consent = field(default_factory=Consent)
    saved: SavedPlan | None = None
    report: Reporter = ignore
    agreed: Seen | None = None
    narrow: Callable[[Plan], Plan] = lambda plan: plan
    limits: Slots = field(default_factory=Slots)
    untidied: list[Untidied] = field(default_factory=list)

    async def __call__(self) -> Applied:
        applied = await self._apply()
        return replace(applied, untidied=tuple(self.untidied))

    async def _apply(self) -> Applied:
        spec, warn, agreed = self.spec, self.untidied.append, self.agreed
        async with open_fleet(spec, warn) as fleet:
            if self.ask is not None:
                with open_store(self.journal_path, write=False) as journal:
                    agreed = await self._look(fleet, journal)
                plan = self._checked(agreed)
                if not plan.steps or not await self.ask(agreed):
                    return Applied(plan, blind=agreed.world.blind)
            async with AsyncExitStack() as held:
                journal = await held.enter_async_context(kept_runs(self.journal_path))
                leases = await self._leases(agreed, fleet, journal, held)
                seen = await self._look(fleet, journal)
                outside = Outside(fleet, warn=warn)
                await tidy_copies(spec, Index.of(seen.world), leases.hosts, outside, journal, self.untidied)
                if agreed is not None:
                    refuse_changed(agreed, seen)
                plan = self._checked(seen, shown=agreed is not None)
                if not plan.steps:
                    return Applied(plan, blind=seen.world.blind)
                await held.enter_async_context(Awaited(journal).locked(plan.groups, owner()))
                refuse_begun(plan, journal)
                await keep_touched(leases, plan, seen.world)
                return await self._run(plan, fleet, journal)

    async def _leases(self, agreed: Seen | None, fleet: Fleet, journal: Store, held: AsyncExitStack) -> Leases:
        """Leases on the hosts that the plan touches. Where there is no plan yet they are taken on all, which saves
        a look; when another controller has one of them, a look tells whether it is in the way."""

        async def take(hosts: Iterable[str]) -> Leases:
            leases = fleet_leases(fleet, hosts, owner(), self.lose, self.untidied.append)
            return await held.enter_async_context(leases)

        if agreed is None:
            try:
                return await take(self.spec.places)
            except Locked:
                agreed = await self._look(fleet, journal)
                if agreed.plan.errored and not agreed.plan.steps:
                    raise  # all is refused while another controller is at work: for what it is doing, most likely
        return await take(touched(agreed.plan, agreed.world.seen()))

    async def _look(self, fleet: Fleet, journal: Store) -> Seen:
        seen = await look(self.spec, fleet, journal)
        return replace(seen, plan=self.narrow(seen.plan))

    def _checked(self, seen: Seen, shown: bool = False) -> Plan:
        """The plan to carry out: the saved one when the world still is what it was made from."""
        plan = seen.plan
        if self.saved is not None:
            refuse_stale(self.saved, seen)
            plan = self.saved.plan
        if not shown:
            self.show(seen)
        if missing := lacking(plan, self.consent):
            raise Refused(missing.text, code="P401", fix=missing.fix)
        return plan

    async def _run(self, plan: Plan, fleet: Fleet, journal: Store) -> Applied:
        for workload in plan.workloads.values():
            secrets_of(workload)  # what is missing is said before anything is changed
        run = await self.begin(plan, journal)
        outcome = await self._carry_out(plan, run, fleet, journal)
        return Applied(plan, run, outcome)

    async def _carry_out(self, plan: Plan, run: str, fleet: Fleet, journal: Store) -> Outcome:
        outside = Outside(fleet, warn=self.untidied.append)
        self._executor = outside.executor(plan, run, Awaited(journal), report=self.report, limits=self.limits)
        outcome = await outside.carry_out(self._executor)
        self.say_lost(outcome)
        return outcome


MAKES = {ChangeKind.CREATE, ChangeKind.RECREATE, ChangeKind.RESTORE}


def touched(plan: Plan, hosts: Iterable[str]) -> frozenset[str]:
    """The hosts nobody else may change while the plan is carried out: of `hosts` those it acts on; all, when it
    makes something, for then it also counts on that there is no such workload or address on any other."""
    if any(change.kind in MAKES for change in plan.changes):
        return frozenset(map(leased, hosts))
    places = {name for step in plan.steps for name in (step.host, step.peer)}
    places |= {name for change in plan.changes for name in (change.source, change.destination)}
    return frozenset(leased(name) for name in places if name)


def refuse_begun(plan: Plan, journal: Store) -> None:
    """StalePlan when another controller has left a run of the plan's workloads before they were locked."""
    if begun := unfinished(journal) & plan.groups.keys():
        raise StalePlan(
            f"another run has changed {', '.join(sorted(begun))} meanwhile",
            fix="see how it stands: reconcile status",
        )


async def keep_touched(leases: Leases, plan: Plan, world: World) -> None:
    """Give back what the plan does not need; StalePlan when it needs more than is held. A host that could not be
    asked for its lease, and answered the look after that, is that host's error."""
    wanted = touched(plan, world.seen())
    if missing := wanted - leases.hosts:
        if known := next((leases.others[name] for name in sorted(missing) if name in leases.others), None):
            raise known
        raise StalePlan(
            "the plan was made while another controller may have been at work",
            where=", ".join(sorted(missing)),
            fix="look again: reconcile apply",
        )
    await leases.keep_only(wanted)


def refuse_stale(saved: SavedPlan, seen: Seen) -> None:
    """StalePlan when the hosts are not as they were when the saved plan was made, or would not do for it any
    more."""
    refuse_other_world(saved.binding, seen.world)
    if _essence(saved.plan) != _essence(seen.plan):
        raise StalePlan("the same specs and hosts lead to another plan by now", fix=AGAIN)


def refuse_changed(agreed: Seen, seen: Seen) -> None:
    """StalePlan when it is not the plan any more that somebody has agreed to."""
    found = {(f.rule, f.workload, f.host) for f in seen.plan.findings if f.rule not in RULES}
    known = {(f.rule, f.workload, f.host) for f in agreed.plan.findings}
    if _essence(agreed.plan) != _essence(seen.plan) or found - known:
        raise StalePlan("the hosts changed while the plan was looked at", fix="look again: reconcile apply")


def _essence(plan: Plan) -> tuple[object, ...]:
    """What is done to which containers; not how much memory they hold at the moment."""
    steps = tuple((step.id, step.needs) for step in plan.steps)
    return steps, tuple((m.workload, m.container_id, m.epoch) for m in plan.moves.values())
