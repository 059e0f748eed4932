"""Folders of the host that go along with a workload: claimed on both hosts, dropped where they are no more. What a
host's script does and refuses is in `folder.sh`."""

from __future__ import annotations

from reconciler.criu.tasks import shell
from reconciler.errors import CommandFailed, Refused
from reconciler.guard import guard
from reconciler.model.command import Fence, Program, Seconds
from reconciler.model.container import Mount
from reconciler.model.handover import Handover
from reconciler.model.plan import Phase

LIMIT: Seconds = 600.0
_NOT_OURS = 3
"""How `folder.sh` ends at what is no folder of the workload's."""
Phases = tuple[Phase | str, ...] | str


def of(handover: Handover) -> tuple[Mount, ...]:
    """In the order of where they are mounted, which is the same on both hosts."""
    return tuple(sorted((m for m in handover.workload.spec.mounts if m.move), key=lambda m: m.target))


def own(handover: Handover) -> Program[None]:
    """On the source: they are the workload's."""
    yield from _each(handover, handover.fence, "own", (Phase.RESERVED,))


def take(handover: Handover, undone: str) -> Program[None]:
    """On the destination: empty ones. `undone`: the run of a hand-over that was put back, whose files are void."""
    yield from _each(handover, handover.fence, "take", (Phase.RESERVED,), undone)


def drop(handover: Handover, fence: Fence, phases: Phases) -> Program[None]:
    """What this run has claimed on this host goes."""
    yield from _each(handover, fence, "drop", phases)


def _each(handover: Handover, fence: Fence, what: str, phases: Phases, undone: str = "") -> Program[None]:
    for mount in of(handover):
        argv = shell("folder", what, mount.source, handover.name, handover.run, undone)
        try:
            yield from guard.run(fence, phases, argv, timeout=LIMIT)
        except CommandFailed as error:
            if error.status != _NOT_OURS:
                raise
            raise Refused(
                f"{error.stderr.strip() or mount.source}, and nothing was done with it",
                code="P442",
                where=error.where,
                fix=f"look at {mount.source} there and move it out of the way, then plan again",
            ) from error
