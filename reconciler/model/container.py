"""The payload of a workload that is a container: what an engine or a compose service is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, Strict, model_validator

from reconciler.model.base import Duration, Model, Name, Size
from reconciler.model.container_files import Mount as Mount
from reconciler.model.container_files import SecretFile as SecretFile
from reconciler.model.container_files import SecretRef as SecretRef
from reconciler.model.container_files import Tmpfs as Tmpfs
from reconciler.model.container_files import VolumeMount as VolumeMount
from reconciler.model.container_network import NetworkAttachment as NetworkAttachment
from reconciler.model.container_network import PublishedPort as PublishedPort
from reconciler.model.container_process import Device as Device
from reconciler.model.container_process import HealthProbe as HealthProbe
from reconciler.model.container_process import Limits as Limits
from reconciler.model.container_process import Logging as Logging
from reconciler.model.container_process import OneOrBoth, UlimitName, whole_seconds
from reconciler.model.container_process import RegistryLogin as RegistryLogin
from reconciler.model.container_process import RestartPolicy as RestartPolicy
from reconciler.model.container_process import SecurityOptions as SecurityOptions
from reconciler.model.fields import (
    CONTAINER_USER,
    ONE_LINE,
    AnnotationKey,
    Capability,
    ContainerLabel,
    EnvName,
    Flag,
    Group,
    HostName,
    Image,
    IPAddress,
    Path,
    Platform,
    Resolver,
    Signal,
    SysctlName,
    SysctlValue,
    Target,
    ToHost,
)

REGISTRY_PASSWORD = "registry.password"  # noqa: S105  a name
"""What the password of `registry` is called among a workload's secrets; no variable has a dot in its name."""


SHM = "/dev/shm"  # noqa: S108  in the container
"""Where POSIX shared memory is."""


def _none_for(*defaults: str) -> BeforeValidator:
    """What is so anyway is kept as nothing, so that saying it is no change."""
    return BeforeValidator(lambda value: None if value in defaults else value)


WholeSeconds = Annotated[Duration, AfterValidator(whole_seconds)]


class Container(Model):
    """What runs. A change here means the container is made anew, but for what can change while it runs."""

    image: Image
    pull: Literal["missing", "always", "never"] = Field(
        "missing", description="Whether an image is fetched when the container is made; moves bring theirs along"
    )
    registry: RegistryLogin | None = Field(None, description="Who pulls the image, where that needs a login")
    platform: Platform | None = Field(None, description="Of the image, where it has several, such as linux/arm64")
    command: list[str] = []
    entrypoint: list[str] | None = None
    init: Flag = Field(
        False, description="The engine's small first process, which reaps children and passes signals on"
    )
    env: dict[EnvName, str] = {}
    env_files: list[Annotated[str, Field(pattern=ONE_LINE)]] = Field(
        [], description="Files beside the specs with NAME=value lines, read when specs are; `env` wins"
    )
    secret_env: dict[EnvName, SecretRef] = {}
    secret_files: dict[Target, SecretFile] = Field(
        {}, description="Secrets as files, by where the container reads them"
    )
    user: Annotated[str, Field(pattern=CONTAINER_USER)] | None = None
    group_add: list[Group] = Field([], description="Further groups of its user")
    workdir: Path | None = None
    hostname: Name | None = None
    labels: dict[ContainerLabel, str] = {}
    mounts: list[Mount] = []
    volumes: list[VolumeMount] = []
    tmpfs: list[Tmpfs] = []
    shm_size: Size | None = Field(None, description="Of /dev/shm; default 64MiB")
    devices: list[Device] = []
    network_mode: Annotated[Literal["host", "none"] | None, _none_for("bridge", "private")] = Field(
        None,
        description="`host`: the host's own network. `none`: nothing but lo. Default: `networks`, else a bridge",
    )
    networks: list[NetworkAttachment] = []
    ports: list[PublishedPort] = []
    extra_hosts: dict[HostName, ToHost] = Field({}, description="Names in /etc/hosts")
    dns: list[IPAddress] = []
    dns_search: list[HostName] = []
    dns_options: list[Resolver] = []
    limits: Limits = Limits()
    ulimits: dict[UlimitName, OneOrBoth] = {}
    sysctls: dict[SysctlName, SysctlValue] = Field({}, description="Of its own network and IPC namespace")
    oom_score_adj: Annotated[int, Strict(), Field(ge=-1000, le=1000)] | None = None
    restart: RestartPolicy = RestartPolicy.NO
    restart_retries: Annotated[int, Strict(), Field(ge=1, le=100_000)] | None = Field(
        None, description="With `on-failure`: how often at most"
    )
    stop_signal: Signal | None = None
    stop_timeout: WholeSeconds | None = Field(None, description="Until it is killed; default 10s")
    healthcheck: HealthProbe | None = None
    logging: Logging | None = None
    tty: Flag = False
    stdin_open: Flag = False
    annotations: dict[AnnotationKey, str] = {}
    oci_runtime: Literal["runc", "crun"] | None = Field(None, description="Default: runc where it is installed")
    read_only: Flag = False
    cap_add: list[Capability] = []
    cap_drop: list[Capability] = []
    privileged: Flag = Field(False, description="All rights and devices of the host; such a container cannot move")
    security_opt: SecurityOptions = SecurityOptions()
    userns: Annotated[Literal["auto"] | None, _none_for("host", "")] = None
    ipc: Annotated[Literal["private", "host", "none"] | None, _none_for("shareable")] = None
    pid: Annotated[Literal["host"] | None, _none_for("private")] = None
    uts: Annotated[Literal["host"] | None, _none_for("private")] = None

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if problems := list(_contradictions(self)):
            raise ValueError("; ".join(problems))
        return self

    @property
    def restart_option(self) -> str:
        """The policy with its count, as runtimes take it: `on-failure:3`."""
        retries = f":{self.restart_retries}" if self.restart_retries is not None else ""
        return f"{self.restart.value}{retries}"

    @property
    def secrets(self) -> dict[str, SecretRef]:
        """All that is kept on a host for it: by variable, and by the path of a file."""
        return {**self.secret_env, **self.secret_files}


def _contradictions(container: Container) -> Iterator[str]:
    """Fields of which one leaves nothing for the other to mean."""
    yield from _about_namespaces(container)
    if container.restart_retries is not None and container.restart is not RestartPolicy.ON_FAILURE:
        yield "`restartRetries` counts failures: it goes with `restart: on-failure`"
    if both := set(container.cap_add) & set(container.cap_drop):
        yield f"`capAdd` and `capDrop` both name {', '.join(sorted(both))}"
    if taken := container.env.keys() & container.secret_env.keys():
        yield f"`env` and `secretEnv` both give {', '.join(sorted(taken))}"
    if container.registry is not None and container.pull == "never":
        yield "`pull: never` and `registry` contradict: nobody logs in"
    if container.shm_size is not None and any(t.target == SHM for t in container.tmpfs):
        yield "`shmSize` and a `tmpfs` on /dev/shm contradict: give the size in one of them"


def _about_namespaces(container: Container) -> Iterator[str]:
    mode, ipc = container.network_mode, container.ipc
    asks = container.dns or container.dns_search or container.dns_options
    of_network = any(name.startswith("net.") for name in container.sysctls)
    of_ipc = not all(name.startswith("net.") for name in container.sysctls)
    wrong = {
        f"`networkMode: {mode}` and `networks` contradict: with it no network, address or MAC can be had": mode
        and container.networks,
        f"`networkMode: {mode}` and `ports` contradict: there is nothing to publish from": mode
        and container.ports,
        "`networkMode: none` and `dns` contradict: nobody can be asked": mode == "none" and asks,
        "`networkMode: host` and a `net.` sysctl contradict: it would be the host's": mode == "host"
        and of_network,
        "`ipc: host` and an IPC sysctl contradict: it would be the host's": ipc == "host" and of_ipc,
        f"`ipc: {ipc}` and `shmSize` contradict: /dev/shm is not its own": container.shm_size
        and ipc in ("host", "none"),
        "`uts: host` and `hostname` contradict: the name would be the host's": container.uts == "host"
        and container.hostname,
    }
    yield from (text for text, found in wrong.items() if found)
