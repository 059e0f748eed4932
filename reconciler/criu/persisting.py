"""Images of a source on its disk, while its memory follows: what makes a post-copy outlast a loss of its power."""

from __future__ import annotations

from reconciler.core.answers import number
from reconciler.criu.tasks import Tasks, shell
from reconciler.guard import guard
from reconciler.model.command import Bytes, Fence, Program, Seconds
from reconciler.model.handover import Handover
from reconciler.model.plan import Phase
from reconciler.model.world import OnDisk
from reconciler.resources import host_script

_START: Seconds = 60.0
_READ_RATE = 20e6
"""Bytes per second that any disk can be read with, when what is on it is summed."""
_COMMITTED, _HELD = (Phase.COMMITTED,), (Phase.HELD,)


def is_wanted(handover: Handover) -> bool:
    return handover.move.drains and handover.policy.postcopy.persist


def write(handover: Handover, tasks: Tasks) -> Program[OnDisk]:
    """On a source that was committed: its images get on its disk in the background, or are put back from there
    after it has lost power. CommandFailed when there is no room for them, or they are gone."""
    return (yield from _persist(handover, handover.fence, tasks, _COMMITTED, "write"))


def put_back(handover: Handover, fence: Fence, tasks: Tasks) -> Program[OnDisk]:
    """Before a source goes back to its images: they are put back from disk, where it has lost power."""
    return (yield from _persist(handover, fence, tasks, _HELD, "back"))


def _persist(
    handover: Handover, fence: Fence, tasks: Tasks, phases: tuple[Phase, ...], how: str
) -> Program[OnDisk]:
    argv = shell("persist", tasks.home, handover.run, host_script("criu", "persist", "py"), how)
    limit = _START + handover.move.memory_bytes / _READ_RATE
    done = yield from guard.run(fence, phases, argv, timeout=limit)
    return told(done.stdout) or OnDisk(0, handover.move.memory_bytes, 0)


def told(text: str) -> OnDisk | None:
    """What `persisting.sh` tells; None where nothing of it is on disk."""
    lines = dict(line.split(" ", 1) for line in text.splitlines() if line.startswith(("disk ", "lost ")))
    if "disk" not in lines:
        return None
    written, _, of = lines["disk"].partition(" ")
    lost: Bytes = number(lines.get("lost", "0"), "memory that is lost")
    return OnDisk(number(written, "what is on disk"), number(of, "what is to be on disk"), lost)
