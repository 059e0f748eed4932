"""What a runtime can be asked for whose memory follows a restore: one of the abilities of `runtimes.base`."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from reconciler.model.command import Bytes, Program
from reconciler.model.handover import Handover
from reconciler.model.world import OnDisk


@runtime_checkable
class PostCopies(Protocol):
    """Restores before memory has arrived, which then follows from the source."""

    def missing(self, handover: Handover) -> Program[Bytes]:
        """On the destination: how much has not arrived after waiting a little; CommandFailed when it never can."""
        ...

    def persist(self, handover: Handover) -> Program[OnDisk]:
        """On the source, where the policy says `persist`: its images get on its disk, in the background; after a
        loss of power, what is there is put back, so that memory goes on to follow. CommandFailed when there is no
        room, or nothing left."""
        ...
