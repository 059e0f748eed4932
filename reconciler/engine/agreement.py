"""What one host remembers of a hand-over is not done on another on its word alone: a dossier names commands that
run as root on both. Both hosts have kept the same one, or nothing was frozen yet and there is only to undo, or the
other says itself that the workload has gone on since."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.errors import HostError
from reconciler.guard import dossier
from reconciler.hosts.base import Fleet, pump
from reconciler.model.plan import Phase, Plan
from reconciler.model.world import Marker, World

UNDOABLE = (Phase.RESERVED, Phase.FENCED, Phase.RUNNING, Phase.RETIRED)
"""Phases of markers with which no hand-over goes on: at most it is undone."""


async def agreed(
    workload: str, host: str, kept: tuple[str, Plan], markers: Mapping[str, Marker], fleet: Fleet, world: World
) -> Plan:
    """The part of a host's dossier that concerns the workload; HostError when it reaches further than the two
    hosts of its move, or the other one, asked now, has kept another."""
    run, plan = kept
    part = dossier.part_of(plan, workload)
    move = part.moves[workload]
    if move.comeback:
        return _of_comeback(workload, host, part)
    pair = {move.source, move.destination}
    if host not in pair or {name for step in part.steps for name in (step.host, step.peer) if name} - pair:
        raise _differ(workload, host, "it names other hosts than those of the move")
    other = (pair - {host}).pop()
    if other not in world.seen():
        return part
    theirs = await pump(dossier.read(workload), fleet.host(other))
    if theirs is not None and theirs[0] == run:
        if dossier.part_of(theirs[1], workload) != part:
            raise _differ(workload, host, f"{other} has kept another plan of the same run")
    elif not _gone_on(markers.get(other), part, workload) and any(
        m.phase not in UNDOABLE for m in markers.values()
    ):
        raise _differ(workload, host, f"{other} has kept none of that run, though it went on past the reservation")
    return part


def _of_comeback(workload: str, host: str, part: Plan) -> Plan:
    """Of a workload that comes back from a checkpoint only the host that gets it knows: what it remembers is done
    there and nowhere else."""
    if host != part.moves[workload].destination:
        raise _differ(workload, host, "it is not the host that the workload was to come back on")
    here = tuple(step.model_copy(update={"peer": None}) for step in part.steps if step.host == host)
    kept = {step.id for step in here}
    needing = (
        step.model_copy(update={"needs": tuple(need for need in step.needs if need in kept)}) for step in here
    )
    return part.model_copy(update={"steps": tuple(needing)})


def _gone_on(marker: Marker | None, part: Plan, workload: str) -> bool:
    return marker is not None and marker.epoch > part.moves[workload].epoch + 1


def _differ(workload: str, host: str, why: str) -> HostError:
    return HostError(
        f"what it remembers of the hand-over of {workload} is not believed",
        code="H216",
        where=host,
        why=why,
        fix=f"find out where it runs, then: reconcile resolve {workload} --owner HOST --evidence TEXT",
    )
