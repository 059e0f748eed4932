"""Control groups of lab hosts: one child group per host in every hierarchy of this machine, v1, v2 or both.

Each host must have its own group before it unshares the cgroup namespace, and on v1 the group must hand its CPUs
and memory nodes on to its children: else CRIU's restore fails when it writes cpuset.cpus.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from reconciler.errors import LabError

KILL_TIMEOUT_SECONDS = 10.0
_POLL_SECONDS = 0.01


def hierarchies() -> tuple[Path, ...]:
    """Mount points of all cgroup hierarchies."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        fields, _, kind = line.partition(" - ")
        if kind.split(" ", 1)[0] in ("cgroup", "cgroup2"):
            found.append(Path(fields.split(" ")[4]))
    if not found:
        raise LabError("this machine has no cgroups mounted under /sys/fs/cgroup")
    return tuple(dict.fromkeys(found))


def groups(name: str) -> tuple[Path, ...]:
    """The existing groups of this name, one per hierarchy."""
    return tuple(group for root in hierarchies() if (group := root / name).is_dir())


def entry_groups(name: str) -> tuple[Path, ...]:
    """Where a process enters the groups; on v2 that is the leaf `init` once the host has made it."""
    return tuple(leaf if (leaf := group / "init").is_dir() else group for group in groups(name))


def create(name: str) -> tuple[Path, ...]:
    """Make the groups (they may exist)."""
    made = []
    for root in hierarchies():
        group = root / name
        group.mkdir(exist_ok=True)
        clone = group / "cgroup.clone_children"
        if clone.exists():
            clone.write_text("1")
        for setting in ("cpuset.cpus", "cpuset.mems"):
            if clone.exists() and (group / setting).exists():
                (group / setting).write_text((root / setting).read_text())
        made.append(group)
    return tuple(made)


def remove(name: str) -> None:
    """Kill all processes in the groups and remove them. Thaws first: a frozen task does not die on v1."""
    deadline = time.monotonic() + KILL_TIMEOUT_SECONDS
    while True:
        left = groups(name)
        for group in left:
            for child in _depth_first(group):
                _thaw(child)
                for pid in _processes(child):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                with suppress(OSError):  # still busy: the next round tries again
                    child.rmdir()
        if not groups(name):
            return
        if time.monotonic() > deadline:
            raise LabError(
                "processes of a lab host do not end",
                where=name,
                why=f"still in {', '.join(str(group) for group in groups(name))}",
            )
        time.sleep(_POLL_SECONDS)


def thaw(name: str) -> None:
    """Let frozen containers of a host run, so that they can be killed."""
    for group in groups(name):
        for child in _depth_first(group):
            _thaw(child)


def named(prefix: str) -> set[str]:
    """Names of all groups that start with `prefix`."""
    return {group.name for root in hierarchies() for group in root.glob(f"{prefix}*") if group.is_dir()}


def _depth_first(group: Path) -> Iterator[Path]:
    for folder, _, _ in os.walk(group, topdown=False):
        yield Path(folder)


def _processes(group: Path) -> list[int]:
    try:
        return [int(pid) for pid in (group / "cgroup.procs").read_text().split() if pid != "0"]
    except OSError:  # gone meanwhile, or a threaded group
        return []


def _thaw(group: Path) -> None:
    for file, thawed in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
        path = group / file
        if path.exists():
            with suppress(OSError):
                path.write_text(thawed)
