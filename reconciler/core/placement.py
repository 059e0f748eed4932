"""Where a workload belongs: a named host, or the first suitable one by a rule everybody can repeat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.model.place import cluster_of, node_of, seat
from reconciler.model.spec import Host, Placement, Workload
from reconciler.model.world import HostFacts


@dataclass(frozen=True)
class Placed:
    host: str


@dataclass(frozen=True)
class NotPlaced:
    """No host is left. `removed` says which rule removed which host."""

    removed: dict[str, str]

    def __str__(self) -> str:
        return "; ".join(f"{host}: {reason}" for host, reason in sorted(self.removed.items())) or "no hosts"


def place(
    workload: Workload, hosts: Mapping[str, Host], seen: Mapping[str, HostFacts], current: str | None
) -> Placed | NotPlaced:
    """The host a workload belongs on; `seen` are the hosts that answered.

    A named host is taken as it is. With labels: the current host when it still fits, else the first by name
    among hosts that carry the labels, are schedulable and were seen.
    """
    placement = workload.spec.placement
    if placement.cluster is not None:
        return _in_cluster(placement, placement.cluster, seen, current)
    if placement.host is not None:
        return Placed(placement.host)
    removed: dict[str, str] = {}
    fitting: list[str] = []
    for name in sorted(hosts):
        reason = _why_not(name, hosts[name], placement.labels or {}, seen, current)
        if reason:
            removed[name] = reason
        else:
            fitting.append(name)
    if not fitting:
        return NotPlaced(removed)
    return Placed(current if current in fitting else fitting[0])


def _in_cluster(
    placement: Placement, cluster: str, seen: Mapping[str, HostFacts], current: str | None
) -> Placed | NotPlaced:
    """A node by name, or by labels as among hosts. Without either, or where it is on no node yet, wherever the
    cluster's own scheduler wants it."""
    own = seat(cluster)
    nodes = {name: facts for name, facts in seen.items() if cluster_of(name) == cluster and node_of(name)}
    if own not in seen:
        return Placed(placement.place or own)  # it was not seen, which is said of it
    if placement.node is not None:
        wanted = seat(cluster, placement.node)
        return Placed(wanted) if wanted in nodes else NotPlaced({wanted: "the cluster has no such node"})
    if not placement.labels:
        return Placed(current if current is not None and cluster_of(current) == cluster else own)
    removed: dict[str, str] = {}
    fitting: list[str] = []
    for name, facts in sorted(nodes.items()):
        lacks = _lacks(facts.labels, placement.labels)
        reason = lacks if name == current else unfit(facts, placement.labels)
        if reason:
            removed[name] = reason
        else:
            fitting.append(name)
    if not fitting:
        return NotPlaced(removed or {own: "it has no nodes"})
    return Placed(current if current in fitting else fitting[0])


def unfit(node: HostFacts, wanted: Mapping[str, str]) -> str | None:
    """Why a node does not take something new that wants these labels; None: it does."""
    return _lacks(node.labels, wanted) or ("cordoned" if node.cordoned else None if node.ready else "not ready")


def _lacks(labels: Mapping[str, str], wanted: Mapping[str, str]) -> str | None:
    for key, value in sorted(wanted.items()):
        have = labels.get(key)
        if have != value:
            return f"label {key} is {have!r}, not {value!r}" if have else f"has no label {key}"
    return None


def _why_not(
    name: str,
    host: Host,
    wanted: Mapping[str, str],
    seen: Mapping[str, HostFacts],
    current: str | None,
) -> str | None:
    if lacks := _lacks(host.metadata.labels, wanted):
        return lacks
    if host.spec.failed:
        return "declared failed"
    if not host.spec.schedulable and name != current:
        return "not schedulable"
    if name not in seen:
        return "not seen"
    return None
