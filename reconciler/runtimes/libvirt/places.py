"""Where what belongs to a virtual machine is on its host, and the constant scripts sent to it."""

from __future__ import annotations

from reconciler.guard.guard import ROOT, name_of
from reconciler.resources import host_script

NOTES = f"{ROOT}/machines"
"""A file for each virtual machine that was made here or may come: a host that has one, and whose libvirt does not
answer, is unknown. And the definitions of those that were set aside."""


def note(name: str) -> str:
    return f"{NOTES}/{name_of(name)}"


def shell(name: str, *arguments: str) -> tuple[str, ...]:
    """The argument list that runs a script of this runtime with these arguments."""
    return ("/bin/sh", "-c", host_script("libvirt", name), name, *arguments)
