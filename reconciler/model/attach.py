"""What a workload is attached to that Reconciler has not started, and what is found of it on its host."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from reconciler.model.base import Model
from reconciler.model.fields import INTERFACE, Path, StaticAddress

SYSTEMS = ("bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "sbin", "sys", "usr")
SHARED = (
    *("/var/lib", "/var/log", "/var/cache", "/var/spool", "/var/mail", "/run/user", "/run/systemd"),
    "/var/tmp",  # noqa: S108  # named to be refused
)
"""Folders that are never one program's own: a folder that goes along is gone where it was."""
UNIT = r"^[A-Za-z0-9][A-Za-z0-9:_.@-]{0,200}\.service$"


class AttachedAddress(Model):
    """An address that hosts have for this workload alone; it goes along, and the segment is told."""

    ip: StaticAddress
    card: Annotated[str, Field(pattern=INTERFACE)] = Field(description="The hosts' card that it is on")


class Attach(Model):
    """A daemon that runs already, in its host's own namespaces. It is never started, stopped or made anew."""

    pidfile: Path | None = Field(None, description="File with the ID of its first process")
    unit: Annotated[str, Field(pattern=UNIT)] | None = Field(None, description="systemd service that it is")
    addresses: list[AttachedAddress] = Field([], description="Clients' connections to these go along (IPv4, /32)")
    folders: list[Path] = Field([], description="What it writes into; they go along, and are gone where it was")

    @model_validator(mode="after")
    def _together(self) -> Self:
        if (self.pidfile is None) == (self.unit is None):
            raise ValueError("give `pidfile` or `unit`, and not both")
        for address in self.addresses:
            if ":" in address.ip:
                raise ValueError(f"{address.ip} is IPv6: only IPv4 addresses of attached processes go along yet")
        for folder in self.folders:
            parts = folder.split("/")
            if len(parts) < 3 or parts[1] in SYSTEMS or folder in SHARED:
                raise ValueError(f"{folder} is not the workload's alone, and would be gone where it was")
            if inside := next((o for o in self.folders if o != folder and folder.startswith(f"{o}/")), ""):
                raise ValueError(f"{folder} is in {inside}, which goes along as a whole")
        if len(set(self.folders)) < len(self.folders):
            raise ValueError("a folder is named twice in `folders`")
        return self

    @property
    def by(self) -> tuple[str, str]:
        """How it is found: `pidfile` or `unit`, and which."""
        return ("pidfile", self.pidfile) if self.pidfile else ("unit", self.unit or "")


class FoundTree(Model):
    """A tree of processes in its host's own namespaces. `problem`: a word why it cannot be attached to, and what
    of; empty when it can. `ids`: of processes, threads and groups, which its new host must have free. `sessions`:
    led by none of it; `strays`: processes it has left behind in its control group that are not below its first.
    `enabled`: how systemd has its unit at boot."""

    problem: str = ""
    pid: int = 0
    program: str = ""
    unit: str = ""
    enabled: str = ""
    ids: tuple[int, ...] = ()
    sessions: tuple[int, ...] = ()
    strays: tuple[int, ...] = ()
    terminals: tuple[str, ...] = ()
    deleted: tuple[str, ...] = Field((), description="Programs and libraries whose files are gone")
    writes: tuple[str, ...] = Field((), description="Files that it has open to write")
    reads: tuple[str, ...] = Field((), description="Files that it has open to read only")
    peers: tuple[str, ...] = Field((), description="Local addresses of its TCP connections")


class Ahead(Model):
    """What the host has that a tree comes to. `taken`: IDs, and the program that has each; `above`: those that
    are more than its kernel gives."""

    taken: dict[int, str] = {}
    above: tuple[int, ...] = ()
    cards: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
