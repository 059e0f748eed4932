"""What a crash leaves: finish it, undo it, say how it stands, or decide it on evidence.

`resume` replays the journal through the same saga as `apply`. Where the journal is lost, it is rebuilt from the
dossiers and markers on the hosts first; from then on there is no difference.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler.app import Applied, Apply, drivers, open_fleet, resolve_secrets
from reconciler.core.diff import Index
from reconciler.core.recovery import marks_from_markers, settled_marks
from reconciler.core.saga import GroupState
from reconciler.drivers import dossier
from reconciler.drivers.base import Fence, Handover
from reconciler.errors import HostError, InputError, Refused
from reconciler.hosts.base import Fleet, pump
from reconciler.lease import fleet_leases
from reconciler.model.event import Reporter, ignore
from reconciler.model.plan import Plan
from reconciler.model.record import Mark, Record, Run, RunState
from reconciler.model.spec import Spec
from reconciler.model.world import Marker, World
from reconciler.observe import observe
from reconciler.state.identity import owner
from reconciler.state.journal import Journal


@dataclass(frozen=True)
class Standing:
    """How an unfinished hand-over stands. `owner` is a host, or empty when nobody may start the workload."""

    workload: str
    phase: str
    owner: str
    where: Mapping[str, str]
    since: float
    run: str
    next: str


@dataclass(frozen=True)
class Resumed:
    """All runs that were taken up again, and how they ended."""

    runs: tuple[Applied, ...]

    @property
    def exit_code(self) -> int:
        """5 when something is in doubt, 1 when something could neither be finished nor undone, else 0: undoing
        what was interrupted is what was asked for."""
        ended = {state for run in self.runs if run.outcome for state in run.outcome.groups.values()}
        if GroupState.IN_DOUBT in ended:
            return 5
        return 0 if ended <= {GroupState.DONE, GroupState.PUT_BACK, GroupState.SKIPPED} else 1


@dataclass
class Resume:
    """`reconcile resume`: finish or undo everything that is unfinished, on this journal or on the hosts."""

    spec: Spec
    journal_path: Path | None
    report: Reporter = ignore
    _job: Apply | None = None

    def cancel(self) -> None:
        """Ctrl-C or SIGTERM: as for apply."""
        if self._job:
            self._job.cancel()

    async def __call__(self) -> Resumed:
        with Journal.open(self.journal_path) as journal, journal.locked("apply", owner()):
            async with open_fleet(self.spec) as fleet, fleet_leases(fleet, self.spec.hosts, owner()):
                world = await observe(fleet, drivers(), list(self.spec.hosts))
                known = {run.id for run in journal.runs()}
                for run in await rebuilt_runs(fleet, world):
                    if run.id not in known:
                        journal.begin(run)
                        for record in run.records:
                            journal.append(run.id, record.step, record.mark, record.at, "from the hosts' markers")
                for run in journal.open_runs():
                    note_settled(run, world, journal)
                runs = [await self._one(run, fleet, journal) for run in journal.open_runs()]
                return Resumed(tuple(runs))

    async def _one(self, run: Run, fleet: Fleet, journal: Journal) -> Applied:
        self._job = Apply(self.spec, self.journal_path, agree=_always, report=self.report)
        outcome = await self._job.carry_out(
            run.plan,
            run.id,
            fleet,
            journal,
            resolve_secrets,
            records=run.records,
            recovering=frozenset(step.workload for step in run.plan.steps),
        )
        return Applied(run.plan, run.id, outcome)


async def _always(_: object) -> bool:
    return True


def unfinished(world: World) -> dict[str, dict[str, Marker]]:
    """Markers of hand-overs that have not ended, by workload and host."""
    index = Index.of(world)
    return {name: dict(found) for name, found in index.markers.items() if index.unsettled(name)}


async def rebuilt_runs(fleet: Fleet, world: World) -> list[Run]:
    """Runs as the hosts remember them, for every unfinished hand-over that has a dossier."""
    runs = []
    for workload, markers in unfinished(world).items():
        for host in markers:
            kept = await pump(dossier.read(workload), fleet.host(host))
            if kept is None or workload not in kept[1].moves:
                continue
            run_id, plan = kept
            move = plan.moves[workload]
            marks = marks_from_markers(plan, workload, markers.get(move.source), markers.get(move.destination))
            run = Run(id=run_id, plan=plan, started_at=time.time(), actor=owner())
            runs.append(run.model_copy(update={"records": _as_records(marks)}))
            break
    return runs


def note_settled(run: Run, world: World, journal: Journal) -> None:
    """Write down what another controller has finished or undone meanwhile, so that it is not done again."""
    index = Index.of(world)
    last = {record.step: record.mark for record in run.records}
    for workload, move in run.plan.moves.items():
        markers = dict(index.markers.get(workload, ()))
        marks = settled_marks(run.plan, workload, markers.get(move.source), markers.get(move.destination))
        for step, mark in marks or ():
            if last.get(step) is not mark and (mark is Mark.DONE or step in last):
                journal.append(run.id, step, mark, time.time(), "another controller brought it to its end")


def _as_records(marks: list[tuple[str, Mark]]) -> tuple[Record, ...]:
    now = time.time()
    return tuple(Record(seq=i, step=step, mark=mark, at=now) for i, (step, mark) in enumerate(marks))


async def standings(spec: Spec, journal_path: Path | None) -> tuple[World, list[Standing]]:
    """`reconcile status`: every unfinished hand-over. Changes nothing."""
    with Journal.open(journal_path, write=False) as journal:
        open_runs = {s.workload: run for run in journal.open_runs() for s in run.plan.steps}
    async with open_fleet(spec) as fleet:
        world = await observe(fleet, drivers(), list(spec.hosts))
    found = unfinished(world)
    rows = [
        _standing(name, found.get(name, {}), open_runs.get(name), world)
        for name in sorted(found.keys() | open_runs.keys())
    ]
    return world, rows


def _standing(name: str, markers: Mapping[str, Marker], run: Run | None, world: World) -> Standing:
    phases = {host: marker.phase for host, marker in markers.items()}
    newest = max(markers.values(), key=lambda m: (m.epoch, m.role == "destination"), default=None)
    move = run.plan.moves.get(name) if run else None
    committed = any(phase in ("committed", "confirmed") for phase in phases.values())
    if committed:
        owns = next((h for h, m in markers.items() if m.role == "destination"), move.destination if move else "")
        asked = owns in world.seen()
        owns = owns if asked else ""
    else:
        owns = next((h for h, m in markers.items() if m.role == "source"), move.source if move else "")
        asked = True
    lost = ", ".join(sorted(world.unknown()))
    then = (
        "reconcile resume"
        if asked
        else (
            f"make {lost} reachable, then: reconcile resume;"
            f" or: reconcile resolve {name} --owner HOST --evidence TEXT"
        )
    )
    return Standing(
        workload=name,
        phase=newest.phase if newest else (run.state.value if run else ""),
        owner=owns,
        where=phases,
        since=run.started_at if run else 0.0,
        run=run.id if run else (newest.run if newest else ""),
        next=then,
    )


async def resolve(spec: Spec, workload: str, owner_host: str, evidence: str, journal_path: Path | None) -> str:
    """`reconcile resolve`: give an in-doubt workload to a host, on the operator's evidence. Every other host that
    answers is fenced first; a host that answers and contradicts the evidence makes this a refusal.

    Returns what was done, in a sentence.
    """
    if not evidence.strip():
        raise InputError(
            "resolve needs evidence", fix='say how you know: --evidence "h2 is powered off, seen at its console"'
        )
    if owner_host not in spec.hosts:
        raise InputError(f"no spec defines host {owner_host}", fix=f"one of: {', '.join(sorted(spec.hosts))}")
    with Journal.open(journal_path) as journal, journal.locked("apply", owner()):
        async with open_fleet(spec) as fleet, fleet_leases(fleet, spec.hosts, owner()):
            world = await observe(fleet, drivers(), list(spec.hosts))
            plan, run_id = await _known_handover(fleet, world, workload, journal)
            handover = Handover(plan.workloads[workload], plan.moves[workload], plan.policy_of(workload), run_id)
            if owner_host not in (handover.move.source, handover.move.destination):
                raise Refused(
                    f"{owner_host} has no part in the hand-over of {workload}",
                    fix=f"the owner is {handover.move.source} or {handover.move.destination}",
                )
            if owner_host not in world.seen():
                raise HostError(f"{owner_host} was not seen", where=owner_host, fix="make it reachable first")
            epoch = Index.of(world).epoch(workload) + 1
            other = handover.move.source if owner_host == handover.move.destination else handover.move.destination
            return await _decide(handover, owner_host, other, epoch, evidence, fleet, world, journal)


async def _known_handover(fleet: Fleet, world: World, workload: str, journal: Journal) -> tuple[Plan, str]:
    for run in journal.open_runs():
        if workload in run.plan.moves:
            return run.plan, run.id
    for host in world.seen():
        kept = await pump(dossier.read(workload), fleet.host(host))
        if kept and workload in kept[1].moves:
            return kept[1], kept[0]
    raise Refused(f"no hand-over of {workload} is known, here or on a host that answers", fix="reconcile status")


async def _decide(
    handover: Handover,
    chosen: str,
    other: str,
    epoch: int,
    evidence: str,
    fleet: Fleet,
    world: World,
    journal: Journal,
) -> str:
    driver = drivers()[handover.workload.spec.runtime]
    seen_other = other in world.seen()
    here = await pump(driver.alive(handover.name), fleet.host(chosen))
    if not (here.running or here.restorable):
        raise Refused(
            f"{chosen} has no copy of {handover.name} that runs or can be brought back",
            where=chosen,
            why=here.detail,
            fix=f"reconcile resolve {handover.name} --owner {other} --evidence TEXT",
        )
    if seen_other:
        there = await pump(driver.alive(handover.name), fleet.host(other))
        if there.running and not here.running:
            raise Refused(
                f"{other} answers, and {handover.name} runs there",
                where=other,
                fix=f"reconcile resolve {handover.name} --owner {other} --evidence TEXT",
            )
        await pump(driver.fence_off(handover, epoch), fleet.host(other))
    if chosen == handover.move.source:
        await pump(driver.resume(handover, Fence(handover.name, epoch)), fleet.host(chosen))
    else:
        await pump(driver.commit_destination(handover), fleet.host(chosen))
        await pump(driver.restore(handover), fleet.host(chosen))
        await pump(driver.confirm(handover), fleet.host(chosen))
    _close(handover, chosen, evidence, journal)
    fenced = f"{other} is fenced" if seen_other else f"{other} was not asked: {evidence}"
    return f"{handover.name} belongs to {chosen} and runs there; {fenced}"


def _close(handover: Handover, chosen: str, evidence: str, journal: Journal) -> None:
    now = time.time()
    for run in journal.open_runs():
        if handover.name in run.plan.moves:
            step = next(s for s in run.plan.steps if s.workload == handover.name and s.kind.commits)
            note = f"resolved by {owner()}: {chosen} owns it; evidence: {evidence}"
            journal.append(run.id, step.id, Mark.UNDONE, now, note)
            journal.end(run.id, RunState.DONE, now)
