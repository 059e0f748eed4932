"""What the guard's hook alone says of a workload that is dumped or held, and the first half of fencing one off."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.criu import config, persisting
from reconciler.criu.tasks import Tasks, shell
from reconciler.guard import guard
from reconciler.model.command import Command, Fence, Program
from reconciler.model.handover import Handover
from reconciler.model.plan import Phase
from reconciler.model.world import Alive, Following, OnDisk


def by_hook(workload: str) -> Program[Alive | None]:
    """How it stands where its hook knows; None: what runs has to be looked at."""
    shown = yield from guard.show(workload)
    hook = shown[0].hook if shown else guard.Hook()
    if hook.state == "held":
        frozen = hook.verdict != "resume"
        detail = "frozen, its images are complete" if frozen else "about to run on"
        return Alive(exists=True, running=not frozen, restorable=frozen, frozen=frozen, detail=detail)
    if hook.state == "starting":
        return Alive(exists=True, running=True, detail="being dumped")
    return None


@dataclass(frozen=True)
class ImagesHere:
    """Of tasks: whether they are here, with all pages, what still follows of those that are not, and what is kept
    on disk of a source's."""

    restorable: bool
    following: Following | None = None
    on_disk: OnDisk | None = None


def images(tasks: Tasks) -> Program[ImagesHere]:
    found = yield Command(shell("restorable", tasks.images), ok=(0, 1, 2))
    words = next((line.split()[1:] for line in found.stdout.splitlines() if line.startswith("missing ")), [])
    told = len(words) == 2 and all(word.isdecimal() for word in words)
    following = Following(int(words[0]), float(words[1])) if told else None
    return ImagesHere(found.status == 0, following, persisting.told(found.stdout))


def raise_fence(handover: Handover, fence: Fence) -> Program[bool]:
    """The marker first: after it, the guard runs nothing under the move's epoch any more. It waits for a command
    that runs at this moment, so a restore under way is over when the marker is written. Answers whether that was
    all: what is held is frozen, and from here on it never resumes by itself."""
    shown = yield from guard.show(handover.name)
    if shown and shown[0].marker is not None and shown[0].marker.role == "source":
        yield from guard.mark(fence, Phase.FENCED, "source", run=handover.run, peer=handover.move.destination)
    else:
        yield from guard.mark(fence, Phase.FENCED, "destination", run=handover.run, peer=handover.move.source)
    if shown and shown[0].hook.state == "held":
        return True
    yield from config.forbid_restore(handover.name)
    return False
