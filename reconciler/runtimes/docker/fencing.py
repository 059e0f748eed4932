"""Does a copy run here, and making sure that none does."""

from __future__ import annotations

from reconciler.criu import standing
from reconciler.criu.tasks import end_argv, living, spoke, stop_pages_argv
from reconciler.errors import CommandFailed, ReplyLost
from reconciler.guard import guard
from reconciler.model.command import Command, Fence, Program
from reconciler.model.plan import Phase
from reconciler.model.world import ContainerFacts
from reconciler.runtimes.base import Alive, Handover
from reconciler.runtimes.docker import containers, moving, places


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
    """By the kernel first, which answers also where Docker does not. A restore that Docker goes on with although
    nobody waits for it any more ends by itself: before its tasks run CRIU's script asks whether it is fenced off,
    and one that begins only now is refused by the marker."""
    name, fence, where = handover.name, Fence(handover.name, epoch), handover.move.destination
    if (yield from standing.raise_fence(handover, fence)):
        return False
    noted = yield from moving.saved(name)
    ended = noted is not None and not (yield from _end(fence, noted))
    try:
        facts = yield from moving.copy_here(name)
    except (CommandFailed, ReplyLost):
        if noted is None or not ended:
            raise
        return (yield from _spoke(noted, name))  # Docker is silent. By the kernel, what was staged does not run
    if facts is None:
        return True  # somebody has removed it: nobody knows what it did before
    left = yield from _end(fence, facts)
    if facts.state.has_processes and not left:
        yield from guard.run(fence, (Phase.FENCED,), ("docker", "wait", facts.id), ok=(0, 1))
        left = yield from living(containers.tasks_of(facts))
    if left:
        raise CommandFailed(
            f"a copy of {name} still runs on {where}",
            code="C317",
            why=f"Docker says {facts.state.value}; processes: {', '.join(left)}",
            fix=f"end it there by hand: docker kill {facts.name}",
        )
    return (yield from _spoke(facts, name))


def _spoke(facts: ContainerFacts, workload: str) -> Program[bool]:
    return (yield from spoke(containers.tasks_of(facts), places.saved_inspection(workload)))


def _end(fence: Fence, facts: ContainerFacts) -> Program[list[str]]:
    """Kill a container's processes by the kernel's list of them; what lives nevertheless."""
    tasks = containers.tasks_of(facts)
    yield from guard.run(fence, (Phase.FENCED,), places.shell("fence", tasks.home))
    yield from guard.run(fence, (Phase.FENCED,), stop_pages_argv(tasks))
    ended = yield from guard.run(fence, (Phase.FENCED,), end_argv(tasks))
    return ended.stdout.splitlines()
