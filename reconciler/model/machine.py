"""The payload of a workload that is a virtual machine of libvirt."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from reconciler.model import domain as xml
from reconciler.model.base import Duration, Model
from reconciler.model.fields import Flag, StaticAddress
from reconciler.model.health import HealthCheck


class VirtualMachine(Model):
    """A domain of libvirt. A change here means that it is made anew, and what it has in memory is lost."""

    domain: Annotated[str, AfterValidator(xml.normal)] = Field(
        description="libvirt's domain XML; its name is the workload's, whatever `<name>` says"
    )
    disks: Literal["shared"] = Field(
        "shared", description="`shared`: both hosts reach the same files or devices under the same paths"
    )
    address: StaticAddress | None = Field(None, description="Where it answers: for health checks")
    autostart: Flag = Field(False, description="libvirt starts it when the host that has it boots")
    stop_within: Duration = Field(
        "30s",
        description="How long it may take to shut down when it is asked to; then its power is cut",
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        found = xml.read(self.domain)
        if not found.get("type"):
            raise ValueError("the `domain` element has no `type`, such as kvm or qemu")
        for wanted in ("memory", "os"):
            if found.find(wanted) is None:
                raise ValueError(f"the domain has no `{wanted}` element")
        return self

    @property
    def files(self) -> tuple[str, ...]:
        """Paths that must be on its host before it can run: disks, kernel, firmware."""
        found = xml.read(self.domain)
        paths = [
            path for one in found.findall("devices/disk/source") for path in (one.get("file"), one.get("dev"))
        ]
        paths += [one.text for tag in ("kernel", "initrd", "loader") for one in found.findall(f"os/{tag}")]
        return tuple(dict.fromkeys(path for path in paths if path and path.startswith("/")))

    @property
    def bridges(self) -> tuple[str, ...]:
        """Bridges of its host that its cards join."""
        sources = xml.read(self.domain).findall("devices/interface[@type='bridge']/source")
        return tuple(dict.fromkeys(name for source in sources if (name := source.get("bridge"))))

    def can_be_asked(self, check: HealthCheck) -> None:
        """ValueError for a health check that no virtual machine can answer."""
        if check.command is not None:
            raise ValueError("`health.command` runs inside a container; ask a virtual machine by `tcp` or `http`")
        if self.address is None:
            raise ValueError("`health` asks it over the network: give `virtualMachine.address`")
