"""Whose processes CRIU dumps or restores on a host, and where what belongs to that is kept there."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from reconciler.guard import guard
from reconciler.model.command import Command, Program
from reconciler.resources import host_script

RESTORE_CONFIG = "criu.restore"
HANG_UP = "hang-up"


@dataclass(frozen=True)
class Tasks:
    """The tasks of one workload on one host, while they run and when only their images are left.

    `home`: an absolute path, of the folder that images, logs and the page daemon's files are in. `group`: the
    name of their cgroup, the last part of its path, which may have `.scope` behind it. `monitor`: a program in
    there that is none of them. `makers`: a pattern of the cgroups of what may be restoring them, as `cgroup` is
    one. `paused`: their engine pauses them for a dump, and lets them run on however that ends."""

    home: str
    group: str
    monitor: str = ""
    makers: str = ""
    paused: bool = False

    def __post_init__(self) -> None:
        if not self.group:  # everything on the host would be in it
            raise ValueError("tasks without a cgroup of their own")

    @property
    def cgroup(self) -> str:
        """An extended regular expression that finds their lines in /proc/PID/cgroup."""
        return rf"/{re.escape(self.group)}(\.scope)?(/|$)"

    @property
    def table(self) -> str:
        """What names in nftables end with that belong to them alone."""
        return hashlib.sha256(self.group.encode()).hexdigest()[:12]

    @property
    def images(self) -> str:
        """Where CRIU writes their images, and restores them from."""
        return f"{self.home}/checkpoint"

    @property
    def rounds(self) -> str:
        """Where a pre-copy's rounds are, each in a folder with its number."""
        return f"{self.home}/precopy"

    @property
    def lazy(self) -> str:
        """What CRIU's page daemon serves pages from after a pre-copy."""
        return f"{self.home}/lazy"


def config_file(workload: str) -> str:
    """CRIU's config file of one workload, read at each dump and restore."""
    return f"{guard.workload_dir(workload)}/criu.conf"


def restore_config_file(workload: str) -> str:
    """What CRIU's config becomes when the guard's own restore begins; until then nobody may restore it."""
    return f"{guard.workload_dir(workload)}/{RESTORE_CONFIG}"


def hang_up_note(workload: str) -> str:
    """Is there when clients' connections are to end as the source goes back (hook.sh reads it)."""
    return f"{guard.workload_dir(workload)}/{HANG_UP}"


def failed_log(workload: str) -> str:
    """CRIU's log of the workload's last dump or restore that failed on this host."""
    return f"{guard.workload_dir(workload)}/failed.log"


def shell(name: str, *arguments: str) -> tuple[str, ...]:
    """The argument list that runs a script of this room with these arguments."""
    return ("/bin/sh", "-c", host_script("criu", name), name, *arguments)


def living(tasks: Tasks) -> Program[list[str]]:
    """What lives of them, whatever an engine says: `PID PROGRAM`."""
    found = yield Command(shell("processes", tasks.cgroup, tasks.monitor))
    return found.stdout.splitlines()


def end_argv(tasks: Tasks) -> tuple[str, ...]:
    """Kills them, and what may be restoring them, by the kernel's list; says what lives nevertheless."""
    return shell("end", f"({tasks.cgroup}|{tasks.makers})" if tasks.makers else tasks.cgroup, tasks.monitor)


def stop_pages_argv(tasks: Tasks) -> tuple[str, ...]:
    """Ends who serves their memory, and them before that."""
    return shell("stop-pages", tasks.home, tasks.cgroup, tasks.monitor)


def spoke(tasks: Tasks, note: str) -> Program[bool]:
    """Whether a copy that was to be restored here may have run. `note`: a file as old as its stage."""
    said = yield Command(shell("spoke", tasks.home, note), ok=(0, 1, 2))
    return said.status != 1


NOT_OURS = "case ${CRTOOLS_SCRIPT_ACTION-} in setup-namespaces | post-resume | orphan-pts-master) exit 0 ;; esac\n"
"""What CRIU also calls its script for: a shell that has not read all of it yet ends sooner."""


def restoring_script() -> bytes:
    """CRIU's action script of a restore, with what it puts back before the tasks run."""
    hook = f"HOOK={guard.hook_script_path()}\n"
    parts = (host_script("criu", "replay"), host_script("criu", "restoring"))
    return "".join(("#!/bin/sh\n", NOT_OURS, hook, *parts)).encode()
