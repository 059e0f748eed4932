"""Which addresses and connections of a workload follow it to another host, and the plan's words for it.

Only a static address on a segment that both hosts are on can follow: macvlan, ipvlan, or a bridge of the host's
own (`mode=unmanaged`). What lies behind a bridge of Podman's is known to one host alone, whatever its number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

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


def network_row(
    workload: Workload,
    instance: Instance,
    destination: HostFacts,
    specs: Mapping[str, Network],
    tcp: TcpHandling,
) -> str:
    """What becomes of the addresses and connections of a workload that moves."""
    follow = following(workload, destination.networks, specs)
    have = [ip for n in instance.networks for ip in n.ips]
    along = [ip for ip in have if ip in follow]
    behind = [ip for ip in have if ip not in follow]
    parts = []
    match instance.options.network_mode if isinstance(instance, ContainerFacts) else "":
        case "host":
            parts.append(f"it has the addresses of its host: clients have to follow to {destination.name}")
        case "none":
            parts.append("it has no network")
        case _:
            if along:
                parts.append(f"{', '.join(along)} {_verb(along, 'moves', 'move')} along")
            if behind:
                not_along = f"{', '.join(behind)} {_verb(behind, 'does', 'do')} not move along"
                parts.append(f"{not_along}: clients have to find it on {destination.name}")
    return "; ".join([*parts, _connections(workload, instance, follow, tcp)])


def _connections(workload: Workload, instance: Instance, follow: set[str], tcp: TcpHandling) -> str:
    open_now = instance.tcp_established
    if not open_now:
        return "no TCP connection is established"
    if tcp is TcpHandling.CLOSE:
        return f"{_count(len(open_now))} closed, clients connect again"
    kept = sum(local(c) in follow for c in open_now)
    lost = sum(local(c) in stranded(workload, instance, follow) for c in open_now)
    parts = [
        f"{_count(kept)} kept" if kept else "",
        f"{_count(lost)} lost" if lost else "",
        f"{_count(rest)} kept only if the actions below take the way to it along"
        if (rest := len(open_now) - kept - lost)
        else "",
    ]
    return ", ".join(filter(None, parts))


def _count(number: int) -> str:
    many = number != 1
    return f"{number} established TCP connection{'s' * many} {'are' if many else 'is'}"


def _verb(of: list[str], one: str, many: str) -> str:
    return one if len(of) == 1 else many
