"""Options that engines of OCI containers share by name and meaning, from a spec's container. No value can become
an option (I4)."""

from __future__ import annotations

from reconciler.errors import Refused
from reconciler.model.base import canonical_json, parse_duration, parse_size
from reconciler.model.container import Container, Limits, PublishedPort
from reconciler.model.labels import LABEL_COMMIT, LABEL_SPEC, LABEL_WORKLOAD
from reconciler.model.spec import Workload

_SEPARATORS = frozenset(',"\n\r')
"""Engines read `--mount` as a line of comma-separated values; these would end a value early."""


def marked(workload: Workload) -> dict[str, str]:
    """The labels of its container: its spec's, and ours."""
    container, said = workload.container, workload.metadata.labels
    ours = {LABEL_WORKLOAD: workload.metadata.name, LABEL_SPEC: spec_label(container)}
    return container.labels | ours | {key: said[key] for key in (LABEL_COMMIT,) if key in said}


def spec_label(container: Container) -> str:
    """What the label says a container was made from."""
    return canonical_json(container)


def limits(wanted: Limits) -> list[str]:
    """Of `create` and `update`; only those that are set."""
    sizes = {
        "memory": wanted.memory,
        "memory-reservation": wanted.memory_reservation,
        "memory-swap": wanted.memory_swap,
    }
    options = [f"--{option}={parse_size(size)}b" for option, size in sizes.items() if size]
    if wanted.cpus is not None:
        options.append(f"--cpus={wanted.cpus:g}")
    values = {"cpu-shares": wanted.cpu_shares, "cpuset-cpus": wanted.cpuset, "pids-limit": wanted.pids}
    return options + [f"--{option}={value}" for option, value in values.items() if value is not None]


def kernel(container: Container) -> list[str]:
    """What the kernel is told of its processes and namespaces; only what is set."""
    score = container.oom_score_adj
    options = [f"--ulimit={name}={limit.soft}:{limit.hard}" for name, limit in container.ulimits.items()]
    options += [f"--sysctl={name}={value}" for name, value in container.sysctls.items()]
    options += [f"--shm-size={parse_size(container.shm_size)}b"] if container.shm_size else []
    return options + ([f"--oom-score-adj={score}"] if score is not None else [])


def process(container: Container) -> list[str]:
    """How its first process is started."""
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
    return options + [f"--{option}" for option, given in flags.items() if given]


def security(container: Container) -> list[str]:
    options = ["--privileged"] if container.privileged else []
    options += [f"--cap-add={capability}" for capability in container.cap_add]
    options += [f"--cap-drop={capability}" for capability in container.cap_drop]
    wanted = container.security_opt
    words = ["no-new-privileges"] if wanted.no_new_privileges else []
    words += [f"seccomp={wanted.seccomp}"] if wanted.seccomp else []
    words += [f"apparmor={wanted.apparmor}"] if wanted.apparmor else []
    if wanted.label is not None:
        parts = wanted.label.model_dump(exclude={"disable"}, exclude_none=True)
        words += ["label=disable"] if wanted.label.disable else [f"label={k}:{v}" for k, v in parts.items()]
    return options + [f"--security-opt={word}" for word in words]


def mount(kind: str, source: str, target: str) -> str:
    """`--mount`, to which an engine's own words may be added."""
    for path in (source, target):
        if _SEPARATORS & set(path):
            raise Refused(
                f"`{path}` cannot be mounted: an engine's mount option cannot carry commas, quotes and line ends",
                code="P430",
                fix="use a path without them",
            )
    return f"--mount=type={kind},source={source},target={target}"


def tmpfs(container: Container) -> list[str]:
    options = []
    for one in container.tmpfs:
        words = [f"size={parse_size(one.size)}"] if one.size else []
        words += [f"mode={one.mode}"] if one.mode else []
        words += ["exec"] if one.exec else []
        options.append(f"--tmpfs={one.target}" + (f":{','.join(words)}" if words else ""))
    return options


def network(name: str, container: Container, joins: list[str]) -> list[str]:
    """`joins`: which networks it is on, as the engine says that."""
    options = [] if container.uts else [f"--hostname={container.hostname or name}"]
    options += joins
    options += [f"--publish={_port(port)}" for port in container.ports]
    options += [f"--add-host={host}:{address}" for host, address in container.extra_hosts.items()]
    options += [f"--dns={address}" for address in container.dns]
    options += [f"--dns-search={domain}" for domain in container.dns_search]
    return options + [f"--dns-option={word}" for word in container.dns_options]


def _port(port: PublishedPort) -> str:
    address = f"[{port.address}]" if port.address and ":" in port.address else port.address
    prefix = f"{address}:" if address else ""
    return f"{prefix}{port.host}:{port.container}/{port.protocol}"


def logging(container: Container, names: dict[str, str]) -> list[str]:
    """`names`: what the engine calls drivers, where specs call them otherwise."""
    log = container.logging
    if log is None:
        return []
    options = [f"--log-driver={names.get(log.driver, log.driver)}"]
    options += [f"--log-opt=max-size={parse_size(log.max_size)}"] if log.max_size else []
    return options + ([f"--log-opt=tag={log.tag}"] if log.tag else [])
