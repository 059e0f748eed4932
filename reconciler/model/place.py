"""Names of places. A host has its own; a node of a cluster is `CLUSTER/NODE`, and what a cluster has on no node,
such as a virtual machine that is stopped, is at `CLUSTER/`. Hosts' names have no slash."""

from __future__ import annotations


def cluster_of(place: str) -> str:
    """The cluster that a place is in; empty for a host."""
    cluster, slash, _ = place.partition("/")
    return cluster if slash else ""


def node_of(place: str) -> str:
    """The node that a place is; empty for a host, and for a cluster's place without a node."""
    return place.partition("/")[2]


def seat(cluster: str, node: str = "") -> str:
    """The place that a node of a cluster is; without one, the cluster's own."""
    return f"{cluster}/{node}"


def leased(place: str) -> str:
    """Whose lease excludes others from a place: a cluster has one for all its nodes."""
    return seat(cluster) if (cluster := cluster_of(place)) else place
