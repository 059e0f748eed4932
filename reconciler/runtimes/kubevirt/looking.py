"""One machine, looked at closely: its objects, its pods, and whether it runs on this node."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.core import answers
from reconciler.errors import CommandFailed
from reconciler.model.cluster import MachineRef
from reconciler.model.command import ApiCall, Program, Seconds, Verb
from reconciler.model.labels import LABEL_WORKLOAD
from reconciler.model.resources import MIGRATION, POD, VM, VMI
from reconciler.model.world import Alive
from reconciler.runtimes.kubevirt.objects import CREATED_BY, FINAL, Pod, Reading, pod_of, readings

SETTLES: Seconds = 30.0
"""Longest the pod of the other side may take to end once KubeVirt says that all is over."""


@dataclass(frozen=True)
class Whereabouts:
    """The place that is asked. `workloads`: namespace and name of the machines that specs name."""

    cluster: str
    node: str
    namespace: str
    workloads: Mapping[str, MachineRef]
    now: Seconds


@dataclass(frozen=True)
class Guest:
    """A virtual machine as it is now; `instance` None: it does not run."""

    vm: Reading
    instance: Reading | None = None

    @property
    def namespace(self) -> str:
        return self.vm.namespace

    @property
    def name(self) -> str:
        return self.vm.name

    @property
    def node(self) -> str:
        """Where it runs, by KubeVirt's word."""
        return self.instance.word("status", "nodeName") if self.instance and lives(self.instance) else ""


def lives(instance: Reading) -> bool:
    return instance.phase in ("Scheduled", "Running")


def whereabouts() -> Program[Whereabouts]:
    result = yield ApiCall(Verb.WHEREABOUTS, VM)
    told = json.loads(result.stdout)
    workloads = {name: MachineRef(*ref) for name, ref in told["workloads"].items()}
    return Whereabouts(told["cluster"], told["node"], told["namespace"], workloads, told["now"])


def find(workload: str, here: Whereabouts) -> Program[Reading | None]:
    """Its VirtualMachine: by the name that specs give it, else by the label that marking it has left."""
    if workload in here.workloads:
        namespace, name, _ = here.workloads[workload]
        told = yield ApiCall(Verb.GET, VM, name, namespace, ok=(404,))
        return Reading.of(told, "a virtual machine") if told.status < 400 else None
    told = yield ApiCall(Verb.LIST, VM, selector=f"{LABEL_WORKLOAD}={workload}")
    found = readings(told, "virtual machines")
    if len(found) > 1:
        raise answers.refused(len(found), f"the machines of {workload}", "one machine")
    return found[0] if found else None


def machine(workload: str, here: Whereabouts) -> Program[Guest | None]:
    vm = yield from find(workload, here)
    if vm is None:
        return None
    told = yield ApiCall(Verb.GET, VMI, vm.name, vm.namespace, ok=(404,))
    return Guest(vm, Reading.of(told, "an instance") if told.status < 400 else None)


def there(workload: str, here: Whereabouts) -> Program[Guest]:
    found = yield from machine(workload, here)
    if found is None:
        raise CommandFailed(f"{workload} is not there", code="C315", why="the cluster has no such VirtualMachine")
    return found


def pods(found: Guest) -> Program[list[Pod]]:
    """Those that were made for it and have not ended."""
    if found.instance is None:
        return []
    selector = f"{CREATED_BY}={found.instance.uid}"
    told = yield ApiCall(Verb.LIST, POD, namespace=found.namespace, selector=selector)
    return [pod for pod in map(pod_of, readings(told, "launcher pods")) if pod.active]


def migrations(found: Guest) -> Program[list[Reading]]:
    told = yield ApiCall(Verb.LIST, MIGRATION, namespace=found.namespace)
    listed = readings(told, "migrations")
    return [one for one in listed if one.part("spec").get("vmiName") == found.name]


def time_to_end(pod: Pod, over: Seconds) -> Seconds:
    """Until when a pod that the machine has left may still be there: `over` is when its migration was. One that is
    being deleted has its own time to end in, and its kubelet some to say so."""
    return max(over, pod.killed) + SETTLES


def alive(workload: str) -> Program[Alive]:
    """A pod that only receives it does not run it, nor does what a failed migration has left. One that KubeVirt
    has moved it away from, and that still runs, does: for as long as it has to end in it is ending, then it is a
    second copy."""
    here = yield from whereabouts()
    found = yield from machine(workload, here)
    if found is None:
        return Alive(False, False)
    if not here.node:
        return Alive(exists=not found.node, running=False, detail=found.vm.text("status", "printableStatus"))
    launched = [pod for pod in (yield from pods(found)) if pod.node == here.node and pod.runs]
    belongs = found.node == here.node
    if belongs:
        return Alive(exists=True, running=True, detail=found.instance.phase if found.instance else "")
    jobs = (yield from migrations(found)) if any(pod.job for pod in launched) else []
    came_to_nothing = {one.uid for one in jobs if one.phase != "Succeeded"}
    copies = [pod for pod in launched if pod.job not in came_to_nothing]
    state = Reading(found.instance.part("status", "migrationState") if found.instance else {})
    over = (state.time("endTimestamp") or here.now) if state.word("sourceNode") == here.node else 0.0
    ending = bool(copies) and all(here.now < time_to_end(pod, over) for pod in copies)
    detail = ", ".join(f"{pod.name}{' is being deleted' if pod.killed else ''}" for pod in copies)
    return Alive(exists=bool(copies), running=bool(copies), detail=detail, ending=ending)


def unfinished(migration: Reading) -> bool:
    return migration.phase not in FINAL
