"""Checkpoints that are kept: what each says of itself, and where it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from reconciler.model.base import Model, Name, digest
from reconciler.model.checkpointing import DEFAULT_FOLDER
from reconciler.model.command import Bytes
from reconciler.model.restic import ResticStore
from reconciler.model.units import TIME_ENDS

FORMAT = 1
LAST_EPOCH = 2**53
"""Hosts count on from there, in shells and in JSON."""
MOST_BYTES = 2**63 - 1
_PLAIN = re.compile(r"[A-Za-z0-9._-]+")
CheckpointId = Annotated[str, Field(pattern=r"^[0-9a-z][0-9a-z-]{3,40}$")]
FileName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.]{0,40}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class KeptFile(Model):
    """One file of a checkpoint."""

    name: FileName
    bytes: int = Field(ge=0, le=MOST_BYTES)
    sha256: Sha256


class KeptTree(Model):
    """A folder in a checkpoint: its root filesystem's difference, or a volume by where it is mounted."""

    kind: Literal["rootfs", "volume"]
    target: str = ""


class TakenFrom(Model):
    """Where a checkpoint comes from: what it needs to be restored, as far as a host can know. `host` is empty
    for one that others have taken: then nobody knows."""

    host: str
    runtime: str
    oci_runtime: str = ""
    image: str = ""
    image_id: str = ""
    versions: dict[str, str] = Field({}, description="By program, as they were where its runtime was at work")
    arch: str = ""
    cpu_flags: tuple[str, ...] = ()
    cgroup_version: int = 0
    container_id: str = ""


class Manifest(Model):
    """What a checkpoint says of itself. `seal` is the digest of all else. `spec`: the workload's at that time, to
    be looked at only: what may run is said by the specs of the day it is restored."""

    format: Literal[1] = 1
    id: CheckpointId
    workload: Name
    epoch: int = Field(ge=0, le=LAST_EPOCH)
    taken_at: float = Field(ge=0, lt=TIME_ENDS)
    frozen_s: float = Field(ge=0, lt=TIME_ENDS)
    commit: str | None = None
    dirty: bool = False
    tcp: str = ""
    came_from: TakenFrom
    memory_bytes: int = Field(0, ge=0, le=MOST_BYTES, description="Of images, before they were compressed")
    trees: tuple[KeptTree, ...] = ()
    files: tuple[KeptFile, ...]
    spec: dict[str, JsonValue] = {}
    seal: str = ""

    @property
    def bytes(self) -> Bytes:
        """What it takes in its store."""
        return sum(file.bytes for file in self.files)

    @property
    def imported(self) -> bool:
        """Whether others have taken it: nobody knows from which spec, and on what host."""
        return not self.came_from.host

    @property
    def whole(self) -> bool:
        """Whether it is as it was sealed."""
        return self.seal == self.digest

    @property
    def digest(self) -> str:
        return digest(self.model_dump(mode="json", by_alias=True, exclude={"seal"}))

    def sealed(self) -> Manifest:
        return self.model_copy(update={"seal": self.digest})

    @property
    def text(self) -> str:
        """One line, for its store."""
        return self.model_dump_json(by_alias=True)


@dataclass(frozen=True)
class KeptAt:
    """A folder of checkpoints on a host. `name`: of the store that a spec defines; empty for one it does not.
    `repository`: what they are in, where that is no folder; the folder is where they are while they are used."""

    host: str
    folder: str = DEFAULT_FOLDER
    name: str = ""
    repository: ResticStore | None = None

    def __str__(self) -> str:
        return self.name or (self.host if self.folder == DEFAULT_FOLDER else f"{self.host}:{self.folder}")

    def of(self, workload: str, checkpoint: str) -> str:
        """The folder of one checkpoint."""
        return f"{self.folder}/{workload}/{checkpoint}"


@dataclass(frozen=True)
class KeptRehearsal:
    """How a checkpoint was rehearsed last. `at`: seconds since the epoch; `host`: where, empty where it came to
    none; `why`: what was wrong, empty when all was well."""

    at: float
    host: str = ""
    why: str = ""

    @property
    def ok(self) -> bool:
        return not self.why


@dataclass(frozen=True)
class Kept:
    """One checkpoint in a store. `broken`: why it is none that can be used; then there is no manifest."""

    at: KeptAt
    workload: str
    id: str
    pinned: bool = False
    manifest: Manifest | None = None
    broken: str = ""
    rehearsed: KeptRehearsal | None = None

    @property
    def folder(self) -> str:
        return self.at.of(self.workload, self.id)

    @property
    def named(self) -> bool:
        """Whether a command can name it; else a hand has made it, and not all of its name is shown."""
        return bool(_PLAIN.fullmatch(self.workload) and _PLAIN.fullmatch(self.id))
