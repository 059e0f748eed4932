"""The one place where a Container spec becomes `podman create` options. No value can become an option (I4)."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence

from reconciler.criu.tasks import config_file
from reconciler.model.base import parse_duration
from reconciler.model.container import Container, NetworkAttachment
from reconciler.model.copying import CopyLabels, is_copy
from reconciler.model.labels import ANNOTATION_CRIU
from reconciler.model.spec import Workload
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
from reconciler.runtimes.podman import paths
from reconciler.runtimes.podman.secluding import network_of


def create_argv(
    workload: Workload, *, image: str, oci_runtime: str, restart: str, attach: bool, init_path: str = ""
) -> tuple[str, ...]:
    """`podman create` for a workload. `image`: what the image is known by on that host. `attach` False leaves
    the container on the default bridge, so that its own addresses do not appear on the network yet. `init_path`:
    the program that goes first, where the host has it elsewhere than Podman thinks."""
    name, container = workload.metadata.name, workload.container
    labels = marked(workload)
    if is_copy(name):
        labels |= CopyLabels.read(workload.metadata.labels).labels
    options = [
        f"--name={name}",
        "--pull=never",
        "--http-proxy=false",
        f"--restart={restart}",
        *(f"--label={key}={value}" for key, value in labels.items()),
        *_process(name, container),
        *_rights(container),
        *_files(name, container),
        *limits(container.limits),
        *kernel(container),
        *network(name, container, _joins(workload, attach)),
        *logging(container, {}),
        *([f"--init-path={init_path}"] if init_path else []),
    ]
    annotations = {**container.annotations, ANNOTATION_CRIU: config_file(name)}
    options += [f"--annotation={key}={value}" for key, value in annotations.items()]
    runtime = (f"--runtime={oci_runtime}",) if oci_runtime else ()
    return ("podman", *runtime, "create", *options, "--", image, *container.command)


def _attachment(attachment: NetworkAttachment, index: int) -> str:
    """The value of `--network`; interfaces are numbered as Podman numbers them when connecting one by one."""
    options = [f"interface_name=eth{index}"]
    options += [f"{'ip6' if ':' in address else 'ip'}={address}" for address in attachment.ips]
    if attachment.mac:
        options.append(f"mac={attachment.mac}")
    options += [f"alias={alias}" for alias in attachment.aliases]
    return f"{attachment.name}:{','.join(options)}"


def connect_argv(workload: str, attachment: NetworkAttachment) -> tuple[str, ...]:
    """`podman network connect` of a container that does not run: only remembered, nothing appears yet."""
    options = [f"--{'ip6' if ':' in address else 'ip'}={address}" for address in attachment.ips]
    if attachment.mac:
        options.append(f"--mac-address={attachment.mac}")
    options += [f"--alias={alias}" for alias in attachment.aliases]
    return ("podman", "network", "connect", *options, "--", attachment.name, workload)


def _process(name: str, container: Container) -> list[str]:
    options = [f"--env={key}={value}" for key, value in container.env.items()]
    options += [
        f"--secret={paths.secret_name(name, variable)},type=env,target={variable}"
        for variable in container.secret_env
    ]
    if container.entrypoint is not None:
        options.append(f"--entrypoint={json.dumps(container.entrypoint)}")
    return [*options, *process(container), *_health(container)]


def _without_shell(command: Sequence[str]) -> str:
    """A health check's command as Podman reads it: a list of several words is run as it is, one that begins with
    CMD is taken for one text and cut at its spaces, and one word alone would be given to a shell."""
    if len(command) > 1 and command[0].upper() not in ("CMD", "CMD-SHELL", "NONE"):
        return json.dumps(list(command))
    if any(word != "".join(word.split()) for word in command):
        return shlex.join(command)
    return " ".join(("CMD", *command))


def _health(container: Container) -> list[str]:
    probe = container.healthcheck
    if probe is None:
        return []
    if probe.disabled:
        return ["--no-healthcheck"]
    options = [
        f"--health-cmd={_without_shell(probe.command)}",
        f"--health-interval={_go(probe.interval)}",
        f"--health-timeout={_go(probe.timeout)}",
        f"--health-retries={probe.retries}",
        f"--health-on-failure={probe.on_failure}",
    ]
    return options + ([f"--health-start-period={_go(probe.start_period)}"] if probe.start_period else [])


def _go(duration: str) -> str:
    """As Go reads durations, which know no days."""
    return f"{parse_duration(duration):g}s"


def _rights(container: Container) -> list[str]:
    options = security(container)
    for device in container.devices:
        options.append(f"--device={device.cdi or f'{device.path}:{device.inside}:{device.permissions}'}")
    modes = {"userns": container.userns, "ipc": container.ipc, "pid": container.pid, "uts": container.uts}
    return options + [f"--{option}={mode}" for option, mode in modes.items() if mode is not None]


def _files(name: str, container: Container) -> list[str]:
    options = ["--read-only"] if container.read_only else []
    for one in container.mounts:
        relabel = f",relabel={one.relabel}" if one.relabel else ""
        options.append(_mount("bind", one.source, one.target, one.read_only) + relabel)
    for volume in container.volumes:
        options.append(_mount("volume", volume.name, volume.target, volume.read_only))
    options += tmpfs(container)
    for target, file in container.secret_files.items():
        where = f"type=mount,target={target},mode={file.mode},uid={file.uid},gid={file.gid}"
        options.append(f"--secret={paths.secret_name(name, target)},{where}")
    return options


def _mount(kind: str, source: str, target: str, read_only: bool) -> str:
    return f"{mount(kind, source, target)},readonly={'true' if read_only else 'false'}"


def _joins(workload: Workload, attach: bool) -> list[str]:
    container = workload.container
    if secluded := network_of(workload):
        return [f"--network=ns:{secluded}"]
    if container.network_mode is not None:
        return [f"--network={container.network_mode}"]
    if attach:
        return [f"--network={_attachment(one, index)}" for index, one in enumerate(container.networks)]
    return ["--network=bridge"] if container.networks else []
