"""Who a controller is, in a form that tells later whether that very process still lives."""

from __future__ import annotations

import getpass
import os
import socket
from functools import cache
from pathlib import Path


@cache
def owner() -> str:
    """`user@host/pid-start-namespace-boot`: a person or CI identity, and one process of one boot."""
    return f"{actor()}@{_safe(socket.gethostname())}/{os.getpid()}-{_start(os.getpid())}-{_realm()}"


def actor() -> str:
    """The person or CI identity behind this process."""
    for variable in ("RECONCILE_ACTOR", "GITHUB_ACTOR", "GITLAB_USER_LOGIN"):
        if name := _safe(os.environ.get(variable, "")):
            return name
    try:
        return _safe(getpass.getuser())
    except (KeyError, OSError):
        return str(os.getuid())


def is_dead_here(other: str) -> bool:
    """Whether `other` is a process of this very machine, boot and PID namespace, and is gone. False when that
    cannot be known."""
    _, _, process = other.rpartition("/")
    parts = process.split("-", 2)
    if len(parts) != 3 or parts[2] != _realm() or not parts[0].isdigit():
        return False
    return _start(int(parts[0])) != parts[1]


def _safe(text: str) -> str:
    return "".join(c for c in text if (c.isalnum() and c.isascii()) or c in "._")[:40]


def _start(pid: int) -> str:
    """Start time of a process in clock ticks since boot; `0` when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "0"


@cache
def _realm() -> str:
    """PID namespace and boot: process numbers mean something only inside both."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
        return f"{os.stat('/proc/self/ns/pid').st_ino}-{boot}"
    except OSError:
        return "unknown"
