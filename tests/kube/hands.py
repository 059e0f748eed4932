"""What is written of one migration of KubeVirt, by virt-controller and by all others."""

from __future__ import annotations

from typing import Any

from lightkube.resources.core_v1 import Event as Said
from lightkube.resources.core_v1 import Namespace, Node, Pod

from tests.kube import objects
from tests.kube.api import Api, now
from tests.kube.decide import Act, World, current_pod, is_down, phase_of
from tests.kube.objects import Instance, Migration, Object
from tests.kube.policy import cluster_settings, settings
from tests.kube.table import CONTROLLER, On, Write

KEPT = 5
"""Finished migrations that virt-controller keeps of a VMI."""
_KINDS: dict[On, Any] = {
    On.MIGRATION: Migration,
    On.VMI: Instance,
    On.TARGET: Pod,
    On.TARGET_STATUS: Pod.Status,
    On.SOURCE_STATUS: Pod.Status,
}


class Hands:
    """Writes for the migration of that name."""

    def __init__(self, api: Api, namespace: str, name: str) -> None:
        self.api, self.namespace, self.name = api, namespace, name

    async def act(self, wanted: Act, world: World, *, lingers: bool) -> None:
        """What virt-controller does beside the phase."""
        assert world.vmi
        match wanted:
            case Act.CREATE_POD:
                pod = await self.api.create(Pod, objects.launcher(world.vmi, "", job=world.migration))
                name = pod["metadata"]["name"]
                await self.api.patch(Pod.Status, name, self.namespace, {"status": {"phase": "Pending"}})
                await self.say(world, "SuccessfulCreate", f"Created migration target pod {name}")
            case Act.DELETE_POD:
                await self.remove_target(world, lingers=lingers)
            case Act.NOTE_SOURCE:
                source = current_pod(world)
                noted = {"sourcePod": source["metadata"]["name"] if source else ""}
                status = {"status": {"migrationState": noted}}
                await self.api.patch(Migration.Status, self.name, self.namespace, status)
            case Act.HAND_OFF:
                await self._hand_off(world, world.vmi)
            case Act.ABORT:
                await self.patch(On.VMI, world, {"status": {"migrationState": {"abortRequested": True}}})
            case Act.MARK_FAILED:
                marks = {"failed": True, "completed": True, "endTimestamp": now(), "startTimestamp": now()}
                marks["failureReason"] = "Target pod is down"
                kept = {key: value for key, value in (world.ours or {}).items() if key in marks and value}
                await self.patch(On.VMI, world, {"status": {"migrationState": marks | kept}})

    async def _hand_off(self, world: World, vmi: Object) -> None:
        pod = world.target
        assert pod
        cluster = cluster_settings(await self.api.list(objects.Install))
        policies = await self.api.list(objects.Policy)
        namespace = await self.api.get(Namespace, self.namespace) or {"metadata": {}}
        labels = vmi["metadata"].get("labels") or {}
        found, policy = settings(cluster, policies, labels, namespace["metadata"].get("labels") or {})
        noted = (world.migration["status"].get("migrationState") or {}).get("sourcePod", "")
        state = {
            "migrationUid": world.uid,
            "sourceNode": vmi["status"]["nodeName"],
            "sourcePod": noted,
            "targetNode": pod["spec"]["nodeName"],
            "targetPod": pod["metadata"]["name"],
            "migrationConfiguration": found,
            **({"migrationPolicyName": policy} if policy else {}),
        }
        label = "/metadata/labels/" + objects.TARGET_NODE_LABEL.replace("/", "~1")
        steps = [
            {"op": "add", "path": "/status/migrationState", "value": state},
            {"op": "add", "path": label, "value": pod["spec"]["nodeName"]},
        ]
        await self.api.patch(Instance, vmi["metadata"]["name"], self.namespace, steps)
        ready = "Migration target pod is ready for preparation by virt-handler."
        await self.say(world, "SuccessfulHandOver", ready)

    async def words(self, world: World) -> dict[str, str]:
        """What is filled into an event's writes now."""
        assert world.vmi
        source = world.vmi["status"].get("nodeName", "")
        target = (world.ours or {}).get("targetNode") or await self._fitting(world, source)
        others = [m["metadata"]["uid"] for m in world.migrations if m["metadata"]["uid"] != world.uid]
        other = others[0] if others else "11111111-1111-1111-1111-111111111111"
        vmi = world.vmi["metadata"]["name"]
        return {"uid": world.uid, "source": source, "target": target, "other": other, "now": now(), "vmi": vmi}

    async def _fitting(self, world: World, source: str) -> str:
        """A scheduler's choice for the target pod, by its node selector alone."""
        wanted = (world.target or {}).get("spec", {}).get("nodeSelector") or {}
        for node in await self.api.list(Node):
            labels = node["metadata"].get("labels") or {}
            free = not (node.get("spec") or {}).get("unschedulable") and node["metadata"]["name"] != source
            if free and wanted.items() <= labels.items():
                return str(node["metadata"]["name"])
        return ""

    async def apply(self, write: Write, world: World, filled: dict[str, str], *, lingers: bool) -> None:
        """One write of an event."""
        if write.delete and write.on is On.TARGET:
            await self.remove_target(world, lingers=lingers)
        elif write.delete:
            name = self._name(write.on, world)
            await self.api.delete(_KINDS[write.on], name, self.namespace)
        elif write.whole:
            await self.patch(write.on, world, [{"op": "remove", "path": write.whole}])
        else:
            await self.patch(write.on, world, _filled(write.body, filled))

    async def patch(self, on: On, world: World, body: Any) -> None:
        """Of whatever is written; nothing where that is gone."""
        await self.api.patch(_KINDS[on], self._name(on, world), self.namespace, body)

    def _name(self, on: On, world: World) -> str:
        pods = {On.TARGET: world.target, On.TARGET_STATUS: world.target, On.SOURCE_STATUS: self._source(world)}
        found = pods.get(on, world.vmi if on is On.VMI else world.migration)
        return str(found["metadata"]["name"]) if found else "none"

    def _source(self, world: World) -> Object | None:
        """The pod that was the VMI's when it was handed off: by now the VMI may be elsewhere. Not one that it had
        there before, and that has ended."""
        where = (world.ours or {}).get("sourceNode")
        there = [p for p in world.pods if p is not world.target and p["spec"].get("nodeName") == where]
        return next((p for p in there if not is_down(p)), None)

    async def remove_target(self, world: World, *, lingers: bool) -> None:
        """A delete, and what the kubelet then does, unless the pod lingers."""
        if world.target and world.vmi:
            name = world.target["metadata"]["name"]
            await self.api.delete(Pod, name, self.namespace)
            if not lingers:
                await self.api.delete(Pod, name, self.namespace, grace=0)

    async def collect(self, world: World) -> None:
        """Older finished migrations of the VMI go, with the pod that each left."""
        assert world.vmi
        mine = [m for m in world.migrations if _vmi_key(m) == key(world.vmi) and phase_of(m).final]
        mine.sort(key=lambda m: m["metadata"]["creationTimestamp"])
        for old in mine[: max(0, len(mine) - KEPT)]:
            state = old["status"].get("migrationState") or {}
            pod = state.get("targetPod") if state.get("failed") else state.get("sourcePod")
            if pod:
                await self.api.delete(Pod, pod, self.namespace)
            await self.api.delete(Migration, old["metadata"]["name"], self.namespace)

    async def say(self, world: World, reason: str, message: str) -> None:
        """An event of the migration."""
        meta = world.migration["metadata"]
        about = {"kind": "VirtualMachineInstanceMigration", "apiVersion": "kubevirt.io/v1", "uid": meta["uid"]}
        body = {
            "metadata": {"generateName": f"{self.name}.", "namespace": self.namespace},
            "involvedObject": about | {"name": self.name, "namespace": self.namespace},
            "reason": reason,
            "message": message,
            "type": "Warning" if reason.startswith("Failed") else "Normal",
            "source": {"component": CONTROLLER},
            "lastTimestamp": now(),
        }
        await self.api.create(Said, body)


def key(thing: Object) -> tuple[str, str]:
    """Namespace and name."""
    return thing["metadata"]["namespace"], thing["metadata"]["name"]


def _vmi_key(migration: Object) -> tuple[str, str]:
    return migration["metadata"]["namespace"], migration["spec"]["vmiName"]


def _filled(body: Any, words: dict[str, str]) -> Any:
    if isinstance(body, str):
        return words[body[1:-1]] if body.startswith("{") else body
    if isinstance(body, dict):
        return {key: _filled(value, words) for key, value in body.items()}
    return [_filled(value, words) for value in body] if isinstance(body, list) else body
