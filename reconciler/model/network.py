"""Container networks that specs define, for hosts that need one made."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal, Self

from pydantic import Field, Strict, model_validator

from reconciler.model.base import Model
from reconciler.model.fields import INTERFACE, IPAddress, Subnet


class IpamSpec(Model):
    subnet: Subnet
    gateway: IPAddress | None = None
    ip_range: Subnet | None = None

    @model_validator(mode="after")
    def _inside(self) -> Self:
        subnet = ipaddress.ip_network(self.subnet)
        if self.gateway is not None and ipaddress.ip_address(self.gateway) not in subnet:
            raise ValueError(f"`gateway` {self.gateway} is not in {subnet}")
        if self.ip_range is not None:
            part = ipaddress.ip_network(self.ip_range)
            if part.version != subnet.version or part[0] not in subnet or part[-1] not in subnet:
                raise ValueError(f"`ipRange` {part} is not part of {subnet}")
        return self


class NetworkDefinition(Model):
    """A container network made on hosts that need it."""

    driver: Literal["bridge", "macvlan"] = "bridge"
    parent: Annotated[str, Field(pattern=INTERFACE)] | None = None
    ipam: IpamSpec | None = None
    ipam6: IpamSpec | None = Field(None, description="A second subnet, of IPv6, beside one of IPv4")
    mtu: Annotated[int, Strict(), Field(ge=576, le=65535)] | None = Field(None, description="Default: the host's")

    @property
    def ipams(self) -> tuple[IpamSpec, ...]:
        return tuple(filter(None, (self.ipam, self.ipam6)))

    @model_validator(mode="after")
    def _two_kinds(self) -> Self:
        versions = [ipaddress.ip_network(one.subnet).version for one in self.ipams]
        if self.ipam6 is not None and versions != [4, 6]:
            raise ValueError("`ipam6` is an IPv6 subnet beside `ipam`, an IPv4 one")
        return self

    @model_validator(mode="after")
    def _parent(self) -> Self:
        if self.driver == "macvlan" and self.parent is None:
            raise ValueError("a macvlan network needs `parent`, the interface on the host")
        return self
