"""The one place where a Container spec becomes `podman create` options. No value can become an option (I4)."""

from __future__ import annotations

import json

from reconciler.criu.tasks import config_file
from reconciler.errors import Refused
from reconciler.model.base import canonical_json, parse_duration, parse_size
from reconciler.model.container import Container, NetworkAttachment, PublishedPort
from reconciler.model.labels import ANNOTATION_CRIU, LABEL_SPEC, LABEL_WORKLOAD
from reconciler.model.spec import Workload
from reconciler.runtimes.oci.options import kernel, limits
from reconciler.runtimes.podman import paths

_MOUNT_SEPARATORS = frozenset(',"\n\r')
"""Podman reads `--mount` as a line of comma-separated values; these would end a value early."""


def create_argv(
    workload: Workload, *, image: str, oci_runtime: str, restart: str, attach: bool, init_path: str = ""
) -> tuple[str, ...]:
    """`podman create` for a workload. `image`: what the image is known by on that host. `attach` False leaves
    the container on the default bridge, so that its own addresses do not appear on the network yet. `init_path`:
    the program that goes first, where the host has it elsewhere than Podman thinks."""
    name, container = workload.metadata.name, workload.container
    labels = {**container.labels, LABEL_WORKLOAD: name, LABEL_SPEC: spec_label(container)}
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
        *_network(name, container, attach),
        *_logging(container),
        *([f"--init-path={init_path}"] if init_path else []),
    ]
    annotations = {**container.annotations, ANNOTATION_CRIU: config_file(name)}
    options += [f"--annotation={key}={value}" for key, value in annotations.items()]
    runtime = (f"--runtime={oci_runtime}",) if oci_runtime else ()
    return ("podman", *runtime, "create", *options, "--", image, *container.command)


def spec_label(container: Container) -> str:
    """What the label says a container was made from."""
    return canonical_json(container)


def network(attachment: NetworkAttachment, index: int) -> str:
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
    values = {
        "user": container.user,
        "workdir": container.workdir,
        "platform": container.platform,
        "stop-signal": container.stop_signal,
        "stop-timeout": f"{parse_duration(container.stop_timeout):.0f}" if container.stop_timeout else None,
    }
    options += [f"--{option}={value}" for option, value in values.items() if value is not None]
    options += [f"--group-add={group}" for group in container.group_add]
    flags = {"init": container.init, "tty": container.tty, "interactive": container.stdin_open}
    options += [f"--{option}" for option, given in flags.items() if given]
    return [*options, *_health(container)]


def _health(container: Container) -> list[str]:
    probe = container.healthcheck
    if probe is None:
        return []
    if probe.disabled:
        return ["--no-healthcheck"]
    options = [
        f"--health-cmd={json.dumps(['CMD', *probe.command])}",
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
    options = ["--privileged"] if container.privileged else []
    options += [f"--cap-add={capability}" for capability in container.cap_add]
    options += [f"--cap-drop={capability}" for capability in container.cap_drop]
    security = container.security_opt
    words = ["no-new-privileges"] if security.no_new_privileges else []
    words += [f"seccomp={security.seccomp}"] if security.seccomp else []
    words += [f"apparmor={security.apparmor}"] if security.apparmor else []
    if security.label is not None:
        parts = security.label.model_dump(exclude={"disable"}, exclude_none=True)
        words += ["label=disable"] if security.label.disable else [f"label={k}:{v}" for k, v in parts.items()]
    options += [f"--security-opt={word}" for word in words]
    for device in container.devices:
        options.append(f"--device={device.cdi or f'{device.path}:{device.inside}:{device.permissions}'}")
    modes = {"userns": container.userns, "ipc": container.ipc, "pid": container.pid, "uts": container.uts}
    return options + [f"--{option}={mode}" for option, mode in modes.items() if mode is not None]


def _files(name: str, container: Container) -> list[str]:
    options = ["--read-only"] if container.read_only else []
    for mount in container.mounts:
        relabel = f",relabel={mount.relabel}" if mount.relabel else ""
        options.append(_mount("bind", mount.source, mount.target, mount.read_only) + relabel)
    for volume in container.volumes:
        options.append(_mount("volume", volume.name, volume.target, volume.read_only))
    for tmpfs in container.tmpfs:
        words = [f"size={parse_size(tmpfs.size)}"] if tmpfs.size else []
        words += [f"mode={tmpfs.mode}"] if tmpfs.mode else []
        words += ["exec"] if tmpfs.exec else []
        options.append(f"--tmpfs={tmpfs.target}" + (f":{','.join(words)}" if words else ""))
    for target, file in container.secret_files.items():
        where = f"type=mount,target={target},mode={file.mode},uid={file.uid},gid={file.gid}"
        options.append(f"--secret={paths.secret_name(name, target)},{where}")
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


def _network(name: str, container: Container, attach: bool) -> list[str]:
    options = [] if container.uts else [f"--hostname={container.hostname or name}"]
    if container.network_mode is not None:
        options.append(f"--network={container.network_mode}")
    elif attach:
        options += [f"--network={network(n, index)}" for index, n in enumerate(container.networks)]
    elif container.networks:
        options.append("--network=bridge")
    options += [f"--publish={_port(port)}" for port in container.ports]
    options += [f"--add-host={host}:{address}" for host, address in container.extra_hosts.items()]
    options += [f"--dns={address}" for address in container.dns]
    options += [f"--dns-search={domain}" for domain in container.dns_search]
    return options + [f"--dns-option={word}" for word in container.dns_options]


def _port(port: PublishedPort) -> str:
    address = f"[{port.address}]" if port.address and ":" in port.address else port.address
    prefix = f"{address}:" if address else ""
    return f"{prefix}{port.host}:{port.container}/{port.protocol}"


def _logging(container: Container) -> list[str]:
    log = container.logging
    if log is None:
        return []
    options = [f"--log-driver={log.driver}"]
    options += [f"--log-opt=max-size={parse_size(log.max_size)}"] if log.max_size else []
    return options + ([f"--log-opt=tag={log.tag}"] if log.tag else [])
