"""Does a copy run here, and making sure that none does."""

from __future__ import annotations

from dataclasses import replace

from reconciler.criu import standing
from reconciler.criu.tasks import end_argv, living, spoke, stop_pages_argv
from reconciler.errors import CommandFailed, ReplyLost
from reconciler.guard import guard
from reconciler.model.command import Fence, Program
from reconciler.model.plan import Phase
from reconciler.model.world import ContainerFacts
from reconciler.runtimes.base import Alive, Handover
from reconciler.runtimes.oci.engine import saved_inspection
from reconciler.runtimes.oci.moving import EngineMoves

_FENCED = (Phase.FENCED,)


class EngineFencing(EngineMoves):
    """By the kernel first, which answers also where the engine does not."""

    def bar(self, fence: Fence, facts: ContainerFacts) -> Program[None]:
        """Make a restore end that the engine goes on with although nobody waits for it any more."""
        yield from ()

    def alive(self, workload: str) -> Program[Alive]:
        if (known := (yield from standing.by_hook(workload))) is not None:
            noted = (yield from self.saved(workload)) if known.frozen else None
            kept = (yield from standing.images(self.tasks_of(noted))).on_disk if noted else None
            return replace(known, on_disk=kept)
        facts = yield from self.copy_here(workload)
        if facts is None:
            return Alive(exists=False, running=False, detail="no container")
        processes = yield from living(self.tasks_of(facts))
        images = yield from standing.images(self.tasks_of(facts))
        return Alive(
            exists=True,
            running=facts.state.has_processes or bool(processes),
            restorable=images.restorable,
            following=images.following,
            on_disk=images.on_disk,
            pid=facts.pid,
            detail=facts.state.value,
        )

    def fence_off(self, handover: Handover, epoch: int) -> Program[bool]:
        name, fence, where = handover.name, Fence(handover.name, epoch), handover.move.destination
        if (yield from standing.raise_fence(handover, fence)):
            return False
        noted = yield from self.saved(name)
        ended = noted is not None and not (yield from self._end(fence, noted))
        try:
            facts = yield from self.copy_here(name, self.WHEN_ENDED if ended else 0)
        except (CommandFailed, ReplyLost):
            if noted is None or not ended:
                raise
            return (yield from self._spoke(noted, name))  # what was staged does not run; the marker keeps it so
        if facts is None:
            return True  # somebody has removed it: nobody knows what it did before
        left = yield from self._end(fence, facts)
        if facts.state.has_processes and not left:
            yield from guard.run(fence, _FENCED, self.command("wait", facts.id), ok=(0, 1, 125))
            facts = (yield from self.copy_here(name)) or facts
            left = yield from living(self.tasks_of(facts))
        if left:
            raise CommandFailed(
                f"a copy of {name} still runs on {where}",
                code="C317",
                why=f"{self.TITLE} says {facts.state.value}; processes: {', '.join(left)}",
                fix=f"end it there by hand: {self.NAME} kill {facts.name}",
            )
        return (yield from self._spoke(facts, name))

    def _spoke(self, facts: ContainerFacts, workload: str) -> Program[bool]:
        return (yield from spoke(self.tasks_of(facts), saved_inspection(workload)))

    def _end(self, fence: Fence, facts: ContainerFacts) -> Program[list[str]]:
        """Kill a container's processes by the kernel's list of them; what lives nevertheless. Under the fence:
        what a later hand-over restores here meanwhile must not be ended."""
        tasks = self.tasks_of(facts)
        yield from self.bar(fence, facts)
        yield from guard.run(fence, _FENCED, stop_pages_argv(tasks))
        ended = yield from guard.run(fence, _FENCED, end_argv(tasks))
        return ended.stdout.splitlines()
