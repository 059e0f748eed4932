"""Podman's own part of copies beside their workload: a network namespace of a name, with nothing but lo. Images
of a container on networks can be restored into none that the OCI runtime makes by itself."""

from __future__ import annotations

from reconciler.model.command import Command, Program
from reconciler.model.copying import is_copy
from reconciler.model.spec import Workload
from reconciler.runtimes.podman import paths


def network_of(workload: Workload) -> str:
    """The namespace's path for a copy that needs one; empty for all else."""
    own = is_copy(workload.metadata.name) and workload.container.network_mode is None
    return f"/run/netns/{_called(workload.metadata.name)}" if own else ""


def make_network(workload: Workload) -> Program[None]:
    if network_of(workload):
        yield Command(paths.shell("seclude", "make", _called(workload.metadata.name)), changes=True)


def remove_network(name: str) -> Program[None]:
    """Of a copy, whether it has one or not; nothing for all else."""
    if is_copy(name):
        yield Command(paths.shell("seclude", "remove", _called(name)), changes=True)


def _called(name: str) -> str:
    return f"reconciler-{name}"
