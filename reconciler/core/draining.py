"""Where the workloads of a node go when it is to be empty: specs that place each of them somewhere else. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.core.placement import unfit
from reconciler.model.cluster_world import ClusterMachineFacts
from reconciler.model.labels import LABEL_WORKLOAD
from reconciler.model.place import cluster_of, node_of
from reconciler.model.spec import Placement, Spec, Workload
from reconciler.model.world import HostFacts

PER_NODE = 2
"""Migrations that KubeVirt lets leave a node at once, unless it is told otherwise."""


@dataclass(frozen=True)
class Draining:
    """`spec` places the node's `workloads` on other nodes. `nowhere`: why no node was found, by workload; they
    stay. `strangers`: machines there that no spec names. `at_once`: how many KubeVirt lets go at once."""

    spec: Spec
    workloads: frozenset[str]
    nowhere: Mapping[str, str]
    strangers: tuple[str, ...]
    at_once: int = PER_NODE


def drained(spec: Spec, seen: Mapping[str, HostFacts], place: str) -> Draining:
    """The largest machine first, each to the fitting node that has most memory left then."""
    cluster = cluster_of(place)
    nodes = {n: facts for n, facts in seen.items() if cluster_of(n) == cluster and node_of(n) and n != place}
    free = {name: facts.memory_free_bytes for name, facts in nodes.items()}
    there = [one for one in seen[place].instances if isinstance(one, ClusterMachineFacts)]
    placed: dict[str, Workload] = {}
    nowhere: dict[str, str] = {}
    strangers: list[str] = []
    for machine in sorted(there, key=lambda one: (-one.memory_bytes, one.namespace, one.name)):
        name = machine.labels.get(LABEL_WORKLOAD, "")
        workload = spec.workloads.get(name)
        if workload is None:
            strangers.append(f"{machine.namespace}/{machine.name}")
            continue
        reasons = {n: _unfit(n, nodes[n], workload, seen[place], free, machine) for n in nodes}
        fitting = [n for n, reason in reasons.items() if not reason]
        if not fitting:
            nowhere[name] = "; ".join(f"{node_of(n)}: {r}" for n, r in sorted(reasons.items())) or "no other node"
            continue
        chosen = min(fitting, key=lambda n: (-free[n], n))
        free[chosen] -= machine.memory_bytes
        section = workload.spec.model_copy(update={"placement": _on(workload.spec.placement, chosen)})
        placed[name] = workload.model_copy(update={"spec": section})
    at_once = min((one.limits.node for one in there), default=PER_NODE)
    elsewhere = spec.model_copy(update={"workloads": {**spec.workloads, **placed}})
    return Draining(elsewhere, frozenset(placed), nowhere, tuple(sorted(strangers)), max(1, at_once))


def _on(placement: Placement, place: str) -> Placement:
    return placement.model_copy(update={"node": node_of(place), "labels": None})


def _unfit(
    name: str,
    node: HostFacts,
    workload: Workload,
    source: HostFacts,
    free: Mapping[str, int],
    machine: ClusterMachineFacts,
) -> str:
    if reason := unfit(node, workload.spec.placement.labels or {}):
        return reason
    if node.arch != source.arch:
        return f"its processor is {node.arch}"
    if node.memory_told and free[name] < machine.memory_bytes:
        return "it has less memory left than the machine takes"
    return ""
