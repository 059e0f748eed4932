"""Names and places on a host, and the constant scripts sent to it. Scripts take data as arguments only."""

from __future__ import annotations

import hashlib

from reconciler.guard import guard
from reconciler.guard.guard import ROOT
from reconciler.resources import host_script

ASIDE = "_aside"
"""Ends the name of a container that waits for its successor to be healthy; workloads' names have no underscore."""

INSPECTION = "container.json"

DRY_START_HOOK = f"{ROOT}/bin/refuse-start"
DRY_START_HOOKS = f"{ROOT}/hooks.d"
"""A hooks directory for one Podman command only: its one hook ends a container before any of its code runs."""


def saved_inspection(workload: str) -> str:
    """What `podman container inspect` said before the container was held; it waits while that lasts."""
    return f"{guard.workload_dir(workload)}/{INSPECTION}"


def secret_name(workload: str, key: str) -> str:
    """Podman's name for the secret behind a workload's environment variable, or file by its path."""
    if key.startswith("/"):
        key = f"file-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    return f"reconciler-{workload}-{key}"


def aside(workload: str) -> str:
    """The name of a workload's container that was set aside."""
    return workload + ASIDE


def shell(name: str, *arguments: str) -> tuple[str, ...]:
    """The argument list that runs a script of this driver with these arguments."""
    return ("/bin/sh", "-c", host_script("podman", name), name, *arguments)
