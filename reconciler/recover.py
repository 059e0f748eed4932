"""What a crash leaves: finish it, undo it, say how it stands, or decide it on evidence.

`resume` replays the journal through the same saga as `apply`. Where the journal is lost, it is rebuilt from the
dossiers and markers on the hosts first; from then on there is no difference.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.app import Applied, Apply
from reconciler.compose import drivers, open_fleet
from reconciler.core.diff import Index
from reconciler.core.recovery import gone_on, marks_from_markers, settled_marks, superseded
from reconciler.core.saga import GroupState
from reconciler.drivers import dossier
from reconciler.drivers.base import Alive
from reconciler.errors import Locked, ReconcilerError
from reconciler.hosts.base import Fleet, pump
from reconciler.lease import fleet_leases
from reconciler.model.event import Reporter, ignore
from reconciler.model.plan import Phase, Plan
from reconciler.model.record import Mark, Record, Run
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
    untidied: tuple[str, ...] = ()

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
    untidied: list[str] = field(default_factory=list)
    _job: Apply | None = None
    _lost: Locked | None = None

    def _lose(self, error: Locked) -> None:
        self._lost = self._lost or error
        if self._job:
            self._job.lose(error)

    def cancel(self) -> None:
        """Ctrl-C or SIGTERM: as for apply."""
        if self._job:
            self._job.cancel()

    async def __call__(self) -> Resumed:
        runs = await self._resume()
        return Resumed(runs, tuple(self.untidied))

    async def _resume(self) -> tuple[Applied, ...]:
        spec, warn = self.spec, self.untidied.append
        with Journal.open(self.journal_path) as journal, journal.locked("apply", owner()):
            async with open_fleet(spec, warn) as fleet, fleet_leases(fleet, spec.hosts, owner(), self._lose, warn):
                world = await observe(fleet, drivers(), list(spec.hosts))
                known = {run.id for run in journal.runs()}
                for run in await rebuilt_runs(fleet, world):
                    if run.id not in known:
                        journal.begin(run)
                        for record in run.records:
                            journal.append(run.id, record.step, record.mark, record.at, "from the hosts' markers")
                for run in journal.open_runs():
                    note_settled(run, world, journal)
                return tuple([await self._one(run, fleet, journal) for run in journal.open_runs()])

    async def _one(self, run: Run, fleet: Fleet, journal: Journal) -> Applied:
        if self._lost:
            raise self._lost
        self._job = Apply(self.spec, self.journal_path, report=self.report, untidied=self.untidied)
        outcome = await self._job.carry_out(
            run.plan,
            run.id,
            fleet,
            journal,
            records=run.records,
            recovering=frozenset(step.workload for step in run.plan.steps),
        )
        return Applied(run.plan, run.id, outcome)


def unfinished(world: World) -> dict[str, dict[str, Marker]]:
    """Markers of hand-overs that have not ended, by workload and host."""
    index = Index.of(world)
    return {name: dict(found) for name, found in index.markers.items() if index.unsettled(name)}


async def rebuilt_runs(fleet: Fleet, world: World) -> list[Run]:
    """Runs as the hosts remember them, for every unfinished hand-over that has a dossier. Each host keeps one for
    each workload: those of the same run become one again."""
    index = Index.of(world)
    plans: dict[str, Plan] = {}
    marks: dict[str, list[tuple[str, Mark]]] = {}
    for workload, markers in unfinished(world).items():
        wanted = {marker.run for marker in index.unsettled(workload).values()}
        for host in markers:
            kept = await pump(dossier.read(workload), fleet.host(host))
            if kept is None or workload not in kept[1].moves or not wanted & {"", kept[0]}:
                continue  # another controller wrote that dossier, and went no further
            run_id, part = kept
            move = part.moves[workload]
            found = marks_from_markers(part, workload, markers.get(move.source), markers.get(move.destination))
            plans[run_id] = dossier.joined(plans[run_id], part) if run_id in plans else part
            marks.setdefault(run_id, []).extend(found)
            break
    return [
        Run(id=i, plan=plan, started_at=time.time(), actor=owner(), records=_as_records(marks[i]))
        for i, plan in plans.items()
    ]


def note_settled(run: Run, world: World, journal: Journal) -> None:
    """Write down what another controller has finished or undone meanwhile, so that it is not done again."""
    index = Index.of(world)
    last = {record.step: record.mark for record in run.records}
    for workload, move in run.plan.moves.items():
        markers = dict(index.markers.get(workload, ()))
        marks = settled_marks(run.plan, workload, markers.get(move.source), markers.get(move.destination))
        gone = gone_on(move, markers.get(move.source), markers.get(move.destination))
        if marks is None and not gone and superseded(move, run.id, markers.values()):
            marks = [(step.id, Mark.UNDONE) for step in run.plan.groups[workload]]
        if marks is None and committed_by_other(run, workload, markers.get(move.source)):
            marks = [(s.id, Mark.INTENT) for s in run.plan.groups[workload] if s.kind.traits.commits]
        for step, mark in marks or ():
            if last.get(step) is not mark and (mark is not Mark.UNDONE or step in last):
                journal.append(run.id, step, mark, time.time(), "another controller was here meanwhile")


def committed_by_other(run: Run, workload: str, source: Marker | None) -> bool:
    """Whether the source is committed under this very run, which this journal knows nothing of."""
    commits = {s.id for s in run.plan.groups[workload] if s.kind.traits.commits}
    ours = source is not None and (source.run, source.epoch) == (run.id, run.plan.moves[workload].epoch)
    known = commits & {record.step for record in run.records}
    return ours and not known and source is not None and source.phase == Phase.COMMITTED


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
        names = sorted(found.keys() | open_runs.keys())
        left = {name: await remains(name, found.get(name, {}), fleet, world) for name in names}
    rows = [_standing(name, found.get(name, {}), open_runs.get(name), world, left[name]) for name in names]
    return world, rows


FROZEN = (Phase.HELD, Phase.VERIFIED, Phase.COMMITTED, Phase.CONFIRMED)
"""Phases in which a workload's process is not simply there."""


async def remains(
    workload: str, markers: Mapping[str, Marker], fleet: Fleet, world: World
) -> Mapping[str, Alive] | None:
    """What the hosts of a hand-over in its frozen window still have of the workload; None when one of them cannot
    be asked, or nothing was frozen yet."""
    if not any(marker.phase in FROZEN for marker in markers.values()):
        return None
    driver = drivers()["podman"]
    found: dict[str, Alive] = {}
    for host in sorted(markers.keys() | {marker.peer for marker in markers.values() if marker.peer}):
        if host not in world.seen():
            return None
        try:
            found[host] = await pump(driver.alive(workload), fleet.host(host))
        except ReconcilerError:
            return None
    return found


def way_out(workload: str, left: Mapping[str, Alive], markers: Mapping[str, Marker]) -> str:
    """The command that helps where `resume` cannot, if there is one: no copy runs, and the side that owns it has
    nothing to go on from. Images are complete as far as the host can tell; restoring them checks the rest."""
    committed = any(m.phase in (Phase.COMMITTED, Phase.CONFIRMED) for m in markers.values())
    holders = [host for host, alive in left.items() if alive.restorable]
    if any(alive.running for alive in left.values()) or len(holders) > 1:
        return ""
    if not holders:
        return f"reconcile resolve {workload} --lost --evidence TEXT"
    holder = markers.get(holders[0])
    if committed or (holder is not None and holder.role == "source"):
        return ""
    return f"reconcile resolve {workload} --owner {holders[0]} --evidence TEXT"


def _standing(
    name: str, markers: Mapping[str, Marker], run: Run | None, world: World, left: Mapping[str, Alive] | None
) -> Standing:
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
    if left is not None and (instead := way_out(name, left, markers)):
        owns, then = "", instead
    return Standing(
        workload=name,
        phase=newest.phase if newest else (run.state.value if run else ""),
        owner=owns,
        where=phases,
        since=run.started_at if run else 0.0,
        run=run.id if run else (newest.run if newest else ""),
        next=then,
    )
