"""The payload of a workload that is a tree of processes without a container engine: what a service manager is
told."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator
from pydantic.alias_generators import to_camel

from reconciler.model.attach import Attach
from reconciler.model.base import Model, Name
from reconciler.model.container import Limits, Mount, NetworkAttachment, RestartPolicy, SecretRef, VolumeMount
from reconciler.model.fields import CONTAINER_USER, EnvName, Flag, Path, Target

HOST_ROOT: Final = "host"
OWN_FOLDER: Final = "/run/reconciler"
"""Inside a tree: what it has of its own and takes along."""
MADE: Final = ("/proc", "/run", "/tmp", "/dev", "/dev/shm")  # noqa: S108  # mount points
"""What a tree has instead of the host's. Nothing can be mounted over them."""
_GROUP: Final = r"^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,63}$"
_DONE: Final = {"source", "target", "read_only", "name", "ip", "mac", "memory", "cpus", "pids"}
"""Of the models that it shares with containers, what a tree of processes has."""
CARRIED_PATH: Final = re.compile(r"/[A-Za-z0-9_.,=@~+/-]{1,4000}", re.ASCII)
"""Of a file that can be carried: it is a word of scripts and of CRIU's options."""


class ProcessTree(Model):
    """A command in namespaces and a control group of its own, or a daemon that runs already (`attach`). A change
    here means that it is started anew."""

    command: list[str] = Field([], description="Program and arguments; the program is found by PATH")
    attach: Attach | None = Field(
        None, description="What runs already, instead of `command`; nothing else can be said of it"
    )
    env: dict[EnvName, str] = {}
    secret_env: dict[EnvName, SecretRef] = {}
    user: Annotated[str, Field(pattern=CONTAINER_USER)] | None = Field(
        None, description="Name or number, and `:GROUP`; it can then gain no rights. Default: root"
    )
    groups: list[Annotated[str, Field(pattern=_GROUP)]] = Field([], description="Further groups of `user`")
    workdir: Path | None = None
    hostname: Name | None = None
    root: Annotated[str, Field(pattern=r"^(host|/[^\x00-\x1f\x7f]*)$")] = Field(
        HOST_ROOT, description="`host`, or a folder that is its root file system and is the same on every host"
    )
    mounts: list[Mount] = []
    volumes: list[VolumeMount] = []
    networks: list[NetworkAttachment] = Field([], max_length=1, description="A macvlan network; without: none")
    host_network: Flag = Field(False, description="It shares the host's network; connections cannot move along")
    limits: Limits = Limits()
    restart: RestartPolicy = Field(
        RestartPolicy.NO, description="By the first process of the tree itself; after a boot see `startAtBoot`"
    )
    files: Literal["same", "carry"] = Field(
        "same",
        description="Executables and libraries that it has mapped have to be the `same` on both hosts; `carry` "
        "sends those along that are not, for it alone to see",
    )
    start_at_boot: Flag = Field(
        False,
        description="Its host starts it again when it boots, by systemd or cron, where it belongs there and was "
        "not stopped; else the next apply does",
    )
    stdout: Target | None = Field(
        None, description=f"File for its output, in a folder that moves; default {OWN_FOLDER}/output"
    )

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.host_network and self.networks:
            raise ValueError("give `networks` or `hostNetwork`, not both")
        if self.files == "carry" and self.root != HOST_ROOT:
            raise ValueError("`files: carry` is for `root: host`; another root is the same folder on every host")
        if self.groups and self.user is None:
            raise ValueError("`groups` need a `user`")
        for part in (*self.mounts, *self.networks, self.limits):
            if others := sorted(name for name, value in part if name not in _DONE and value):
                raise ValueError(f"`{others[0]}` is for containers; a tree of processes has no such thing yet")
        taken = (*MADE, "/", OWN_FOLDER)
        for target in [*(m.target for m in self.mounts), *(v.target for v in self.volumes)]:
            if target in taken or target.startswith(("/proc/", "/dev/", f"{OWN_FOLDER}/")):
                raise ValueError(f"nothing can be mounted on {target}, which a tree has for itself")
        if self.attach is not None:
            self._runs_already()
        elif not any(self.command[:1]):
            raise ValueError("`command` names no program" if self.command else "give `command` or `attach`")
        return self

    def _runs_already(self) -> None:
        for name, field in type(self).model_fields.items():
            if name != "attach" and getattr(self, name) != field.get_default():
                what = f"`{to_camel(name)}` is for what Reconciler starts"
                raise ValueError(f"{what}; what it attaches to is as it was started")

    @property
    def address(self) -> str:
        """Where what it attaches to answers; empty where its host's own address is all there is, or `networks`
        say it."""
        return self.attach.addresses[0].ip if self.attach and self.attach.addresses else ""

    @property
    def carried(self) -> list[Mount]:
        """Folders of the host that go along."""
        folders = self.attach.folders if self.attach else []
        return [Mount(source=folder, target=folder, move=True) for folder in folders]
