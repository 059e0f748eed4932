"""A cluster in memory with a KubeVirt that does what it is told to. Fake: all of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from reconciler.commands import app, compose
from reconciler.core.consent import Consent
from reconciler.errors import ReplyLost
from reconciler.hosts.kubernetes import ClusterFleet
from reconciler.hosts.kubernetes.api import HttpAnswer, Request
from reconciler.hosts.memory import MemoryFleet, Universe
from reconciler.hosts.memory.api import MemoryApi, Object, Rejected
from reconciler.model.cluster import ClusterSpec
from reconciler.model.spec import Cluster, Spec, Workload

API = "reconciler/v1alpha1"
VMS, VMIS = "kubevirt.io/virtualmachines", "kubevirt.io/virtualmachineinstances"
JOBS, KUBEVIRTS = "kubevirt.io/virtualmachineinstancemigrations", "kubevirt.io/kubevirts"
POLICIES = "migrations.kubevirt.io/migrationpolicies"
KINDS = ("nodes", "pods", "namespaces", "configmaps", VMS, VMIS, JOBS, KUBEVIRTS, POLICIES)
CREATED_BY = "kubevirt.io/created-by"
PHASES = ("Pending", "Scheduling", "Scheduled", "PreparingTarget", "TargetReady", "Running")
STEP = 0.02
"""Seconds between two phases."""
LINGERS = 1.0


def cluster(*nodes: str) -> MemoryApi:
    api = MemoryApi(*KINDS)
    for name in nodes:
        labels = {"kubernetes.io/hostname": f"host-{name}", "disk": "fast" if name != "node01" else "slow"}
        status = {"allocatable": {"memory": "16Gi"}, "nodeInfo": {"architecture": "amd64"}}
        api.put("nodes", {"metadata": {"name": name, "labels": labels}, "spec": {}, "status": status})
    settings = {"migrations": {"completionTimeoutPerGiB": 200}}
    meta = {"name": "kubevirt", "namespace": "kubevirt"}
    found = {
        "metadata": meta,
        "spec": {"configuration": settings},
        "status": {"observedKubeVirtVersion": "v1.6.0"},
    }
    api.put(KUBEVIRTS, found)
    return api


def machine(api: MemoryApi, name: str = "db", node: str = "node01", **status: Any) -> None:
    """One that runs there."""
    meta = {"name": name, "namespace": "shop"}
    spec = {"template": {"spec": {"domain": {"memory": {"guest": "2Gi"}}}}}
    api.put(VMS, {"metadata": meta, "spec": {**spec, "runStrategy": "Always"}})
    started(api, name, node, **status)


def started(api: MemoryApi, name: str, node: str, **status: Any) -> None:
    meta = {"name": name, "namespace": "shop"}
    good = {"type": "LiveMigratable", "status": "True"}
    usual = {"phase": "Running", "nodeName": node, "conditions": [good], "migrationMethod": "LiveMigration"}
    vmi = {"metadata": {**meta, "uid": f"vmi-{name}"}, "spec": {"domain": {"memory": {"guest": "2Gi"}}}}
    api.put(VMIS, {**vmi, "status": {**usual, **status}})
    launcher(api, name, node, f"virt-launcher-{name}-0")


def launcher(api: MemoryApi, name: str, node: str, pod: str, job: str = "", **status: Any) -> None:
    labels = {"kubevirt.io": "virt-launcher", CREATED_BY: f"vmi-{name}"}
    labels |= {"kubevirt.io/migrationJobUID": job} if job else {}
    meta = {"name": pod, "namespace": "shop", "labels": labels}
    spec = {"nodeName": node} if node else {}
    api.put("pods", {"metadata": meta, "spec": spec, "status": {"phase": "Running", **status}})


class KubeVirt:
    """Migrates what it finds, as `script` says: `succeed`, `fail`, `unplaced`, `elsewhere`, `two-pods`,
    `lingers` (the source's pod is deleted, and is there for a second more), `rejected`, `old`, `wait` (stays in
    the phase `until` as long as nobody deletes it)."""

    def __init__(self, api: MemoryApi, script: str = "succeed", until: str = "Running") -> None:
        self.api, self.script, self.until = api, script, until
        self.seen: list[str] = []
        api.admit = self._admit
        self._made: set[str] = set()
        self._under_way: set[asyncio.Task[None]] = set()

    def _admit(self, kind: str, made: Object) -> None:
        if kind != JOBS:
            return
        if self.script == "rejected":
            raise Rejected(400, 'admission webhook "x" denied the request: in-flight migration detected.')
        if self.script == "old":
            raise Rejected(400, 'strict decoding error: unknown field "spec.addedNodeSelector"')
        made["metadata"]["finalizers"] = ["kubevirt.io/migrationJobFinalize"]

    async def play(self) -> None:
        while True:
            for (namespace, name), job in list(self.api.objects[JOBS].items()):
                if job["metadata"]["uid"] not in self._made:
                    self._made.add(job["metadata"]["uid"])
                    self._under_way.add(asyncio.create_task(self._migrate(namespace, name, job)))
            for (namespace, name), vm in list(self.api.objects[VMS].items()):
                self._keep(namespace, name, vm)
            await asyncio.sleep(STEP / 2)

    def _keep(self, namespace: str, name: str, vm: Object) -> None:
        """Started and stopped as the object says."""
        runs = (namespace, name) in self.api.objects[VMIS]
        wanted = vm["spec"].get("runStrategy")
        if wanted == "Halted" and runs:
            self.api.drop(VMIS, name, namespace)
        elif wanted == "Always" and not runs:
            started(self.api, name, "node02")

    def _status(self, namespace: str, name: str, **status: Any) -> bool:
        """False when somebody has deleted it."""
        if (namespace, name) not in self.api.objects[JOBS]:
            return False
        self.api.change(JOBS, name, namespace, {"status": status})
        self.seen.append(status["phase"])
        return "deletionTimestamp" not in self.api.get(JOBS, name, namespace)["metadata"]

    def _end(self, namespace: str, name: str, phase: str, why: str = "") -> None:
        job = self.api.get(JOBS, name, namespace)
        state = {"failureReason": why} if why else {}
        self._status(namespace, name, phase=phase, migrationState=state)
        meta = {"finalizers": None}
        if "deletionTimestamp" in job["metadata"]:
            self.api.drop(JOBS, name, namespace)
        else:
            self.api.change(JOBS, name, namespace, {"metadata": meta})

    async def reached(self, phase: str) -> None:
        async with asyncio.timeout(20):
            while phase not in self.seen:  # noqa: ASYNC110  # what is waited for is a list
                await asyncio.sleep(STEP / 2)

    async def _migrate(self, namespace: str, name: str, job: Object) -> None:
        vmi, uid = job["spec"]["vmiName"], job["metadata"]["uid"]
        target = job["spec"]["addedNodeSelector"]["kubernetes.io/hostname"].removeprefix("host-")
        pod = f"virt-launcher-{vmi}-{uid}"
        for phase in PHASES:
            await asyncio.sleep(STEP)
            if phase == "Scheduling":
                self._pod(vmi, pod, uid, target)
            lives = self._status(namespace, name, phase=phase)
            while lives and (
                self.script in ("unplaced", "elsewhere") or (self.script, self.until) == ("wait", phase)
            ):
                await asyncio.sleep(STEP / 2)
                found = self.api.objects[JOBS].get((namespace, name))
                lives = found is not None and "deletionTimestamp" not in found["metadata"]
                if phase != "Scheduling" and self.script in ("unplaced", "elsewhere"):
                    break
            if not lives:
                self.api.drop("pods", pod, namespace)
                self._end(namespace, name, "Failed", "Live migration has been aborted")
                return
        await asyncio.sleep(STEP)
        if self.script == "fail":
            self.api.drop("pods", pod, namespace)
            self._end(namespace, name, "Failed", "internal error: client socket is closed")
            return
        self.api.change(VMIS, vmi, namespace, {"status": {"nodeName": target}})
        self._leave(namespace, vmi, pod)
        self._end(namespace, name, "Succeeded")

    def _leave(self, namespace: str, vmi: str, pod: str) -> None:
        """All pods of it but the one where it runs now."""
        labelled = ((key[1], one) for key, one in self.api.objects["pods"].items())
        made_for = [(n, one) for n, one in labelled if one["metadata"]["labels"][CREATED_BY] == f"vmi-{vmi}"]
        for old, one in made_for:
            if old == pod or self.script == "two-pods":
                continue
            if self.script == "lingers":
                killed = datetime.now(UTC) + timedelta(seconds=LINGERS)
                one["metadata"]["deletionTimestamp"] = killed.isoformat()
                asyncio.get_running_loop().call_later(LINGERS, self.api.drop, "pods", old, namespace)
            else:
                self.api.drop("pods", old, namespace)

    def _pod(self, vmi: str, pod: str, uid: str, target: str) -> None:
        if self.script == "unplaced":
            why = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
            why |= {
                "message": "0/3 nodes are available: 1 Insufficient memory.",
                "lastTransitionTime": "2020-01-01T00:00:00Z",
            }
            launcher(self.api, vmi, "", pod, uid, phase="Pending", conditions=[why])
        else:
            launcher(self.api, vmi, "node01" if self.script == "elsewhere" else target, pod, uid)


def specs(node: str = "node02", **more: Any) -> Spec:
    placement = more.pop("placement", {"cluster": "lab", "node": node})
    section = {"namespace": "shop", "name": "db", **more.pop("section", {})}
    wanted = {"runtime": "kubevirt", "virtualMachine": section, "placement": placement, **more}
    made = Workload.model_validate(
        {"apiVersion": API, "kind": "Workload", "metadata": {"name": "db"}, "spec": wanted}
    )
    lab = Cluster.model_validate({"apiVersion": API, "kind": "Cluster", "metadata": {"name": "lab"}})
    return Spec(clusters={"lab": lab}, workloads={"db": made})


class Wire:
    """A controller's connection; once it is cut nothing it asks arrives any more, as when it was killed."""

    def __init__(self, api: MemoryApi) -> None:
        self.api, self.cut, self.over = api, False, asyncio.Event()

    async def send(self, request: Request) -> HttpAnswer:
        if self.cut:
            await self.over.wait()
            raise ReplyLost("killed")
        return await self.api.send(request)

    async def close(self) -> None:
        return None


class Lab:
    """Commands of the product on a cluster in memory."""

    def __init__(self, api: MemoryApi, folder: Path) -> None:
        self.api, self.journal = api, folder / "journal.db"
        self.wires: list[Wire] = []

    def connect(self, name: str, spec: ClusterSpec) -> Wire:
        self.wires.append(Wire(self.api))
        return self.wires[-1]

    async def bury(self, killed: asyncio.Task[app.Applied]) -> None:
        """Of a killed controller nothing is left waiting."""
        for wire in self.wires:
            wire.over.set()
        await asyncio.wait({killed}, timeout=30)
        killed.cancel()

    def kill(self) -> None:
        """All controllers there are."""
        for wire in self.wires:
            wire.cut = True

    async def plan(self, spec: Spec) -> app.Seen:
        return await app.plan(spec, self.journal, lambda said: None)

    async def apply(self, spec: Spec) -> app.Applied:
        return await app.Apply(spec, self.journal, consent=Consent(removals=9, interruptions=9))()

    def where(self, name: str = "db") -> str:
        node: str = self.api.get(VMIS, name, "shop")["status"]["nodeName"]
        return node

    def jobs(self) -> list[str]:
        return [name for _, name in self.api.objects[JOBS]]


AnyLab = TypeVar("AnyLab", bound=Lab)


@contextmanager
def lab(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, api: MemoryApi, kind: type[AnyLab] = Lab
) -> Iterator[AnyLab]:
    made = kind(api, tmp_path)

    def reach(spec: Spec) -> ClusterFleet:
        hosts = MemoryFleet(Universe())
        specs = {name: one.spec for name, one in spec.clusters.items()}
        return ClusterFleet(hosts, specs, compose.machine_refs(spec), made.connect)

    monkeypatch.setattr(compose, "reach", reach)
    yield made
