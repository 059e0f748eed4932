"""What a way of making hosts must be able to do: `namespace`, the same with other engines, and `vm`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from reconciler.errors import LabError
from reconciler.lab.cache import PreparedRoot
from reconciler.lab.spec import LabPaths, LabSpec
from reconciler.lab.tools import Report


class Backend(Protocol):
    """Makes, finds and removes the hosts of a lab. All methods can be called again after a crash at any point.

    Deciding what a lab is, its keys and its files are the caller's; a backend keeps nothing in memory.
    """

    name: str
    sshd_start: tuple[str, ...]
    """Command of a host that starts its SSH server."""

    def check(self) -> None:
        """LabError when this machine cannot run it."""
        ...

    def prepare(self, report: Report) -> PreparedRoot:
        """Build or find what hosts are started from."""
        ...

    def connect(self, paths: LabPaths, wanted_octet: int | None, taken: set[int]) -> int:
        """Make the segment if it is not there; returns the third octet of its addresses."""
        ...

    def start(self, paths: LabPaths, spec: LabSpec, hosts: Sequence[str]) -> None:
        """Boot these hosts, which are down, and return when they accept SSH. Clears what a crash left of them."""
        ...

    def pid(self, paths: LabPaths, host: str) -> int | None:
        """PID, on this machine, of the host's first process; None: the host is down."""
        ...

    def stop(self, paths: LabPaths, host: str) -> None:
        """Cut the power: at once, nothing is sent any more. The disk stays."""
        ...

    def argv(self, paths: LabPaths, host: str, command: Sequence[str], terminal: bool = False) -> list[str]:
        """The command of this machine that runs `command` on the host, whatever became of its cable and its sshd.

        `terminal`: it talks to a person. LabError when the host is down.
        """
        ...

    def set_link(self, paths: LabPaths, host: str, up: bool) -> None:
        """Pull the host's network cable, or plug it in."""
        ...

    def reconnect(self, paths: LabPaths, spec: LabSpec, host: str) -> None:
        """A running host: apply the lab's rate, and give it a card again if it has lost its own."""
        ...

    def remove(self, paths: LabPaths) -> None:
        """Remove all the lab's hosts and its segment, whatever is left of them."""
        ...


def named(name: str) -> Backend:
    """The backend with this name."""
    from reconciler.lab.namespace import (
        ContainerdBackend,
        DockerBackend,
        LibvirtBackend,
        MixedBackend,
        NamespaceBackend,
    )
    from reconciler.lab.vm import VmBackend

    known: tuple[Backend, ...] = (
        NamespaceBackend(),
        DockerBackend(),
        ContainerdBackend(),
        MixedBackend(),
        LibvirtBackend(),
        VmBackend(),
    )
    for backend in known:
        if backend.name == name:
            return backend
    names = ", ".join(backend.name for backend in known)
    raise LabError(f"there is no lab backend {name!r}", fix=f"there are: {names}")
