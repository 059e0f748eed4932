"""The one place where a Container spec becomes `docker create` options. No value can become an option (I4)."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.criu.tasks import config_file
from reconciler.errors import Refused
from reconciler.model.container import Container, NetworkAttachment
from reconciler.model.labels import ANNOTATION_CRIU
from reconciler.model.spec import Workload
from reconciler.runtimes.docker.unsupported import unsupported
from reconciler.runtimes.oci.options import (
    kernel,
    limits,
    logging,
    marked,
    mount,
    network,
    process,
    security,
    tmpfs,
)

_LOG_DRIVERS = {"k8s-file": "json-file"}
"""By what specs call them."""


def create_argv(workload: Workload, *, image: str, restart: str, secrets: Iterable[str]) -> tuple[str, ...]:
    """`docker create` for a workload. `image`: what the image is known by on that host. `secrets`: variables that
    the command has in its own environment."""
    name, container = workload.metadata.name, workload.container
    for where, why, fix in unsupported(container):  # saved plans and records of others come this way too
        field = ".".join(map(str, where))
        raise Refused(f"{name} cannot be a container of Docker: `{field}`: {why}", code="P460", fix=fix)
    labels = marked(workload)
    annotations = {**container.annotations, ANNOTATION_CRIU: config_file(name)}
    entry = container.entrypoint
    options = [
        f"--name={name}",
        "--pull=never",
        f"--restart={restart}",
        *(f"--label={key}={value}" for key, value in labels.items()),
        *(f"--annotation={key}={value}" for key, value in annotations.items()),
        *(f"--env={key}={value}" for key, value in container.env.items()),
        *(f"--env={variable}" for variable in sorted(secrets)),
        *([f"--entrypoint={entry[0] if entry else ''}"] if entry is not None else []),
        *process(container),
        *(["--no-healthcheck"] if container.healthcheck is not None else []),
        *_rights(container),
        *_files(container),
        *limits(container.limits),
        *kernel(container),
        *network(name, container, _joins(container)),
        *logging(container, _LOG_DRIVERS),
    ]
    return ("docker", "create", *options, "--", image, *(entry or [])[1:], *container.command)


def _rights(container: Container) -> list[str]:
    options = security(container)
    for device in container.devices:
        options.append(f"--device={device.path}:{device.inside}:{device.permissions}")
    # Its own /dev/shm is part of the images only where the engine does not keep it on the host.
    modes = {"ipc": container.ipc or "private", "pid": container.pid, "uts": container.uts}
    return options + [f"--{option}={mode}" for option, mode in modes.items() if mode is not None]


def _files(container: Container) -> list[str]:
    options = ["--read-only"] if container.read_only else []
    options += [_mount("bind", m.source, m.target, m.read_only) for m in container.mounts]
    options += [_mount("volume", v.name, v.target, v.read_only) for v in container.volumes]
    return options + tmpfs(container)


def _mount(kind: str, source: str, target: str, read_only: bool) -> str:
    return mount(kind, source, target) + (",readonly" if read_only else "")


def _joins(container: Container) -> list[str]:
    mode = container.network_mode
    options = [f"--network={mode}"] if mode is not None else []
    return options + [f"--network={_attachment(attachment)}" for attachment in container.networks]


def _attachment(attachment: NetworkAttachment) -> str:
    options = [f"name={attachment.name}"]
    options += [f"{'ip6' if ':' in address else 'ip'}={address}" for address in attachment.ips]
    options += [f"mac-address={attachment.mac}"] if attachment.mac else []
    return ",".join([*options, *(f"alias={alias}" for alias in attachment.aliases)])
