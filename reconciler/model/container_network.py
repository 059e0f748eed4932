"""How a container is reached, and whom it finds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from reconciler.model.base import Model, Name
from reconciler.model.fields import HostName, IPAddress, Mac, Ports, StaticAddress


class NetworkAttachment(Model):
    """A network the container joins; the network must exist on the host unless `create` says how."""

    name: Name
    ip: StaticAddress | None = None
    ip6: StaticAddress | None = Field(None, description="A second address, where `ip` is an IPv4 address")
    mac: Mac | None = None
    aliases: Annotated[list[HostName], AfterValidator(lambda names: sorted(set(names)))] = Field(
        [], description="Names others on the network find it by, beside its own"
    )

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if self.ip6 is not None and ":" not in self.ip6:
            raise ValueError("`ip6` must be an IPv6 address")
        if self.ip6 is not None and self.ip is None:
            # Alone it is the one address, wherever it was written.
            return self.model_copy(update={"ip": self.ip6, "ip6": None})
        if self.ip6 is not None and self.ip is not None and ":" in self.ip:
            raise ValueError("`ip` and `ip6` are both IPv6 addresses; an engine takes one of each kind")
        return self

    @property
    def ips(self) -> tuple[str, ...]:
        """All addresses of its own."""
        return tuple(filter(None, (self.ip, self.ip6)))


def port_range(port: int | str) -> range:
    """The ports of `8080`, or of `8000-8010`."""
    first, _, last = str(port).partition("-")
    return range(int(first), int(last or first) + 1)


class PublishedPort(Model):
    """A port of the host, or as many in a row as the container has."""

    container: Ports
    host: Ports
    protocol: Literal["tcp", "udp", "sctp"] = "tcp"
    address: IPAddress | None = None

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        here, there = len(port_range(self.host)), len(port_range(self.container))
        if here != there:
            raise ValueError(f"`host` is {here} ports and `container` {there}: give as many of each")
        return self

    @property
    def pairs(self) -> Iterator[tuple[int, int]]:
        """Each port of the host with the container's."""
        return zip(port_range(self.host), port_range(self.container), strict=True)
