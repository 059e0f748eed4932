"""What a plan says of a checkpoint that it takes."""

from __future__ import annotations

from pydantic import Field, JsonValue

from reconciler.model.base import Duration, Model
from reconciler.model.checkpoint import KeptAt, TakenFrom
from reconciler.model.restic import ResticStore


class PlannedBeside(Model):
    """A copy of a checkpoint that is made beside the successor of what it was taken of, once that is well."""

    name: str = Field(description="As hosts know the copy")
    host: str
    ttl: Duration


class PlannedCapture(Model):
    """One checkpoint of what runs. Its ID is that of the run that takes it."""

    host: str = Field(description="The host that the workload runs on")
    keeper: str = Field(description="The host that keeps it")
    folder: str = Field(description="The folder there")
    store: str = Field("", description="The name of the store, where a spec defines it")
    repository: ResticStore | None = Field(None, description="What it is kept in, where that is no folder")
    epoch: int = Field(description="The epoch that the workload is frozen under; going on has the next one")
    freeze_limit: Duration
    tcp: str = ""
    came_from: TakenFrom
    memory_bytes: int = 0
    rootfs_bytes: int = Field(0, description="What it changed in its root filesystem")
    goes_back: bool = Field(False, description="What comes after it goes back to it when it fails")
    beside: PlannedBeside | None = None
    made_from: dict[str, JsonValue] = Field({}, description="The spec, with what the container was made from")

    @property
    def at(self) -> KeptAt:
        return KeptAt(self.keeper, self.folder, self.store, self.repository)
