"""All virtual machines of a cluster, by a number of calls that does not grow with them: nodes, machines, instances
and migrations, and launcher pods where any machine has had more than one. KubeVirt's settings and policies change
seldom, and may be as old as `AGE`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconciler.core import answers
from reconciler.core.quantity import quantity
from reconciler.model.cluster_world import ClusterMachineFacts, MigrationLimits
from reconciler.model.command import ApiCall, Program, Resource, Seconds, Verb
from reconciler.model.labels import LABEL_SPEC, LABEL_WORKLOAD
from reconciler.model.place import seat
from reconciler.model.resources import KUBEVIRT, MIGRATION, NAMESPACE, POD, POLICY, VM, VMI
from reconciler.model.world import HostFacts, InstanceNetwork, InstanceState, Marker
from reconciler.runtimes.kubevirt import applied, marks, terms
from reconciler.runtimes.kubevirt.looking import Guest, Whereabouts, lives, unfinished, whereabouts
from reconciler.runtimes.kubevirt.objects import (
    HOSTNAME,
    LAUNCHER,
    Object,
    Pod,
    Reading,
    pod_of,
    readings,
)

NAME = "kubevirt"
Owners = Mapping[tuple[str, str], tuple[str, str]]
"""By namespace and name: the workload that is this machine, and what its spec says without a manifest."""
AGE: Seconds = 60.0
"""How old KubeVirt's settings and policies, and labels of namespaces, may be."""
WAITING = ("", "Pending", "Scheduling", "Scheduled")
"""Phases of migrations that KubeVirt does not count against its limits yet."""


@dataclass(frozen=True)
class Listed:
    """What the lists of a cluster say. `spaces`: labels of namespaces, where any policy asks for them."""

    here: Whereabouts
    settings: Object
    policies: list[Reading]
    spaces: Mapping[str, Mapping[str, str]]
    running: list[Reading]
    by_machine: Mapping[tuple[str, str], Reading]
    pods: Mapping[str, list[Pod]]

    @property
    def limits(self) -> MigrationLimits:
        return terms.limits(self.settings)


def observe(nodes: Mapping[str, HostFacts]) -> Program[dict[str, HostFacts]]:
    """The nodes, and the cluster's own place, with all machines. `nodes` are by the names of their places."""
    here = yield from whereabouts()
    installed = yield from _listed(KUBEVIRT, age=AGE)
    version = next((one.word("status", "observedKubeVirtVersion") for one in installed), "")
    settings = installed[0].part("spec", "configuration", "migrations") if installed else {}
    machines = yield from _listed(VM)
    instances = yield from _listed(VMI)
    jobs = [one for one in (yield from _listed(MIGRATION)) if unfinished(one)]
    pods: dict[str, list[Pod]] = {}
    if any(_may_have_more(one) for one in instances):
        for pod in map(pod_of, (yield from _listed(POD, LAUNCHER))):
            if pod.active:
                pods.setdefault(pod.owner, []).append(pod)
    told = yield ApiCall(Verb.LIST, POLICY, ok=(403, 404), age=AGE)
    policies = readings(told, "policies") if told.status < 400 else []
    spaces: dict[str, Mapping[str, str]] = {}
    if terms.asks_namespaces(policies):
        spaces = {one.name: one.labels for one in (yield from _listed(NAMESPACE, age=AGE))}
    named = {(one.namespace, answers.string(one.part("spec").get("vmiName"), "a machine")): one for one in jobs}
    started = [one for one in jobs if one.phase not in WAITING]
    seen = Listed(here, settings, policies, spaces, started, named, pods)
    by_name = {(one.namespace, one.name): one for one in instances}
    found = [Guest(vm, by_name.get((vm.namespace, vm.name))) for vm in machines]
    return _placed(nodes, seen, found, version or "unknown")


def _listed(resource: Resource, selector: str = "", age: Seconds = 0.0) -> Program[list[Reading]]:
    told = yield ApiCall(Verb.LIST, resource, selector=selector, age=age)
    return readings(told, resource.plural)


def _may_have_more(instance: Reading) -> bool:
    """Whether more than one pod of it may be there. virt-controller counts all in `activePods`, also those that
    have ended and are still there; where it has not said, nobody knows."""
    return len(instance.part("status", "activePods")) != 1


def _placed(
    nodes: Mapping[str, HostFacts], seen: Listed, machines: Iterable[Guest], version: str
) -> dict[str, HostFacts]:
    """Each machine where it runs; what runs on no node, or on one that is not there any more, on the cluster's own
    place."""
    own = seat(seen.here.cluster)
    places = {**nodes, own: HostFacts(name=own)}
    instances: dict[str, list[ClusterMachineFacts]] = {}
    markers: dict[str, list[Marker]] = {}
    owners = {(ref.namespace, ref.name): (name, ref.section) for name, ref in seen.here.workloads.items()}
    leaving = Counter(one.word("status", "migrationState", "sourceNode") for one in seen.running)
    for machine in machines:
        if machine.vm.deleting and machine.instance is None:
            continue
        place = seat(seen.here.cluster, machine.node)
        place = place if place in places else own
        facts = facts_of(machine, owners, seen, leaving)
        instances.setdefault(place, []).append(facts)
        for at, marker in marks.of(machine, seen.here.cluster, place, facts.labels.get(LABEL_WORKLOAD, "")):
            if at in places:
                markers.setdefault(at, []).append(marker)
    return {
        name: host.model_copy(
            update={
                "runtimes": {**host.runtimes, NAME: version},
                "instances": tuple(instances.get(name, ())),
                "markers": tuple(markers.get(name, ())),
                "memory_free_bytes": max(
                    0, host.memory_free_bytes - sum(i.memory_bytes for i in instances.get(name, ()))
                ),
            }
        )
        for name, host in places.items()
    }


def facts_of(machine: Guest, owners: Owners, seen: Listed, leaving: Mapping[str, int]) -> ClusterMachineFacts:
    vm, instance = machine.vm, machine.instance
    empty = Reading({})
    running = instance or empty
    migratable = running.condition("LiveMigratable")
    state = _state(instance)
    job = seen.by_machine.get((vm.namespace, vm.name))
    labels, drift = _labels(vm, owners)
    limits = seen.limits.model_copy(
        update={"running": len(seen.running), "from_node": leaving.get(machine.node, 0)}
    )
    template = vm.part("spec", "template", "spec")
    return ClusterMachineFacts(
        id=running.uid or vm.uid,
        name=vm.name,
        namespace=vm.namespace,
        runtime=NAME,
        state=state,
        labels=labels,
        reason=vm.text("status", "printableStatus"),
        started_at=running.time("metadata", "creationTimestamp") if state.has_processes else 0.0,
        memory_bytes=_memory(running) if state.has_processes else 0,
        networks=_networks(running),
        migratable={"True": True, "False": False}.get(str(migratable.raw.get("status"))),
        why_not=": ".join(filter(None, (migratable.word("reason"), migratable.text("message")))),
        method=running.word("status", "migrationMethod"),
        pods=tuple(sorted(pod.node for pod in seen.pods.get(running.uid, ()) if pod.node and not pod.killed)),
        migration=job.name if job else "",
        evacuated_from=running.word("status", "evacuationNodeName"),
        pinned=answers.word(answers.mapping(template.get("nodeSelector"), "a selector").get(HOSTNAME), "a node"),
        drift=drift,
        restart_needed=vm.condition("RestartRequired").raw.get("status") == "True",
        limits=limits,
        terms=terms.in_force(seen.settings, seen.policies, running.labels, seen.spaces.get(vm.namespace, {})),
    )


def _state(instance: Reading | None) -> InstanceState:
    if instance is None or instance.phase in ("Succeeded", "Failed"):
        return InstanceState.EXITED
    if not lives(instance):
        return InstanceState.CREATED
    return (
        InstanceState.PAUSED if instance.condition("Paused").raw.get("status") == "True" else InstanceState.RUNNING
    )


def _labels(vm: Reading, owners: Owners) -> tuple[dict[str, str], tuple[str, ...]]:
    """Whose it is, and what it was made from; fields that differ from that. One that we did not make is a
    workload's only as long as a spec says so: nothing removes it when the spec goes."""
    workload, section = owners.get((vm.namespace, vm.name), ("", ""))
    made_from = vm.annotations.get(LABEL_SPEC, "")
    if made_from:
        found, drift = applied.as_it_is(made_from, vm)
        return {LABEL_WORKLOAD: workload or vm.labels.get(LABEL_WORKLOAD, ""), LABEL_SPEC: found}, drift
    if workload:
        return {LABEL_WORKLOAD: workload, LABEL_SPEC: section}, ()
    return {}, ()


def _memory(instance: Reading) -> int:
    current = quantity(instance.part("status", "memory").get("guestCurrent"), "memory")
    domain = instance.part("spec", "domain")
    guest = quantity(answers.mapping(domain.get("memory"), "memory").get("guest"), "memory")
    requested = instance.part("spec", "domain", "resources", "requests").get("memory")
    return current or guest or quantity(requested, "memory")


def _networks(instance: Reading) -> tuple[InstanceNetwork, ...]:
    found = []
    for one in answers.items(instance.part("status").get("interfaces"), "interfaces"):
        card = answers.mapping(one, "an interface")
        mac = answers.mac(card["mac"], "a MAC address") if card.get("mac") else None
        found.append(InstanceNetwork(name=answers.word(card.get("name"), "an interface"), mac=mac))
    return tuple(found)
