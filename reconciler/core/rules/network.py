"""Networks, addresses and ports: what is taken, and what cannot follow."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from reconciler.core.follows import following, stranded
from reconciler.core.rules.base import Case, Said, rule
from reconciler.model.container_network import port_range
from reconciler.model.labels import LABEL_WORKLOAD
from reconciler.model.network import NetworkDefinition
from reconciler.model.spec import TcpHandling
from reconciler.model.world import NetworkFacts


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
            if network.name != wanted.name or not network.subnets:
                continue
            for ip in wanted.ips:
                address = ipaddress.ip_address(ip)
                if not any(address in ipaddress.ip_network(subnet) for subnet in network.subnets):
                    yield Said(
                        f"{ip} is not in network {network.name} on {case.destination.name}"
                        f" ({', '.join(network.subnets)})",
                        "give the network the same subnet on both hosts",
                    )


@rule("address.taken")
def address_taken(case: Case) -> Iterator[Said]:
    """Another container already has the workload's static address or MAC on that network."""
    if not (case.arrives and case.wanted):
        return
    claims = {(n.name, value) for n in case.wanted.networks for value in (*n.ips, n.mac) if value}
    for network, value in sorted(claims):
        for copy in case.index.addresses.get((network, value), ()):
            if copy.instance.labels.get(LABEL_WORKLOAD) != case.change.workload:
                yield Said(
                    f"{value} on network {network} is used by {copy.instance.name} on {copy.host}",
                    "give one of them another address",
                    host=copy.host,
                )


@rule("network.differs")
def network_differs(case: Case) -> Iterator[Said]:
    """A network of that name exists on the destination and is of another kind: another driver than on the source
    or in its Network spec, or another subnet than the spec's. Addresses would not be reachable, or refused."""
    if not (case.arrives and case.destination and case.wanted):
        return
    here = {n.name: n for n in case.source.networks} if case.moves and case.source else {}
    for wanted in case.wanted.networks:
        there = next((n for n in case.destination.networks if n.name == wanted.name), None)
        spec = case.spec.networks.get(wanted.name)
        if there is None:
            continue
        if difference := _difference(there, spec.spec if spec else None, here.get(wanted.name), case.origin):
            remove = f"{case.engine} network rm {there.name}"
            yield Said(
                f"network {there.name} on {case.destination.name} is {difference}",
                f"make it anew there: {remove}, then apply with a Network spec for it",
            )


def _difference(
    there: NetworkFacts, spec: NetworkDefinition | None, here: NetworkFacts | None, origin: str
) -> str:
    if spec and there.driver and there.driver != spec.driver:
        return f"{there.driver}, its spec says {spec.driver}"
    for ipam in spec.ipams if spec and there.subnets else ():
        if ipam.subnet not in there.subnets:
            return f"{', '.join(there.subnets)}, its spec says {ipam.subnet}"
    if here and there.driver and here.driver and there.driver != here.driver:
        return f"{there.driver}, and {here.driver} on {origin}"
    return ""


@rule("network.mac-changes", warns=True)
def mac_changes(case: Case) -> Iterator[Said]:
    """Neighbours remember which MAC belongs to an address. When the address moves and the MAC is made anew, they
    talk to the old one until their caches run out: clients see a pause that the plan does not predict."""
    if not (case.moves and case.wanted and case.destination):
        return
    shared = {network.name for network in case.destination.networks if network.on_segment}
    for wanted in case.wanted.networks:
        if wanted.ip and not wanted.mac and wanted.name in shared:
            yield Said(
                f"{wanted.ip} moves along and its MAC does not: neighbours may look for the old one for a while",
                f"give the attachment to {wanted.name} a mac in the spec, such as 02:00:00:00:01:00",
            )


@rule("address.of-host")
def address_of_host(case: Case) -> Iterator[Said]:
    """The workload's static address is an address of the destination host itself."""
    if not (case.ahead and case.wanted):
        return
    for wanted in case.wanted.networks:
        for ip in wanted.ips:
            if ip in case.ahead.addresses:
                yield Said(
                    f"{ip} on network {wanted.name} is an address of {case.where} itself",
                    "give the workload another address",
                )


@rule("address.answers")
def address_answers(case: Case) -> Iterator[Said]:
    """Something else on the segment answers for the workload's static address: a machine or container that is in
    no spec. Two owners of one address break both."""
    if not (case.ahead and case.wanted):
        return
    macs = {n.mac for n in case.wanted.networks}
    macs |= {n.mac for n in (case.container.networks if case.container else ())}
    for ip in (ip for wanted in case.wanted.networks for ip in wanted.ips):
        mac = case.ahead.answers.get(ip, "")
        if mac and mac.lower() not in macs:
            yield Said(
                f"{ip} is in use: {mac} answers for it on the segment of {case.where}",
                f"find it (ip neigh show {ip}) and give one of them another address",
            )


@rule("port.taken")
def port_taken(case: Case) -> Iterator[Said]:
    """A published port is in use on the destination host: the container could be made there and not started."""
    if not (case.ahead and case.wanted) or case.change.source == case.where:
        return
    for port in case.wanted.ports:
        for entry in case.ahead.listening:
            protocol, _, endpoint = entry.partition("/")
            address, _, number = endpoint.rpartition(":")
            if protocol != port.protocol or int(number) not in port_range(port.host):
                continue
            if address in ("0.0.0.0", "[::]") or port.address is None or port.address == address:  # noqa: S104
                yield Said(
                    f"port {number}/{port.protocol} is in use on {case.where} (at {endpoint})",
                    f"find its owner on {case.where} (ss -lpn sport = :{number}) or publish another port",
                )
                break


@rule("port.stays", warns=True)
def port_stays(case: Case) -> Iterator[Said]:
    """A published port belongs to its host's address. After the move clients must connect to the destination, and
    connections that came through the port are cut."""
    if case.moves and case.wanted and case.wanted.ports:
        ports = ", ".join(f"{port.host}/{port.protocol}" for port in case.wanted.ports)
        yield Said(
            f"published at {ports}: clients have to follow from {case.origin} to {case.where}",
            "give the workload an address of its own on a macvlan network, or move one along by migration.actions",
        )


@rule("tcp.address-stays")
def tcp_address_stays(case: Case) -> Iterator[Said]:
    """Established TCP connections survive only when the container's address moves along: a static `ip` on a
    network both hosts share (macvlan or ipvlan). Connections inside the container always survive."""
    if not (case.moves and case.wanted and case.container) or case.policy.tcp is TcpHandling.CLOSE:
        return
    workload = case.spec.workloads[case.change.workload]
    there = case.destination.networks if case.destination else ()
    follow = following(workload, there, case.spec.networks)
    if found := stranded(workload, case.container, follow):
        yield Said(
            f"established TCP connections at {', '.join(sorted(found))} cannot follow: the address is no"
            f" static `ip` on a segment that {case.where} is on too",
            "give the network attachment a static ip and mac on a macvlan network, or set migration tcp: close",
        )


@rule("tcp.translated", acceptable=True)
def tcp_translated(case: Case) -> Iterator[Said]:
    """Rules inside the workload's network translate addresses or ports of connections (redirect, DNAT, SNAT, as
    service meshes and VPNs do). The rules move along, but what the kernel remembers of each connection does not:
    one that was translated fails after the move. Which of them are, nobody outside can tell."""
    if not (case.held and case.container) or case.policy.tcp is TcpHandling.CLOSE:
        return
    if case.held.translates and case.container.tcp_established:
        yield Said(
            "rules of its own translate addresses (NAT), and connections that they translated will fail after"
            f" the move; {len(case.container.tcp_established)} are established",
            "set migration tcp: close, or accept the rule where clients come in and go out untranslated",
            host=case.origin,
        )
