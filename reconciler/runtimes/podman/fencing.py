"""Does a copy run here, and making sure that none does."""

from __future__ import annotations

from reconciler.criu import standing
from reconciler.criu.tasks import end_argv, living, spoke, stop_pages_argv
from reconciler.errors import CommandFailed, ReplyLost
from reconciler.guard import guard
from reconciler.model.command import Command, Fence, Program, Seconds
from reconciler.model.plan import Phase
from reconciler.model.world import ContainerFacts
from reconciler.runtimes.base import Alive, Handover
from reconciler.runtimes.podman import containers, moving, paths

WHEN_ENDED: Seconds = 5.0
"""How long Podman is waited for when the kernel has proved already that nothing runs. The source stays frozen
meanwhile."""


def alive(workload: str) -> Program[Alive]:
    if (known := (yield from standing.by_hook(workload))) is not None:
        return known
    facts = yield from moving.copy_here(workload)
    if facts is None:
        return Alive(exists=False, running=False, detail="no container")
    processes = yield from living(containers.tasks_of(facts))
    images = yield Command(("test", "-s", f"{containers.tasks_of(facts).images}/inventory.img"), ok=(0, 1))
    return Alive(
        exists=True,
        running=facts.state.has_processes or bool(processes),
        restorable=images.status == 0,
        pid=facts.pid,
        detail=facts.state.value,
    )


def fence_off(handover: Handover, epoch: int) -> Program[bool]:
    name, fence = handover.name, Fence(handover.name, epoch)
    if (yield from standing.raise_fence(handover, fence)):
        return False
    noted = yield from moving.saved(name)
    ended = noted is not None and not (yield from _end(fence, noted))
    try:
        facts = yield from moving.copy_here(name, WHEN_ENDED if ended else containers.INSPECT_LIMIT)
    except (CommandFailed, ReplyLost):
        if noted is None or not ended:
            raise
        # Podman hangs. By the kernel, what was staged does not run; the marker keeps it so.
        yield from guard.run(fence, (Phase.FENCED,), stop_pages_argv(containers.tasks_of(noted)))
        return (yield from spoke(containers.tasks_of(noted), paths.saved_inspection(name)))
    if facts is None:
        return True  # somebody has removed it: nobody knows what it did before
    # Under the fence: what a later hand-over restores here meanwhile must not be ended.
    yield from guard.run(fence, (Phase.FENCED,), stop_pages_argv(containers.tasks_of(facts)))
    left = yield from _end(fence, facts)
    if facts.state.has_processes and not left:
        yield from guard.run(fence, (Phase.FENCED,), ("podman", "wait", "--", facts.id), ok=(0, 125))
        facts = (yield from moving.copy_here(name)) or facts
        left = yield from living(containers.tasks_of(facts))
    if left:
        raise CommandFailed(
            f"a copy of {name} still runs on {handover.move.destination}",
            code="C317",
            why=f"Podman says {facts.state.value}; processes: {', '.join(left)}",
            fix=f"end it there by hand: podman kill {facts.name}",
        )
    return (yield from spoke(containers.tasks_of(facts), paths.saved_inspection(name)))


def _end(fence: Fence, facts: ContainerFacts) -> Program[list[str]]:
    """Kill a container's processes by the kernel's list of them; what lives nevertheless."""
    ended = yield from guard.run(fence, (Phase.FENCED,), end_argv(containers.tasks_of(facts)))
    return ended.stdout.splitlines()
