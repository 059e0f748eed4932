"""Names and places of trees on a host, and the constant scripts sent to it."""

from __future__ import annotations

from reconciler.criu.tasks import Tasks
from reconciler.guard.guard import ROOT, name_of
from reconciler.resources import host_script

ASIDE = "_aside"
"""Ends the name of a tree that waits for its successor to be healthy; workloads' names have no underscore."""


def home(name: str) -> str:
    """The folder of a tree, of a workload or set aside."""
    return f"{ROOT}/processes/{name_of(name.removesuffix(ASIDE))}{ASIDE if name.endswith(ASIDE) else ''}"


def made_file(name: str) -> str:
    return f"{home(name)}/made.json"


def volume_data(name: str) -> str:
    return f"{ROOT}/volumes/{name}/data"


def tasks(name: str, tree_id: str) -> Tasks:
    return Tasks(home(name), f"reconciler-{tree_id}")


def script(name: str) -> str:
    return host_script("process", name)


def shell(name: str, *arguments: str) -> tuple[str, ...]:
    """The argument list that runs a script of this runtime with these arguments."""
    return ("/bin/sh", "-c", script(name), name, *arguments)
