"""`lab up | status | down | ssh-config --json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from reconciler.cli.views.output.base import Document, Part
from reconciler.lab import Lab


class LabHostRow(Part):
    """A host of a lab."""

    name: str
    address: str
    state: Literal["up", "down"]
    pid: int | None = Field(description="Of its first process on this machine; null when it is down")


class LabRow(Part):
    """A lab."""

    name: str
    backend: str
    subnet: str
    controller_address: str = Field(description="This machine's in it")
    rate: str | None = Field(description="Limit of each host's link, such as 1gbit; null for none")
    inventory: str = Field(description="Spec file of its hosts")
    ssh_config: str = Field(description="File for `ssh -F`")
    hosts: tuple[LabHostRow, ...]


class LabUpDocument(Document):
    """`reconcile lab up --json`"""

    command: Literal["lab up"] = "lab up"
    labs: tuple[LabRow, ...]
    written: str | None = Field(description="The file given with `--write`")


class LabStatusDocument(Document):
    """`reconcile lab status --json`"""

    command: Literal["lab status"] = "lab status"
    labs: tuple[LabRow, ...]


class LabDownDocument(Document):
    """`reconcile lab down --json`"""

    command: Literal["lab down"] = "lab down"
    removed: tuple[str, ...]


class SshConfigDocument(Document):
    """`reconcile lab ssh-config --json`"""

    command: Literal["lab ssh-config"] = "lab ssh-config"
    file: str
    text: str


def up_document(lab: Lab, written: str | None) -> LabUpDocument:
    return LabUpDocument(exit_code=0, labs=(_lab(lab),), written=written)


def status_document(labs: Sequence[Lab]) -> LabStatusDocument:
    return LabStatusDocument(exit_code=0, labs=tuple(_lab(lab) for lab in labs))


def _lab(lab: Lab) -> LabRow:
    return LabRow(
        name=lab.name,
        backend=lab.spec.backend,
        subnet=str(lab.subnet),
        controller_address=str(lab.controller_address),
        rate=lab.spec.rate,
        inventory=str(lab.inventory_path),
        ssh_config=str(lab.ssh_config_path),
        hosts=tuple(
            LabHostRow(
                name=host.name,
                address=host.address,
                state="down" if host.pid is None else "up",
                pid=host.pid,
            )
            for host in lab.hosts
        ),
    )
