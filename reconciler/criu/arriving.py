"""The side a workload comes to, as far as it is the same for every runtime that moves by CRIU: whether the host
may be taken, what an earlier try has left, and the marks. What makes and removes an instance is the runtime's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from reconciler.criu import config
from reconciler.errors import GuardRefused, Refused
from reconciler.guard import guard
from reconciler.model.command import Bytes, Fence, Program
from reconciler.model.handover import Handover
from reconciler.model.plan import Phase
from reconciler.model.spec import Strategy
from reconciler.model.world import Instance, Marker

RESERVED = (Phase.RESERVED,)
UNDONE = (guard.NONE, Phase.RESERVED, Phase.FENCED, Phase.RETIRED)
"""Phases in which what was staged here may be taken away again."""
Phases = tuple[Phase | str, ...]


@dataclass(frozen=True)
class VolumeRoom:
    """The volumes of a runtime on a host: `check_free` refuses one of that name with data of its own, `remove`
    takes away one that a run has made."""

    names: Iterable[str]
    check_free: Callable[[str, Fence, str], Program[bool]]
    remove: Callable[[str, Fence, str], Program[None]]


@dataclass(frozen=True)
class Arrival:
    """How a host was taken. `again`: an earlier try of the same move has made the instance already. `undone`: the
    run of a hand-over to this host that was put back; empty when there was none."""

    again: bool
    undone: str


def take(
    handover: Handover,
    old: Instance | None,
    *,
    whole: bool,
    discard: Callable[[Phases], Program[None]],
    volumes: VolumeRoom,
) -> Program[Arrival]:
    """Reserve the host for a move. `old`: what is there of the workload; `whole`: it is as `stage` leaves it.
    Where the mark does not say that this move has staged it, `discard` takes it away."""
    name, move, fence = handover.name, handover.move, handover.fence
    if old is not None and old.state.has_processes:
        raise Refused(f"a copy of {name} runs on {move.destination} already", code="P439", fix="plan again")
    marker = yield from guard.marker(name)
    arrival = Arrival(old is not None and whole and _begun(handover, marker), _undone(marker))
    if not arrival.again:
        if old is not None:
            yield from discard((*guard.SETTLED, Phase.RESERVED))
        yield from _make_way(handover, arrival.undone, volumes)
    yield from guard.mark(fence, Phase.RESERVED, "destination", run=handover.run, peer=move.source)
    return arrival


def _begun(handover: Handover, marker: Marker | None) -> bool:
    expected = (handover.fence.epoch, Phase.RESERVED, "destination")
    return marker is not None and (marker.epoch, marker.phase, marker.role) == expected


def _undone(marker: Marker | None) -> str:
    left = marker and marker.role == "destination" and marker.phase in (Phase.FENCED, Phase.RESERVED)
    return marker.run if marker and left else ""


def _make_way(handover: Handover, undone: str, volumes: VolumeRoom) -> Program[None]:
    """Volumes that a hand-over has left here which was undone are void, and go. Any other with data of its own is
    a refusal, before this host is told of the hand-over."""
    for volume in volumes.names:
        if undone:
            yield from volumes.remove(volume, handover.fence, undone)
        yield from volumes.check_free(volume, handover.fence, handover.run)


def be_ready(handover: Handover, *more: str) -> Program[None]:
    """What CRIU is told by the restore, `more` lines of the runtime's; until then none can be typed by hand."""
    lazy = ("lazy-pages",) if handover.move.follows else ()
    yield from config.allow_restore(handover.name, *lazy, *(yield from config.for_restore(handover)), *more)
    yield from config.forbid_restore(handover.name)


def expected(handover: Handover) -> Bytes:
    """Memory to be got ahead for images; in rounds they come one by one, and what follows does not come yet."""
    ahead = handover.move.strategy not in (Strategy.PRECOPY, Strategy.POSTCOPY)
    return handover.move.memory_bytes if ahead else 0


def commit(handover: Handover) -> Program[None]:
    """Clients wait: nothing is asked before the guard has refused."""
    fence = handover.fence
    try:
        yield from guard.mark(fence, Phase.COMMITTED, "destination", run=handover.run, peer=handover.move.source)
    except GuardRefused:
        marker = yield from guard.marker(handover.name)
        if marker is None or (marker.epoch, marker.phase) != (fence.epoch, Phase.RUNNING):
            raise


def fence_here(handover: Handover) -> Program[Fence]:
    """The move's epoch, or the higher one this host was fenced with."""
    marker = yield from guard.marker(handover.name)
    if marker is not None and marker.phase == Phase.FENCED and marker.epoch > handover.fence.epoch:
        return Fence(handover.name, marker.epoch)
    return handover.fence


def is_passed_on(handover: Handover) -> Program[bool]:
    """Whether a later hand-over has the workload by now: what is here is that one's."""
    marker = yield from guard.marker(handover.name)
    return marker is not None and marker.epoch > handover.fence.epoch
