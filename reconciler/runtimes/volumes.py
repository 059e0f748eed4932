"""The ordinary way to keep volumes, which carry labels of workload, epoch and run. Only what carries ours is ever
removed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from reconciler.core import owned
from reconciler.errors import CommandFailed
from reconciler.guard import guard
from reconciler.model.command import Command, Fence, Program, Seconds, Tree
from reconciler.model.labels import LABEL_EPOCH, LABEL_RUN, LABEL_WORKLOAD
from reconciler.model.world import VolumeFacts

SYNC_LIMIT: Seconds = 600.0


class LabelledVolumes(ABC):
    """The ability `volumes`, of a runtime that says how it finds, makes and removes one."""

    @abstractmethod
    def volume(self, name: str) -> Program[VolumeFacts | None]: ...

    @abstractmethod
    def making_volume(self, name: str, labels: Mapping[str, str]) -> tuple[tuple[str, ...], bytes]:
        """What makes one, and its stdin."""

    @abstractmethod
    def removing_volume(self, name: str) -> tuple[str, ...]: ...

    @abstractmethod
    def look_into(self, volume: VolumeFacts) -> str:
        """How a person looks into a volume, said behind its name."""

    @abstractmethod
    def save_and_remove(self, volume: VolumeFacts) -> str:
        """How a person gets rid of a volume without loss, said at the end of a sentence."""

    def check_free(self, name: str, fence: Fence, run: str) -> Program[bool]:
        """Whether there is no volume of that name yet; one that this run has made is fine, any other refused."""
        found = yield from self.volume(name)
        if found is None:
            return True
        self._check_owner(found, fence.workload)
        owned.check_made_by(found, fence, run, self.save_and_remove(found))
        return False

    def create_volume(self, name: str, fence: Fence, run: str) -> Program[None]:
        if not (yield from self.check_free(name, fence, run)):
            return
        labels = {LABEL_WORKLOAD: fence.workload, LABEL_EPOCH: str(fence.epoch), LABEL_RUN: run}
        argv, stdin = self.making_volume(name, labels)
        yield from guard.run(fence, guard.ANY, argv, stdin=stdin)

    def locate_volume(self, name: str, workload: str) -> Program[Tree]:
        found = yield from self.volume(name)
        if found is None or not found.mountpoint:
            raise CommandFailed(f"the volume {name} of {workload} is not there, or not a folder", code="C350")
        self._check_owner(found, workload)
        return Tree("volume", found.mountpoint, name=name)

    def keep_volume(self, tree: Tree) -> Program[None]:
        yield Command(("sync", "-f", "--", tree.path), timeout=SYNC_LIMIT, changes=True)

    def remove_volume(self, name: str, fence: Fence, made_by: str = "") -> Program[None]:
        found = yield from self.volume(name)
        if found is None or (made_by and found.labels.get(LABEL_RUN) != made_by):
            return
        self._check_owner(found, fence.workload)
        yield from guard.run(fence, guard.ANY, self.removing_volume(name))

    def drop_volume(self, name: str, fence: Fence) -> Program[None]:
        """Remove a volume of the workload's at the end of a hand-over; one of that name that is a stranger's
        stays."""
        found = yield from self.volume(name)
        if found is not None and found.labels.get(LABEL_WORKLOAD) == fence.workload:
            yield from self.remove_volume(name, fence)

    def _check_owner(self, volume: VolumeFacts, workload: str) -> None:
        owned.check_owner(volume, workload, self.look_into(volume))
