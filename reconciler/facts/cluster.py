"""The nodes of a cluster, as the places they are."""

from __future__ import annotations

from reconciler.core import answers
from reconciler.core.quantity import quantity
from reconciler.model.command import ApiCall, Program, Seconds, Verb
from reconciler.model.place import seat
from reconciler.model.resources import NAMESPACE, NODE
from reconciler.model.world import HostFacts

ITS_OWN = "kube-system"
"""The namespace that every cluster has for as long as it is there: its UID is the cluster's."""
AGE: Seconds = 60.0
ZONE = "topology.kubernetes.io/zone"
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
"""Architectures by the names that hosts have for them."""


def look(cluster: str) -> Program[dict[str, HostFacts]]:
    """By the names of their places, what runtimes add not yet among it. Memory is what the node gives to pods."""
    told = yield ApiCall(Verb.LIST, NODE)
    listed = answers.mapping(answers.parsed(told.stdout, "nodes"), "nodes")
    nodes = [_node(cluster, one) for one in answers.items(listed.get("items"), "nodes")]
    return {node.name: node for node in nodes}


def identity() -> Program[str]:
    """What is the same for names of one cluster; empty where it may not be read."""
    told = yield ApiCall(Verb.GET, NAMESPACE, ITS_OWN, ok=(403, 404), age=AGE)
    if told.status >= 400:
        return ""
    metadata = answers.mapping(answers.parsed(told.stdout, "a namespace"), "a namespace").get("metadata")
    return answers.word(answers.mapping(metadata, "a namespace").get("uid"), "the UID of a namespace")


def _node(cluster: str, raw: object) -> HostFacts:
    found = answers.mapping(raw, "a node")
    metadata, spec, status = (answers.mapping(found.get(part), part) for part in ("metadata", "spec", "status"))
    info = answers.mapping(status.get("nodeInfo"), "a node")
    labels = answers.labels(metadata.get("labels"), "labels of a node")
    arch = answers.word(info.get("architecture"), "an architecture")
    conditions = [
        answers.mapping(one, "a condition") for one in answers.items(status.get("conditions"), "conditions")
    ]
    ready = next((one.get("status") for one in conditions if one.get("type") == "Ready"), "True")
    memory = answers.mapping(status.get("allocatable"), "a node's room").get("memory")
    return HostFacts(
        name=seat(cluster, answers.name(metadata.get("name"), "the name of a node")),
        arch=_MACHINES.get(arch, arch),
        versions={"kernel": answers.word(info.get("kernelVersion"), "a kernel")},
        memory_free_bytes=quantity(memory, "a node's memory"),
        memory_told=memory is not None,
        labels=labels,
        zone=labels.get(ZONE, ""),
        cordoned=spec.get("unschedulable") is True,
        ready=ready == "True",
    )
