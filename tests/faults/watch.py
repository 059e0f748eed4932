"""How many copies run, by the kernel's word: looks at all processes of a lab's hosts, from outside of them."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from reconciler.lab import cgroups
from reconciler.lab.spec import LabPaths

EVERY_SECONDS = 0.1
PROGRAM = "counter"
PF_EXITING = 0x4
KILL_PENDING = 1 << 8
"""SIGKILL in a mask of signals."""
NOT_RUNNING = "tTZXx"
"""States of /proc/PID/stat: stopped (CRIU holds it), dead."""


@dataclass(frozen=True)
class Task:
    """One process of the workload's program."""

    host: str
    pid: int
    runs: bool


class Watch:
    """Looks from a thread of its own, from `start` to `stop`."""

    def __init__(self, lab: str, hosts: tuple[str, ...]) -> None:
        identity = LabPaths.of(lab).identity
        self._groups = {host: f"{identity}-{host}" for host in hosts}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch {lab}", daemon=True)
        self.looks = 0
        self.twice: list[str] = []
        """Looks that saw two running copies."""
        self.changes: list[tuple[float, frozenset[str]]] = []
        """When the set of hosts with a running copy changed; seconds of the monotonic clock."""

    def start(self) -> Watch:
        self._thread.start()
        return self

    def stop(self) -> Watch:
        self._stopping.set()
        self._thread.join()
        return self

    def tasks(self) -> list[Task]:
        """All copies on all hosts, the frozen ones too."""
        found: dict[int, Task] = {}
        for host, name in self._groups.items():
            for group in cgroups.groups(name):
                for folder, _, _ in os.walk(group):
                    frozen = _is_frozen(Path(folder))
                    for pid in _processes(Path(folder)):
                        if (state := _state(pid)) is not None:
                            before = found.get(pid)
                            runs = not frozen and state not in NOT_RUNNING and (before is None or before.runs)
                            found[pid] = Task(host, pid, runs)
        return list(found.values())

    def runs_again_after(self, when: float, host: str) -> float | None:
        """Seconds until the copy on `host` ran again; None: it ran all the time, or never again."""
        state: frozenset[str] = frozenset()
        for at, hosts in self.changes:
            if at <= when:
                state = hosts
            elif host in hosts:
                return at - when if host not in state else None
        return None

    def _run(self) -> None:
        last: frozenset[str] | None = None
        while not self._stopping.is_set():
            running = [task for task in self.tasks() if task.runs]
            self.looks += 1
            if len(running) > 1:
                # One look is not one instant: whoever ran before the others were seen must still run now.
                again = {task.pid for task in self.tasks() if task.runs}
                still = [task for task in running if task.pid in again]
                if len(still) > 1:
                    self.twice.append(f"two copies ran: {', '.join(f'{t.host}/{t.pid}' for t in still)}")
            hosts = frozenset(task.host for task in running)
            if hosts != last:
                self.changes.append((time.monotonic(), hosts))
                last = hosts
            self._stopping.wait(EVERY_SECONDS)


def _processes(group: Path) -> list[int]:
    try:
        return [int(pid) for pid in (group / "cgroup.procs").read_text().split()]
    except OSError:
        return []


def _is_frozen(group: Path) -> bool:
    for file, frozen in (("cgroup.events", "frozen 1"), ("freezer.state", "FROZEN")):
        try:
            if frozen in (group / file).read_text():
                return True
        except OSError:
            continue
    return False


def _state(pid: int) -> str | None:
    """The state letter of one of our programs, `X` for one that was killed and takes a moment; None for others."""
    try:
        name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
        if name != PROGRAM:
            return None
        fields = rest.split()
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    pending = [int(line.split()[1], 16) for line in status.splitlines() if line.startswith(("SigPnd", "ShdPnd"))]
    dying = int(fields[6]) & PF_EXITING or any(mask & KILL_PENDING for mask in pending)
    return "X" if dying else fields[0]
