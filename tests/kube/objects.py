"""Objects of Kubernetes and KubeVirt for the tests: how clients name their kinds, and some ready to be made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightkube.generic_resource import create_global_resource, create_namespaced_resource

Object = dict[str, Any]
"""As JSON has it. The tests keep to what the API says: the server is strict about fields."""

Migration = create_namespaced_resource(
    "kubevirt.io", "v1", "VirtualMachineInstanceMigration", "virtualmachineinstancemigrations"
)
Instance = create_namespaced_resource("kubevirt.io", "v1", "VirtualMachineInstance", "virtualmachineinstances")
Machine = create_namespaced_resource("kubevirt.io", "v1", "VirtualMachine", "virtualmachines")
Install = create_namespaced_resource("kubevirt.io", "v1", "KubeVirt", "kubevirts")
Policy = create_global_resource("migrations.kubevirt.io", "v1alpha1", "MigrationPolicy", "migrationpolicies")

NODE_LABEL = "kubevirt.io/nodeName"
TARGET_NODE_LABEL = "kubevirt.io/migrationTargetNodeName"
VMI_LABEL = "kubevirt.io/vmi-name"
CREATED_BY = "kubevirt.io/created-by"
JOB_UID = "kubevirt.io/migrationJobUID"
JOB_NAME = "kubevirt.io/migrationJobName"
OBSERVED = "kubevirt.io/latest-observed-api-version"
EVACUATION = "kubevirt.io/evacuationMigration"
FINALIZER = "kubevirt.io/migrationJobFinalize"


def node(name: str, *, zone: str = "", cordoned: bool = False, memory: str = "8Gi", **labels: str) -> Object:
    zones = {"topology.kubernetes.io/zone": zone} if zone else {}
    names = {"kubernetes.io/hostname": name, "kubevirt.io/schedulable": "true"}
    found: Object = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": names | zones | labels},
    }
    found["spec"] = {"unschedulable": True} if cordoned else {}
    found["status"] = {
        "capacity": {"cpu": "8", "memory": memory, "pods": "110"},
        "allocatable": {"cpu": "8", "memory": memory, "pods": "110"},
        "conditions": [{"type": "Ready", "status": "True"}],
    }
    return found


def install(**migrations: object) -> Object:
    """KubeVirt itself; `migrations`: what its configuration says of them."""
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "KubeVirt",
        "metadata": {"name": "kubevirt", "namespace": "kubevirt"},
        "spec": {"configuration": {"migrations": migrations}},
        "status": {"phase": "Deployed", "observedKubeVirtVersion": "v1.9.0", "operatorVersion": "v1.9.0"},
    }


def vmi_spec(memory: str) -> Object:
    return {
        "evictionStrategy": "LiveMigrate",
        "domain": {
            "devices": {"disks": [{"name": "root", "disk": {"bus": "virtio"}}]},
            "memory": {"guest": memory},
        },
        "volumes": [{"name": "root", "containerDisk": {"image": "registry.invalid/disk:1"}}],
    }


def machine(name: str, *, namespace: str = "default", memory: str = "512Mi", strategy: str = "Always") -> Object:
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "runStrategy": strategy,
            "template": {"metadata": {"labels": {"kubevirt.io/vm": name}}, "spec": vmi_spec(memory)},
        },
    }


def instance(
    name: str,
    where: str,
    *,
    namespace: str = "default",
    memory: str = "512Mi",
    migratable: tuple[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> Object:
    """A running VMI on node `where`; `migratable`: (reason, message) why it cannot be moved."""
    movable: Object = {"type": "LiveMigratable", "status": "True"}
    if migratable:
        movable |= {"status": "False", "reason": migratable[0], "message": migratable[1]}
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstance",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {NODE_LABEL: where, "kubevirt.io/vm": name, **(labels or {})},
        },
        "spec": vmi_spec(memory),
        "status": {
            "phase": "Running",
            "nodeName": where,
            "migrationMethod": "BlockMigration",
            "conditions": [{"type": "Ready", "status": "True"}, movable],
        },
    }


def launcher(vmi: Object, where: str, *, job: Object | None = None) -> Object:
    """A launcher pod of a VMI that the server knows (it has a UID); `job`: the migration whose target it is."""
    meta = vmi["metadata"]
    labels = {"kubevirt.io": "virt-launcher", CREATED_BY: meta["uid"], "vm.kubevirt.io/name": meta["name"]}
    annotations = {"kubevirt.io/domain": meta["name"]}
    selector: dict[str, str] = {}
    if job:
        labels[JOB_UID] = job["metadata"]["uid"]
        annotations[JOB_NAME] = job["metadata"]["name"]
        selector = dict(job["spec"].get("addedNodeSelector") or {})
    apart = {
        "labelSelector": {"matchLabels": {CREATED_BY: meta["uid"]}},
        "topologyKey": "kubernetes.io/hostname",
    }
    spec: Object = {
        "nodeSelector": {"kubevirt.io/schedulable": "true", **selector},
        "containers": [{"name": "compute", "image": "registry.invalid/virt-launcher:1"}],
        "restartPolicy": "Never",
        "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [apart]}}
        if job
        else None,
    }
    if where:
        spec["nodeName"] = where
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": f"virt-launcher-{meta['name']}-",
            "namespace": meta["namespace"],
            "labels": labels,
            "annotations": annotations,
        },
        "spec": {key: value for key, value in spec.items() if value is not None},
    }


RUNNING = {
    "phase": "Running",
    "conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "True"}],
}
"""A pod's status once its kubelet runs it."""
