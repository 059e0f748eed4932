"""Finding a process again after this program was gone: by its PID together with the time it was started at."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from reconciler.errors import LabError

STOP_TIMEOUT_SECONDS = 10.0
_POLL_SECONDS = 0.01


def read(file: Path) -> int | None:
    """PID of the process that `remember` wrote down; None when it has ended."""
    try:
        pid, started = file.read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return None
    return int(pid) if start_time(int(pid)) == started else None


def remember(file: Path, pid: int) -> bool:
    """Write a process down. False: it has ended already."""
    started = start_time(pid)
    if started is None:
        return False
    file.write_text(f"{pid} {started}\n", encoding="utf-8")
    return True


def kill(pid: int, what: str) -> None:
    """Kill a process and wait until it is gone; a host's init goes after all others of its host."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
    while start_time(pid) is not None:
        if time.monotonic() > deadline:
            raise LabError(f"{what} does not end", why=f"process {pid} was killed and is still there")
        time.sleep(_POLL_SECONDS)


def start_time(pid: int) -> str | None:
    """Clock tick at which a process started; None when there is none, or only a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in ("Z", "X") else fields[19]
