"""What a container sees of files that are not its image's: binds, volumes, memory, secrets."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, Strict, model_validator

from reconciler.model.base import Model, Name, Size
from reconciler.model.fields import ENV_NAME, ONE_LINE, FileMode, Flag, Path, Target

STAYS = (
    *("/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/media", "/mnt", "/opt", "/proc", "/root"),
    *("/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/var", "/var/lib", "/var/log", "/var/run", "/usr/local"),  # noqa: S108
)
"""Folders that hosts need themselves."""
STAYS_WITH_ALL = ("/boot", "/dev", "/proc", "/run", "/sys", "/usr", "/var/lib/containers", "/var/lib/reconciler")
"""Those of which no part can go either."""


class Mount(Model):
    """A bind mount. The source must exist on every host the workload may run on, or goes along with it."""

    source: Path
    target: Target
    read_only: Flag = False
    move: Flag = Field(
        False,
        description="The folder goes along like a volume: it is the workload's own, and removed where it was",
    )
    shared: Flag = Field(
        False,
        description="Both hosts mount the same storage there: nothing is copied, and a move proves it first",
    )
    relabel: Literal["shared", "private"] | None = Field(
        None, description="SELinux: give the source a label that containers may use, of all or of this one"
    )

    @model_validator(mode="after")
    def _its_own(self) -> Self:
        if self.move and (
            self.source in ("/", *STAYS) or self.source.startswith(tuple(f"{top}/" for top in STAYS_WITH_ALL))
        ):
            raise ValueError(f"`move` takes a folder away from the host, which needs {self.source} itself")
        if self.move and self.shared:
            raise ValueError("`move` and `shared` contradict: what is shared is there already, and never removed")
        return self


class VolumeMount(Model):
    """A named volume; it moves with its workload."""

    name: Name
    target: Target
    read_only: Flag = False


class Tmpfs(Model):
    """A file system in memory; what is in it moves with the workload."""

    target: Target
    size: Size | None = Field(None, description="Default: half of the host's memory")
    mode: FileMode | None = Field(None, description="Default: 1777")
    exec: Flag = Field(False, description="Whether programs in it may be run")


class SecretRef(Model):
    """Where a secret's value is: a variable or a file of the controller. Never the value itself."""

    from_env: Annotated[str, Field(pattern=ENV_NAME)] | None = None
    from_file: Annotated[str, Field(pattern=ONE_LINE)] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.from_env is None) == (self.from_file is None):
            raise ValueError("give exactly one of `fromEnv` and `fromFile`")
        return self


Id = Annotated[int, Strict(), Field(ge=0, le=2**32 - 2)]


class SecretFile(SecretRef):
    """A secret that the container reads as a file."""

    mode: FileMode = "0444"
    uid: Id = 0
    gid: Id = 0
