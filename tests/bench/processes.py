"""Runs a program and watches what it costs: wall time, CPU time, peak memory of it and all it starts."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LOOK_EVERY_S = 0.03
"""Coarse enough not to matter on two cores."""


@dataclass(frozen=True)
class Ran:
    """How a program ended. `peak_bytes`: the largest sum of the peaks of all processes alive at a look.

    Not `ru_maxrss`: a child starts with that of the parent it was forked from.
    """

    status: int
    stdout: str
    stderr: str
    seconds: float
    cpu_s: float
    peak_bytes: int


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    watch: bool = False,
    limit_s: float = 600.0,
) -> Ran:
    """Run to the end; killed after `limit_s`. `watch`: also sample the memory of the whole tree."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.monotonic()
        started = subprocess.Popen(
            [str(word) for word in argv], cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        peak = 0
        try:
            while True:
                pid, status, used = os.wait4(started.pid, os.WNOHANG if watch else 0)
                if pid:
                    break
                peak = max(peak, _resident(started.pid))
                if time.monotonic() - began > limit_s:
                    started.kill()
                time.sleep(LOOK_EVERY_S)
        except BaseException:
            started.kill()
            started.wait()
            raise
        seconds = time.monotonic() - began
        started.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        return Ran(
            status=started.returncode,
            stdout=out.read().decode(errors="replace"),
            stderr=err.read().decode(errors="replace"),
            seconds=seconds,
            cpu_s=used.ru_utime + used.ru_stime,
            peak_bytes=peak,
        )


def _resident(pid: int, parent: str = "") -> int:
    """Peak resident bytes of a process and of its descendants; pages they share count once for each.

    A child that has its parent's command line has not become a program yet: its memory still is the parent's.
    """
    folder = Path(f"/proc/{pid}")
    try:
        words = (folder / "cmdline").read_text()
        status = (folder / "status").read_text()
        children = (folder / "task" / str(pid) / "children").read_text().split()
    except OSError:
        return 0
    if words == parent:
        return 0
    own = next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:")), 0)
    return own + sum(_resident(int(child), words) for child in children)
