"""The one place where a Container spec becomes `podman create` options. No value can become an option (I4)."""

from __future__ import annotations

import json

from reconciler.errors import Refused
from reconciler.model.base import canonical_json, parse_size
from reconciler.model.container import Container, NetworkAttachment
from reconciler.model.labels import ANNOTATION_CRIU, LABEL_SPEC, LABEL_WORKLOAD
from reconciler.model.spec import Workload
from reconciler.runtimes.podman import paths

_MOUNT_SEPARATORS = frozenset(',"\n\r')
"""Podman reads `--mount` as a line of comma-separated values; these would end a value early."""


def create_argv(
    workload: Workload, *, image: str, oci_runtime: str, restart: str, attach: bool
) -> tuple[str, ...]:
    """`podman create` for a workload. `image`: what the image is known by on that host. `attach` False leaves
    the container on the default bridge, so that its own addresses do not appear on the network yet."""
    name, container = workload.metadata.name, workload.container
    options = [
        f"--name={name}",
        f"--hostname={container.hostname or name}",
        "--pull=never",
        "--http-proxy=false",
        f"--restart={restart}",
        f"--label={LABEL_WORKLOAD}={name}",
        f"--label={LABEL_SPEC}={spec_label(container)}",
        *_process(name, container),
        *_files(container),
        *_limits(container),
    ]
    if attach:
        options += [f"--network={network(n, index)}" for index, n in enumerate(container.networks)]
    elif container.networks:
        options.append("--network=bridge")
    options += [f"--publish={_port(container, index)}" for index in range(len(container.ports))]
    annotations = {**container.annotations, ANNOTATION_CRIU: paths.criu_config(name)}
    options += [f"--annotation={key}={value}" for key, value in annotations.items()]
    runtime = (f"--runtime={oci_runtime}",) if oci_runtime else ()
    return ("podman", *runtime, "create", *options, "--", image, *container.command)


def spec_label(container: Container) -> str:
    """What the label says a container was made from."""
    return canonical_json(container)


def network(attachment: NetworkAttachment, index: int) -> str:
    """The value of `--network`; interfaces are numbered as Podman numbers them when connecting one by one."""
    options = [f"interface_name=eth{index}"]
    if attachment.ip:
        options.append(f"{'ip6' if ':' in attachment.ip else 'ip'}={attachment.ip}")
    if attachment.mac:
        options.append(f"mac={attachment.mac}")
    return f"{attachment.name}:{','.join(options)}"


def connect_argv(workload: str, attachment: NetworkAttachment) -> tuple[str, ...]:
    """`podman network connect` of a container that does not run: only remembered, nothing appears yet."""
    options = []
    if attachment.ip:
        options.append(f"--{'ip6' if ':' in attachment.ip else 'ip'}={attachment.ip}")
    if attachment.mac:
        options.append(f"--mac-address={attachment.mac}")
    return ("podman", "network", "connect", *options, "--", attachment.name, workload)


def _process(name: str, container: Container) -> list[str]:
    options = [f"--env={key}={value}" for key, value in container.env.items()]
    options += [
        f"--secret={paths.secret_name(name, variable)},type=env,target={variable}"
        for variable in container.secret_env
    ]
    if container.entrypoint is not None:
        options.append(f"--entrypoint={json.dumps(container.entrypoint)}")
    if container.user is not None:
        options.append(f"--user={container.user}")
    if container.workdir is not None:
        options.append(f"--workdir={container.workdir}")
    options += [f"--cap-add={capability}" for capability in container.cap_add]
    options += [f"--cap-drop={capability}" for capability in container.cap_drop]
    return options


def _files(container: Container) -> list[str]:
    options = ["--read-only"] if container.read_only else []
    for mount in container.mounts:
        options.append(_mount("bind", mount.source, mount.target, mount.read_only))
    for volume in container.volumes:
        options.append(_mount("volume", volume.name, volume.target, volume.read_only))
    return options


def _mount(kind: str, source: str, target: str, read_only: bool) -> str:
    for path in (source, target):
        if _MOUNT_SEPARATORS & set(path):
            raise Refused(
                f"`{path}` cannot be mounted: Podman's mount option cannot carry commas, quotes and line ends",
                code="P430",
                fix="use a path without them",
            )
    return f"--mount=type={kind},source={source},target={target},readonly={'true' if read_only else 'false'}"


def _limits(container: Container) -> list[str]:
    limits = container.limits
    options = [f"--memory={parse_size(limits.memory)}b"] if limits.memory else []
    if limits.cpus is not None:
        options.append(f"--cpus={limits.cpus:g}")
    if limits.pids is not None:
        options.append(f"--pids-limit={limits.pids}")
    return options


def _port(container: Container, index: int) -> str:
    port = container.ports[index]
    address = f"[{port.address}]" if port.address and ":" in port.address else port.address
    prefix = f"{address}:" if address else ""
    return f"{prefix}{port.host}:{port.container}/{port.protocol}"
