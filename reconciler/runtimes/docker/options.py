"""The one place where a Container spec becomes `docker create` options. No value can become an option (I4)."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.criu.tasks import config_file
from reconciler.errors import Refused
from reconciler.model.base import canonical_json, parse_duration, parse_size
from reconciler.model.container import Container, NetworkAttachment, PublishedPort
from reconciler.model.labels import ANNOTATION_CRIU, LABEL_SPEC, LABEL_WORKLOAD
from reconciler.model.spec import Workload
from reconciler.runtimes.docker.unsupported import unsupported
from reconciler.runtimes.oci.options import kernel, limits

_SEPARATORS = frozenset(',"\n\r')
"""Docker reads `--mount` as a line of comma-separated values; these would end a value early."""
_LOG_FILE = "k8s-file"
"""What specs call the driver that Docker calls json-file."""


def create_argv(workload: Workload, *, image: str, restart: str, secrets: Iterable[str]) -> tuple[str, ...]:
    """`docker create` for a workload. `image`: what the image is known by on that host. `secrets`: variables that
    the command has in its own environment."""
    name, container = workload.metadata.name, workload.container
    for where, why, fix in unsupported(container):  # saved plans and records of others come this way too
        field = ".".join(map(str, where))
        raise Refused(f"{name} cannot be a container of Docker: `{field}`: {why}", code="P460", fix=fix)
    labels = {**container.labels, LABEL_WORKLOAD: name, LABEL_SPEC: spec_label(container)}
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
        *_process(container),
        *_rights(container),
        *_files(container),
        *limits(container.limits),
        *kernel(container),
        *_network(name, container),
        *_logging(container),
    ]
    return ("docker", "create", *options, "--", image, *(entry or [])[1:], *container.command)


def spec_label(container: Container) -> str:
    """What the label says a container was made from."""
    return canonical_json(container)


def _process(container: Container) -> list[str]:
    values = {
        "user": container.user,
        "workdir": container.workdir,
        "platform": container.platform,
        "stop-signal": container.stop_signal,
        "stop-timeout": f"{parse_duration(container.stop_timeout):.0f}" if container.stop_timeout else None,
    }
    options = [f"--{option}={value}" for option, value in values.items() if value is not None]
    options += [f"--group-add={group}" for group in container.group_add]
    flags = {"init": container.init, "tty": container.tty, "interactive": container.stdin_open}
    options += [f"--{option}" for option, given in flags.items() if given]
    return [*options, *(["--no-healthcheck"] if container.healthcheck is not None else [])]


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
        options.append(f"--device={device.path}:{device.inside}:{device.permissions}")
    # Its own /dev/shm is part of the images only where the engine does not keep it on the host.
    modes = {"ipc": container.ipc or "private", "pid": container.pid, "uts": container.uts}
    return options + [f"--{option}={mode}" for option, mode in modes.items() if mode is not None]


def _files(container: Container) -> list[str]:
    options = ["--read-only"] if container.read_only else []
    options += [_mount("bind", m.source, m.target, m.read_only) for m in container.mounts]
    options += [_mount("volume", v.name, v.target, v.read_only) for v in container.volumes]
    for tmpfs in container.tmpfs:
        words = [f"size={parse_size(tmpfs.size)}"] if tmpfs.size else []
        words += [f"mode={tmpfs.mode}"] if tmpfs.mode else []
        words += ["exec"] if tmpfs.exec else []
        options.append(f"--tmpfs={tmpfs.target}" + (f":{','.join(words)}" if words else ""))
    return options


def _mount(kind: str, source: str, target: str, read_only: bool) -> str:
    for path in (source, target):
        if _SEPARATORS & set(path):
            raise Refused(
                f"`{path}` cannot be mounted: Docker's mount option cannot carry commas, quotes and line ends",
                code="P430",
                fix="use a path without them",
            )
    return f"--mount=type={kind},source={source},target={target}" + (",readonly" if read_only else "")


def _network(name: str, container: Container) -> list[str]:
    options = [] if container.uts else [f"--hostname={container.hostname or name}"]
    if container.network_mode is not None:
        options.append(f"--network={container.network_mode}")
    options += [f"--network={_attachment(attachment)}" for attachment in container.networks]
    options += [f"--publish={_port(port)}" for port in container.ports]
    options += [f"--add-host={host}:{address}" for host, address in container.extra_hosts.items()]
    options += [f"--dns={address}" for address in container.dns]
    options += [f"--dns-search={domain}" for domain in container.dns_search]
    return options + [f"--dns-option={word}" for word in container.dns_options]


def _attachment(attachment: NetworkAttachment) -> str:
    options = [f"name={attachment.name}"]
    options += [f"{'ip6' if ':' in address else 'ip'}={address}" for address in attachment.ips]
    options += [f"mac-address={attachment.mac}"] if attachment.mac else []
    return ",".join([*options, *(f"alias={alias}" for alias in attachment.aliases)])


def _port(port: PublishedPort) -> str:
    address = f"[{port.address}]" if port.address and ":" in port.address else port.address
    prefix = f"{address}:" if address else ""
    return f"{prefix}{port.host}:{port.container}/{port.protocol}"


def _logging(container: Container) -> list[str]:
    log = container.logging
    if log is None:
        return []
    options = [f"--log-driver={'json-file' if log.driver == _LOG_FILE else log.driver}"]
    options += [f"--log-opt=max-size={parse_size(log.max_size)}"] if log.max_size else []
    return options + ([f"--log-opt=tag={log.tag}"] if log.tag else [])
