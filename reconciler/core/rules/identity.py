"""Names and addresses: what is taken, and what cannot follow."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from reconciler.core.rules.base import Case, Said, rule
from reconciler.model.labels import LABEL_WORKLOAD
from reconciler.model.spec import TcpHandling
from reconciler.model.world import TcpConnection


@rule("name.taken")
def name_taken(case: Case) -> Iterator[Said]:
    """A container of the workload's name that Reconciler did not make exists on the destination. It is never
    touched."""
    if not (case.arrives and case.destination):
        return
    for container in case.destination.containers:
        ours = container.labels.get(LABEL_WORKLOAD) == case.change.workload
        if container.name == case.change.workload and not ours:
            yield Said(
                f"a container named {container.name} exists on {case.destination.name} and is not ours",
                f"rename it there: podman rename {container.name} NEW-NAME",
            )


@rule("volume.taken")
def volume_taken(case: Case) -> Iterator[Said]:
    """A volume of that name that does not belong to the workload exists on the destination."""
    if not (case.arrives and case.destination and case.wanted):
        return
    wanted = {volume.name for volume in case.wanted.volumes}
    for volume in case.destination.volumes:
        if volume.name in wanted and volume.labels.get(LABEL_WORKLOAD) != case.change.workload:
            yield Said(
                f"volume {volume.name} exists on {case.destination.name} and does not belong to this workload",
                f"remove or rename it there: podman volume rm {volume.name}",
            )


@rule("network.missing")
def network_missing(case: Case) -> Iterator[Said]:
    """A network the container joins does not exist on the destination and no Network spec says how to make
    it."""
    if not (case.arrives and case.destination and case.wanted):
        return
    have = {network.name for network in case.destination.networks}
    for network in case.wanted.networks:
        if network.name not in have and network.name not in case.spec.networks:
            yield Said(
                f"network {network.name} does not exist on {case.destination.name}",
                f"create it there, or add a Network named {network.name} to the specs",
            )


@rule("network.subnet")
def network_subnet(case: Case) -> Iterator[Said]:
    """A static address must lie in a subnet of the network on the destination; otherwise the runtime refuses
    it after the source has been frozen."""
    if not (case.arrives and case.destination and case.wanted):
        return
    for wanted in case.wanted.networks:
        for network in case.destination.networks:
            if network.name != wanted.name or not wanted.ip or not network.subnets:
                continue
            address = ipaddress.ip_address(wanted.ip)
            if not any(address in ipaddress.ip_network(subnet) for subnet in network.subnets):
                yield Said(
                    f"{wanted.ip} is not in network {network.name} on {case.destination.name}"
                    f" ({', '.join(network.subnets)})",
                    "give the network the same subnet on both hosts",
                )


@rule("address.taken")
def address_taken(case: Case) -> Iterator[Said]:
    """Another container already has the workload's static address or MAC on that network."""
    if not (case.arrives and case.wanted):
        return
    claims = {(n.name, value) for n in case.wanted.networks for value in (n.ip, n.mac) if value}
    for network, value in sorted(claims):
        for copy in case.index.addresses.get((network, value), ()):
            if copy.container.labels.get(LABEL_WORKLOAD) != case.change.workload:
                yield Said(
                    f"{value} on network {network} is used by {copy.container.name} on {copy.host}",
                    "give one of them another address",
                    host=copy.host,
                )


@rule("tcp.address-stays")
def tcp_address_stays(case: Case) -> Iterator[Said]:
    """Established TCP connections survive only when the container's address moves along: a static `ip` on a
    network both hosts share (macvlan or ipvlan). Connections inside the container always survive."""
    if not (case.moves and case.wanted and case.container) or case.policy.tcp is TcpHandling.CLOSE:
        return
    static = {network.ip for network in case.wanted.networks if network.ip}
    stranded = {
        _address(connection.local)
        for connection in case.container.tcp_established
        if not _inside(connection) and _address(connection.local) not in static
    }
    if stranded:
        yield Said(
            f"established TCP connections at {', '.join(sorted(stranded))} cannot follow: the address is not"
            " a static `ip` of the spec",
            "give the network attachment a static ip and mac on a macvlan network, or set migration tcp: close",
        )


def _address(endpoint: str) -> str:
    return endpoint.rsplit(":", 1)[0].strip("[]")


def _inside(connection: TcpConnection) -> bool:
    return _address(connection.local) == _address(connection.peer) or _address(connection.local).startswith("127.")
