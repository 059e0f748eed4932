"""Options that engines of OCI containers share by name and meaning, from a spec's container."""

from __future__ import annotations

from reconciler.model.base import parse_size
from reconciler.model.container import Container, Limits


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
