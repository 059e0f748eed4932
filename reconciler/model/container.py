"""The payload of a workload that is a container: what `podman run` or a compose service is told."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, Strict, model_validator

from reconciler.model.base import Model, Name, Size
from reconciler.model.fields import (
    CONTAINER_USER,
    ENV_NAME,
    ONE_LINE,
    AnnotationKey,
    Capability,
    EnvName,
    Flag,
    Image,
    IPAddress,
    Mac,
    Path,
    Port,
    StaticAddress,
    Target,
)


class NetworkAttachment(Model):
    """A network the container joins; the network must exist on the host unless `create` says how."""

    name: Name
    ip: StaticAddress | None = None
    mac: Mac | None = None


class Mount(Model):
    """A bind mount; the source must exist on every host the workload may run on."""

    source: Path
    target: Target
    read_only: Flag = False


class VolumeMount(Model):
    """A named volume; it moves with its workload."""

    name: Name
    target: Target
    read_only: Flag = False


class PublishedPort(Model):
    container: Port
    host: Port
    protocol: Literal["tcp", "udp"] = "tcp"
    address: IPAddress | None = None


class SecretRef(Model):
    """Where a secret's value is: a variable or a file of the controller. Never the value itself."""

    from_env: Annotated[str, Field(pattern=ENV_NAME)] | None = None
    from_file: Annotated[str, Field(pattern=ONE_LINE)] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.from_env is None) == (self.from_file is None):
            raise ValueError("give exactly one of `fromEnv` and `fromFile`")
        return self


class Limits(Model):
    memory: Size | None = None
    cpus: Annotated[float, Strict(), Field(gt=0, le=4096, allow_inf_nan=False)] | None = None
    pids: Annotated[int, Strict(), Field(gt=0, le=4_194_304)] | None = None


class RestartPolicy(StrEnum):
    NO = "no"
    ON_FAILURE = "on-failure"
    ALWAYS = "always"
    UNLESS_STOPPED = "unless-stopped"


class Container(Model):
    """What runs. A change here means the container is made anew."""

    image: Image
    command: list[str] = []
    entrypoint: list[str] | None = None
    env: dict[EnvName, str] = {}
    secret_env: dict[EnvName, SecretRef] = {}
    user: Annotated[str, Field(pattern=CONTAINER_USER)] | None = None
    workdir: Path | None = None
    hostname: Name | None = None
    mounts: list[Mount] = []
    volumes: list[VolumeMount] = []
    networks: list[NetworkAttachment] = []
    ports: list[PublishedPort] = []
    limits: Limits = Limits()
    restart: RestartPolicy = RestartPolicy.NO
    annotations: dict[AnnotationKey, str] = {}
    oci_runtime: Literal["runc", "crun"] | None = Field(None, description="Default: runc where it is installed")
    read_only: Flag = False
    cap_add: list[Capability] = []
    cap_drop: list[Capability] = []
