"""Prometheus' own checker of metrics: promtool, of Debian's package where it is not there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path


def promtool(folder: Path) -> str:
    """The package is unpacked, not installed: that would begin to run a server."""
    if found := shutil.which("promtool"):
        return found
    for argv in (["apt-get", "download", "-qq", "prometheus"], ["sh", "-c", "dpkg -x prometheus_*.deb ."]):
        subprocess.run(argv, cwd=folder, check=True, timeout=240)
    return str(folder / "usr" / "bin" / "promtool")


def checked(metrics: bytes, program: str) -> str:
    """What it says of them; empty when it finds nothing."""
    argv = [program, "check", "metrics"]
    done = subprocess.run(argv, input=metrics, capture_output=True, timeout=60, check=False)
    said = (done.stdout + done.stderr).decode()
    return said if said or not done.returncode else f"status {done.returncode}"
