"""Names and places on a host. Scripts are constant and take data as arguments only."""

from __future__ import annotations

import hashlib

from reconciler.guard.guard import ROOT
from reconciler.resources import host_script

DRY_START_HOOK = f"{ROOT}/bin/refuse-start"
DRY_START_HOOKS = f"{ROOT}/hooks.d"
"""A hooks directory for one Podman command only: its one hook ends a container before any of its code runs."""


def secret_name(workload: str, key: str) -> str:
    """Podman's name for the secret behind a workload's environment variable, or file by its path."""
    if key.startswith("/"):
        key = f"file-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    return f"reconciler-{workload}-{key}"


def shell(name: str, *arguments: str) -> tuple[str, ...]:
    """The argument list that runs a script of this driver with these arguments."""
    return ("/bin/sh", "-c", host_script("podman", name), name, *arguments)
