"""What a person's decision asks of a runtime, also of one that moves by itself: that has no frozen source, no
images and no commit of ours, so that its instances are only stopped, started, kept and dropped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from reconciler.errors import CommandFailed
from reconciler.guard import guard
from reconciler.model.command import Fence, Program
from reconciler.model.plan import Phase
from reconciler.model.spec import Workload
from reconciler.runtimes.base import Handover, SelfMover


class EndsHandovers(Protocol):
    """The methods of `Lifecycle` and `Transactional` that end a hand-over on a person's word."""

    def start(self, workload: Workload, fence: Fence) -> Program[None]: ...

    def resume(self, handover: Handover, fence: Fence) -> Program[str]: ...

    def unstage(self, handover: Handover) -> Program[None]: ...

    def commit_destination(self, handover: Handover) -> Program[None]: ...

    def restore(self, handover: Handover) -> Program[None]: ...

    def confirm(self, handover: Handover) -> Program[None]: ...

    def retire(self, handover: Handover) -> Program[None]: ...

    def finish(self, handover: Handover) -> Program[None]: ...

    def fence_off(self, handover: Handover, epoch: int) -> Program[bool]: ...

    def hang_up(self, handover: Handover) -> Program[None]: ...


@dataclass(frozen=True)
class ByLifecycle:
    """The same, of a runtime that moves by itself."""

    runtime: SelfMover

    def start(self, workload: Workload, fence: Fence) -> Program[None]:
        return self.runtime.start(workload, fence)

    def resume(self, handover: Handover, fence: Fence) -> Program[str]:
        """It belongs here: its move is ended, and it runs, or is started."""
        yield from guard.mark(fence, Phase.RUNNING, "owner")
        yield from self.runtime.keep(handover, fence)
        yield from self.runtime.start(handover.workload, fence)
        return ""

    def unstage(self, handover: Handover) -> Program[None]:
        yield from self.runtime.drop(handover, handover.fence)

    def commit_destination(self, handover: Handover) -> Program[None]:
        yield from guard.mark(handover.fence, Phase.RUNNING, "owner")

    def restore(self, handover: Handover) -> Program[None]:
        yield from self.runtime.start(handover.workload, handover.fence)

    def confirm(self, handover: Handover) -> Program[None]:
        yield from guard.mark(handover.fence, Phase.RUNNING, "owner")
        yield from self.runtime.keep(handover, handover.fence)

    def retire(self, handover: Handover) -> Program[None]:
        yield from guard.mark(handover.fence, Phase.RETIRED, "source")
        yield from self.runtime.drop(handover, handover.fence)

    def finish(self, handover: Handover) -> Program[None]:
        yield from ()

    def fence_off(self, handover: Handover, epoch: int) -> Program[bool]:
        """Nothing may start it here any more, and what runs of it is stopped. Answers whether it ran."""
        there = yield from self.runtime.alive(handover.name)
        fence = Fence(handover.name, epoch)
        yield from guard.mark(fence, Phase.FENCED, "source")
        yield from self.runtime.stop(handover.name, fence)
        if (yield from self.runtime.alive(handover.name)).running:
            raise CommandFailed(f"{handover.name} still runs", code="C346")
        return there.running

    def hang_up(self, handover: Handover) -> Program[None]:
        yield from ()
