"""What a plan says of a workload that comes back from a checkpoint."""

from __future__ import annotations

from pydantic import Field

from reconciler.model.base import Model
from reconciler.model.checkpoint import CheckpointId, KeptAt, KeptFile, KeptTree
from reconciler.model.restic import ResticStore


class Comeback(Model):
    """A hand-over that has no source but a checkpoint. What may run is said by the specs of the plan; of the
    checkpoint are memory and files only, and the digests they must have."""

    checkpoint: CheckpointId
    host: str = Field(description="The host that keeps it")
    folder: str
    repository: ResticStore | None = Field(None, description="What it is kept in, where that is no folder")
    files: tuple[KeptFile, ...]
    trees: tuple[KeptTree, ...]
    gone: tuple[str, ...] = Field((), description="Hosts that are off for sure, and must not answer")
    evidence: str = Field("", description="How somebody knows that")
    without: tuple[str, ...] = Field((), description="Hosts without its runtime: nothing of it can be there")
    returns: bool = Field(
        False,
        description="It goes back where it was: what ran there is set aside, and starts anew when it cannot; its "
        "volumes are there, and get what the checkpoint has of them",
    )
    copy_of: str = Field(
        "", description="The workload whose checkpoint it is, where what is restored is a copy under another name"
    )
    replaces: bool = Field(False, description="What the destination has of it goes, volumes included")

    @property
    def at(self) -> KeptAt:
        """The store that it is in; without its name where that is a folder."""
        folder = self.folder.rsplit("/", 2)[0]
        return KeptAt(self.host, folder, folder.rpartition("/")[2] if self.repository else "", self.repository)
