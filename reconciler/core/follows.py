"""Which addresses and connections of a workload follow it to another host, to be told.

Only a static address on a segment that both hosts are on can follow: macvlan, ipvlan, or a bridge of the host's
own (`mode=unmanaged`). What lies behind a bridge of the engine's is known to one host alone, whatever its number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.model.outlook import NetworkOutlook, OwnNetwork
from reconciler.model.spec import Network, TcpHandling, Workload
from reconciler.model.world import ContainerFacts, HostFacts, Instance, NetworkFacts, TcpConnection


def following(workload: Workload, known: Iterable[NetworkFacts], specs: Mapping[str, Network]) -> set[str]:
    """The workload's addresses that are the same, and reachable, on a host with these networks; networks that are
    not there are made from their specs."""
    shared = {n.name: n.on_segment for n in known}
    made = {name: NetworkFacts(name=name, driver=n.spec.driver).on_segment for name, n in specs.items()}
    joined = (n for n in workload.spec.networks if shared.get(n.name, made.get(n.name, False)))
    return {ip for n in joined for ip in n.ips}


def stranded(workload: Workload, instance: Instance, follow: set[str]) -> set[str]:
    """Addresses of established connections that stay behind. Where the specs' own actions take an address along,
    that may be the one in front of a static address behind a bridge: then nobody but their writer knows."""
    actions = workload.spec.migration.actions if workload.spec.migration else None
    static = {ip for n in workload.spec.networks for ip in n.ips} if actions else set()
    return {a for a in map(local, instance.tcp_established) if a not in follow | static}


def local(connection: TcpConnection) -> str:
    """The address of a connection's own end."""
    return connection.local.rsplit(":", 1)[0].strip("[]")


def network_outlook(
    workload: Workload,
    instance: Instance,
    destination: HostFacts,
    specs: Mapping[str, Network],
    tcp: TcpHandling,
) -> NetworkOutlook:
    """What becomes of the addresses and connections of a workload that moves."""
    follow = following(workload, destination.networks, specs)
    have = [ip for n in instance.networks for ip in n.ips]
    mode = instance.options.network_mode if isinstance(instance, ContainerFacts) else ""
    open_now = instance.tcp_established
    closes = tcp is TcpHandling.CLOSE
    behind = stranded(workload, instance, follow)
    kept = 0 if closes else sum(local(c) in follow for c in open_now)
    lost = 0 if closes else sum(local(c) in behind for c in open_now)
    closed = len(open_now) if closes else 0
    return NetworkOutlook(
        of={"host": OwnNetwork.HOST, "none": OwnNetwork.NONE}.get(mode, OwnNetwork.OWN),
        along=tuple(ip for ip in have if ip in follow),
        behind=tuple(ip for ip in have if ip not in follow),
        established=len(open_now),
        kept=kept,
        closed=closed,
        lost=lost,
        by_actions=len(open_now) - closed - kept - lost,
    )
