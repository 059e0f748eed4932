"""Plan and apply: looking, deciding, asking, carrying out."""

from __future__ import annotations

import asyncio
import secrets as randomness
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from reconciler.compose import Outside, drivers, open_fleet, run_state, secrets_of
from reconciler.core.accuracy import measured_moves
from reconciler.core.consent import Consent, lacking
from reconciler.core.planner import make_plan
from reconciler.core.questions import questions
from reconciler.errors import Locked, Refused, StalePlan
from reconciler.execute import Executor, Outcome
from reconciler.hosts.base import Fleet
from reconciler.lease import fleet_leases
from reconciler.model.event import Reporter, ignore
from reconciler.model.plan import Plan
from reconciler.model.record import Record, Run, RunState
from reconciler.model.spec import Spec
from reconciler.model.world import World
from reconciler.observe import observe
from reconciler.preflight import look_closer
from reconciler.state.identity import owner
from reconciler.state.journal import Journal


@dataclass(frozen=True)
class Seen:
    """What one look at the hosts gave."""

    world: World
    plan: Plan


@dataclass(frozen=True)
class Applied:
    """How an apply ended. `run` is None when there was nothing to do."""

    plan: Plan
    run: str | None = None
    outcome: Outcome | None = None
    untidied: tuple[str, ...] = ()
    """What went wrong when all was over."""

    @property
    def state(self) -> RunState:
        return run_state(self.outcome) if self.outcome else RunState.DONE


LEARN_FROM = 40
"""How many of the latest runs predictions are learned from."""


async def look(spec: Spec, fleet: Fleet, journal: Journal) -> Seen:
    """Observe all hosts and make the plan. Changes nothing, anywhere."""
    world = await observe(fleet, drivers(), list(spec.hosts))
    world = await look_closer(fleet, drivers(), world, questions(spec, world))
    unfinished = {step.workload for run in journal.open_runs() for step in run.plan.steps}
    return Seen(world, make_plan(spec, world, unfinished, measured_moves(journal.runs(limit=LEARN_FROM))))


async def plan(spec: Spec, journal_path: Path | None = None) -> Seen:
    """`reconcile plan`."""
    with Journal.open(journal_path, write=False) as journal:
        async with open_fleet(spec) as fleet:
            return await look(spec, fleet, journal)


def new_run_id() -> str:
    """Sortable by time and unique: `20261123-140501-3fa9`."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{randomness.token_hex(2)}"


@dataclass
class Apply:
    """`reconcile apply`: everything it needs, and the order in which it is asked for.

    `agree` is asked with the plan before anything is changed; it returns False to stop.
    """

    spec: Spec
    journal_path: Path | None
    agree: Callable[[Seen], Awaitable[bool]]
    consent: Consent = field(default_factory=Consent)
    saved: Plan | None = None
    report: Reporter = ignore
    untidied: list[str] = field(default_factory=list)
    _executor: Executor | None = None
    _lost: Locked | None = None

    def lose(self, error: Locked) -> None:
        """Another controller has the lease of a host by now: go on as after Ctrl-C, and say so at the end."""
        self._lost = self._lost or error
        if self._executor:
            self._executor.cancel()

    def cancel(self) -> None:
        """Ctrl-C or SIGTERM: stop as soon as that is safe."""
        if self._executor:
            self._executor.cancel()
        else:
            raise asyncio.CancelledError

    async def __call__(self) -> Applied:
        applied = await self._apply()
        return replace(applied, untidied=tuple(self.untidied))

    async def _apply(self) -> Applied:
        spec, warn = self.spec, self.untidied.append
        with Journal.open(self.journal_path) as journal, journal.locked("apply", owner()):
            async with open_fleet(spec, warn) as fleet, fleet_leases(fleet, spec.hosts, owner(), self.lose, warn):
                seen = await look(spec, fleet, journal)
                plan = self._checked(seen)
                if not plan.steps or not await self.agree(seen):
                    return Applied(plan)
                return await self._run(plan, fleet, journal)

    def _checked(self, seen: Seen) -> Plan:
        """The plan to carry out: the saved one when the world still is what it was made from."""
        plan = seen.plan
        if self.saved is not None:
            refuse_stale(self.saved, plan)
            plan = self.saved
        if missing := lacking(plan, self.consent):
            raise Refused(
                missing,
                code="P401",
                fix="look at the plan, then: reconcile apply --allow-removals N",
            )
        return plan

    async def _run(self, plan: Plan, fleet: Fleet, journal: Journal) -> Applied:
        run = new_run_id()
        for workload in plan.workloads.values():
            secrets_of(workload)  # what is missing is said before anything is changed
        if self._lost:
            raise self._lost
        journal.begin(Run(id=run, plan=plan, started_at=time.time(), actor=owner(), commit=plan.commit))
        outcome = await self.carry_out(plan, run, fleet, journal)
        return Applied(plan, run, outcome)

    async def carry_out(
        self,
        plan: Plan,
        run: str,
        fleet: Fleet,
        journal: Journal,
        records: tuple[Record, ...] = (),
        recovering: frozenset[str] = frozenset(),
    ) -> Outcome:
        """The loop that `apply` and `resume` share."""
        outside = Outside(fleet, warn=self.untidied.append)
        self._executor = outside.executor(
            plan, run, journal, report=self.report, records=records, recovering=recovering
        )
        outcome = await outside.carry_out(self._executor)
        if self._lost:
            stands = "; ".join(f"{name} is {state}" for name, state in outcome.groups.items())
            self._lost.why = f"{self._lost.why}; {stands}"
            raise self._lost
        return outcome


def refuse_stale(saved: Plan, fresh: Plan) -> None:
    """StalePlan when the specs or the world are not those that the saved plan was made from."""
    again = "look at a new plan: reconcile plan --out FILE"
    if saved.spec_digest != fresh.spec_digest:
        raise StalePlan("the specs changed since the plan was made", fix=again)
    if saved.world_digest != fresh.world_digest or [s.id for s in saved.steps] != [s.id for s in fresh.steps]:
        raise StalePlan("the hosts changed since the plan was made", fix=again)
