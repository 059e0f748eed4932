"""`reconcile checkpoint`: save a workload as it is at one instant, and let it run on.

Its memory, root filesystem and volumes are of the moment it was frozen. It is a run of one step, in the journal
like any other. The freeze is one command on its host, bounded there: should this controller die, the workload
runs on, what was saved so far is never listed, and whoever takes the next one tidies up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from reconciler.commands.compose import Outside, kept_runs, open_fleet
from reconciler.commands.interruptible import Interruptible
from reconciler.core.checkpoints import place_of
from reconciler.core.diff import SEE_STATUS, contradiction, payload_changes
from reconciler.core.index import Copy, Index
from reconciler.core.saga import GroupState, unended_in
from reconciler.core.saving import capture_plan, planned, saves_only
from reconciler.engine.execute import Outcome
from reconciler.engine.lease import fleet_leases
from reconciler.engine.observe import observe
from reconciler.errors import CommandFailed, HostUnreachable, InputError, Interrupted, ReconcilerError, Refused
from reconciler.model.base import duration_text
from reconciler.model.checkpoint import Kept
from reconciler.model.command import Seconds
from reconciler.model.event import Reporter, Untidied, ignore
from reconciler.model.plan import Plan
from reconciler.model.result import CheckpointTaken
from reconciler.model.spec import Spec, Workload
from reconciler.model.world import World
from reconciler.runtimes import registry
from reconciler.state.identity import owner
from reconciler.state.store import Awaited, Store

FREEZE_LIMIT: Seconds = 60.0
"""A workload that is captured is never frozen for longer, unless somebody allows it."""


@dataclass(frozen=True)
class Saved:
    """A checkpoint that was taken. `changed`: fields in which what runs differs from its spec by now."""

    kept: Kept
    changed: tuple[str, ...] = ()
    untidied: tuple[Untidied, ...] = ()


@dataclass
class Take(Interruptible):
    """Taking one checkpoint of one workload. `to`: where to, as users say it; empty: on its host. `why`: what the
    run says of it."""

    spec: Spec
    name: str
    to: str = ""
    limit: Seconds = FREEZE_LIMIT
    journal_path: Path | None = None
    report: Reporter = ignore
    why: str = "asked for"
    untidied: list[Untidied] = field(default_factory=list)

    async def __call__(self) -> Saved:
        workload = wanted(self.spec, self.name)
        if self.to:
            place_of(self.to, self.spec, "")
        async with (
            kept_runs(self.journal_path) as journal,
            open_fleet(self.spec, self.untidied.append) as fleet,
        ):
            return await self.on(workload, Outside(fleet, warn=self.untidied.append), journal)

    async def on(self, workload: Workload, outside: Outside, journal: Store) -> Saved:
        """The same, on a fleet that is there. Other controllers are excluded from the two hosts it is about."""
        refuse_open(self.name, journal)
        fleet, drivers = outside.fleet, outside.drivers
        world = await observe(fleet, drivers, self.spec.places)
        host = where(self.name, Index.of(world)).host
        at = place_of(self.to, self.spec, host)
        async with (
            fleet_leases(fleet, {host, at.host}, owner(), self.lose, self.untidied.append),
            Awaited(journal).locked([self.name], owner()),
        ):
            await self._give_up(outside, journal)
            again = await observe(fleet, drivers, [host])
            copy = running(self.name, World(hosts={**world.hosts, **again.hosts}))
            if copy.host != host:
                raise Refused(f"{self.name} has gone to {copy.host} meanwhile", code="P450", fix="try again")
            registry.need(drivers, copy.instance.runtime, "captures")
            limit, index = duration_text(self.limit), Index.of(again)
            capture = planned(workload, copy, again.seen()[host], at, limit, self.spec, index)
            kept = await self._carry_out(capture_plan(workload, capture, self.why, self.spec), outside, journal)
        changed = tuple(payload_changes(workload.spec, copy.instance))
        return Saved(kept, changed, tuple(self.untidied))

    async def _give_up(self, outside: Outside, journal: Store) -> None:
        """What an earlier controller began to take and did not end: it runs on, and the half goes."""
        for run in journal.open_runs():
            if saves_only(run.plan) and self.name in run.plan.groups:
                executor = outside.executor(run.plan, run.id, Awaited(journal), records=run.records)
                executor.cancel()
                await outside.carry_out(executor)
        refuse_open(self.name, journal, also=True)

    async def _carry_out(self, plan: Plan, outside: Outside, journal: Store) -> Kept:
        run = await self.begin(plan, journal)
        executor = self._executor = outside.executor(plan, run, Awaited(journal), report=self.report)
        try:
            outcome = await outside.carry_out(executor)
        finally:
            self._executor = None
        taken = executor.steps.results.get(plan.steps[0].id)
        if outcome.groups[self.name] is GroupState.DONE and isinstance(taken, CheckpointTaken):
            self.untidied += [Untidied("C375", text, plan.steps[0].host) for text in taken.left]
            return Kept(plan.captures[self.name].at, self.name, run, manifest=taken.manifest)
        raise self._failed(outcome)

    def _failed(self, outcome: Outcome) -> ReconcilerError:
        """Why there is no checkpoint; its first cause."""
        cause = next(iter(outcome.failures), None)
        if became := outcome.became.get(self.name):
            what = f"{self.name} could not be saved, and does not simply run on"
            fix = cause.fix if cause else ""
            cause = CommandFailed(what, code="C370", why=became, fix=fix or "see how it stands: reconcile plan")
        if self._lost or cause is None:
            return self._lost or Interrupted("stopped as you asked; it runs on, and there is no checkpoint")
        if outcome.groups[self.name] is GroupState.INCOMPLETE:
            cause.fix = f"{cause.fix}; then: reconcile resume".removeprefix("; then: ")
        return cause


def wanted(spec: Spec, name: str) -> Workload:
    """The workload of that name, by which it is known on the hosts."""
    workload = spec.workloads.get(name)
    if workload is None:
        known = ", ".join(sorted(spec.workloads)) or "none"
        raise InputError(f"no spec defines the workload {name}", code="E203", fix=f"one of: {known}")
    return workload


def refuse_open(name: str, journal: Store, *, also: bool = False) -> None:
    """Refused while a run that changes it has not ended. `also`: one that only saves it, too."""
    run = unended_in(journal.open_runs()).get(name)
    if run is not None and (also or not saves_only(run.plan)):
        raise Refused(f"an earlier run that changes {name} has not ended", code="P450", fix=SEE_STATUS)


def where(name: str, index: Index) -> Copy:
    """Where it runs, or is frozen; Refused where nothing of it has processes, HostUnreachable where it may run on
    a host that was not seen."""
    for copy in index.copies.get(name, ()):
        if copy.instance.state.has_processes:
            return copy
    fix = "start it, or make its host reachable: reconcile plan"
    if index.unknown:
        what = f"{name} runs on no host that was seen, and these were not: {', '.join(sorted(index.unknown))}"
        raise HostUnreachable(what, code="P450", fix=fix)
    raise Refused(f"{name} runs on no host that was seen", code="P450", fix=fix)


def running(name: str, world: World) -> Copy:
    """Where it runs, and what; Refused where it does not, or something about it is unfinished."""
    index = Index.of(world)
    unsettled = index.unsettled(name)
    for host, marker in index.markers.get(name, ()):
        if marker.broken or host in unsettled:
            why = f"its marker on {host} says: {marker.broken or marker.phase}"
            raise Refused(f"{name} cannot be saved now", code="P450", why=why, fix=SEE_STATUS)
    if problem := contradiction(name, index):
        raise Refused(f"{name} cannot be saved now", code="P450", why=problem[2], fix=SEE_STATUS)
    return where(name, index)
