"""What there is to be decided: every workload whose hand-over may not have ended, looked at on its hosts.

Status, resume, resolve and forget start from the same survey. It changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from reconciler.core.index import Index
from reconciler.core.recovery import marks_from_markers, settling_marks, what_resume_does
from reconciler.core.saga import GroupState, unended_in
from reconciler.core.standing import Matter, Verdict, in_question, judge
from reconciler.engine.observe import observe
from reconciler.errors import ReconcilerError
from reconciler.guard import dossier
from reconciler.hosts.base import Fleet, pump
from reconciler.model.command import Seconds
from reconciler.model.ending import Ending
from reconciler.model.plan import Plan
from reconciler.model.record import Record, Run
from reconciler.model.world import HostFacts, Marker, World
from reconciler.runtimes import registry
from reconciler.runtimes.base import Alive, Runtime
from reconciler.state.store import Store

LOOKS: tuple[Seconds, ...] = (0.0, 0.2, 1.0, 2.0)
"""Pauses before each look at what its runtime moves, as long as not exactly one host runs it: hosts are asked one
after the other, and one look may fall in the moment of the switch."""


@dataclass(frozen=True)
class Open:
    """One workload in question. `run` and `plan`: those of the journal or of a host's dossier, else None."""

    matter: Matter
    run: str = ""
    plan: Plan | None = None
    since: float = 0.0
    runtimes: tuple[str, ...] = ()
    """Those that may have it."""

    @property
    def hosts(self) -> frozenset[str]:
        """All that have a part in it, or may have."""
        matter, steps = self.matter, self.plan.groups.get(self.matter.workload, ()) if self.plan else ()
        found = matter.markers.keys() | matter.left.keys() | matter.unknown
        found |= matter.move.hosts if matter.move else set()
        return frozenset(name for name in found | {n for s in steps for n in (s.host, s.peer)} if name)

    @property
    def verdict(self) -> Verdict:
        return judge(self.matter)


@dataclass(frozen=True)
class Survey:
    world: World
    open: Mapping[str, Open]

    @property
    def ending(self) -> Ending:
        """In doubt before unfinished; that no host could be seen where neither is known."""
        if any(not found.verdict.owner for found in self.open.values()):
            return Ending.IN_DOUBT
        if self.open:
            return Ending.OPEN
        return Ending.UNSEEN if self.world.blind else Ending.DONE

    def runs_on(self, workload: str) -> str:
        """The host it was seen to run on, if there is one."""
        copies = Index.of(self.world).copies.get(workload, ())
        return next((copy.host for copy in copies if copy.instance.state.has_processes), "")


async def take_survey(
    fleet: Fleet, drivers: Mapping[str, Runtime], hosts: list[str], journal: Store, world: World | None = None
) -> Survey:
    """Look at all hosts, and closer at the workloads in question."""
    world = world or await observe(fleet, drivers, hosts)
    index = Index.of(world)
    runs = unended_in(journal.open_runs())
    names = sorted(in_question(index, runs))
    return Survey(
        world, {name: await _look(name, index, world, runs.get(name), fleet, drivers, journal) for name in names}
    )


async def _look(
    name: str,
    index: Index,
    world: World,
    run: Run | None,
    fleet: Fleet,
    drivers: Mapping[str, Runtime],
    journal: Store,
) -> Open:
    markers = dict(index.markers.get(name, ()))
    places = sorted(markers.keys() | {copy.host for copy in index.copies.get(name, ())})
    kept = (run.id, run.plan) if run else await remembered(name, places, fleet)
    move = kept[1].moves.get(name) if kept else None
    concerned = {marker.peer for marker in markers.values() if marker.peer and not marker.broken}
    concerned |= move.hosts if move else set()
    concerned |= {step.host for step in run.plan.groups.get(name, ())} if run else set()
    runtimes = _runtimes(name, index, kept[1] if kept else None, drivers)
    seen = [world.seen()[host] for host in sorted({*places, *concerned}) if host in world.seen()]
    for pause in LOOKS if move and move.by_runtime else (0.0,):
        await asyncio.sleep(pause)
        left: dict[str, Alive] = {}
        unknown: set[str] = set()
        for host in seen:
            try:
                left[host.name] = await alive(name, host, fleet, drivers, runtimes)
            except ReconcilerError:
                unknown.add(host.name)
        if sum(one.running and not one.ending for one in left.values()) == 1:
            break
    concerned |= unknown
    matter = Matter(
        workload=name,
        markers=markers,
        left=left,
        unknown=frozenset(concerned - left.keys()),
        unsettled=frozenset(index.unsettled(name)),
        move=move,
    )
    if kept and (run or resumable(kept[0], index.unsettled(name), journal)):
        state, todo = what_resume_does(kept[1], name, _records(run, kept[1], name, world))
        matter = replace(matter, known=True, back=state is GroupState.BACK, todo=todo)
    run_id, plan = kept or ("", None)
    return Open(matter, run_id, plan, since=run.started_at if run else 0.0, runtimes=runtimes)


def _runtimes(name: str, index: Index, plan: Plan | None, drivers: Mapping[str, Runtime]) -> tuple[str, ...]:
    """Those of its copies and of its plan; all where neither is known."""
    known = {copy.instance.runtime for copy in index.copies.get(name, ())}
    known |= {step.runtime for step in plan.groups.get(name, ())} if plan else set()
    return tuple(sorted(known or drivers.keys()))


async def alive(
    workload: str, host: HostFacts, fleet: Fleet, drivers: Mapping[str, Runtime], runtimes: Iterable[str]
) -> Alive:
    """Whether a copy of the workload runs on a host, in whichever of the runtimes has most of it. One that is not
    installed there and has nothing there cannot be asked, and need not be."""
    there = host.runtimes.keys() | {instance.runtime for instance in host.instances}
    found = [
        await pump(registry.need(drivers, name).alive(workload), fleet.host(host.name))
        for name in runtimes
        if name in there
    ]
    nothing = Alive(exists=False, running=False, detail="its runtime is not installed")
    return max(found, key=lambda one: (one.running, one.frozen, one.restorable, one.exists), default=nothing)


def resumable(run: str, unsettled: Mapping[str, Marker], journal: Store) -> bool:
    """Whether resume takes up a run that only hosts remember: it is theirs, and no journal has ended it."""
    return bool({marker.run for marker in unsettled.values()} & {"", run}) and not journal.knows(run)


async def remembered(name: str, hosts: Iterable[str], fleet: Fleet) -> tuple[str, Plan] | None:
    """Run and plan of a workload's hand-over as its hosts remember them; None when none does."""
    for host in hosts:
        try:
            kept = await pump(dossier.read(name), fleet.host(host))
        except ReconcilerError:
            continue
        if kept and name in kept[1].moves:
            return kept
    return None


def _records(run: Run | None, plan: Plan, workload: str, world: World) -> list[Record]:
    """What resume starts from: the journal with what others have done meanwhile, or what markers tell."""
    if run is not None:
        marks = settling_marks(run, workload, world)
    else:
        markers, move = dict(Index.of(world).markers.get(workload, ())), plan.moves[workload]
        marks = marks_from_markers(plan, workload, markers.get(move.source), markers.get(move.destination))
    told = [Record(seq=0, step=step, mark=mark, at=0.0) for step, mark in marks]
    return [*(run.records if run else ()), *told]
