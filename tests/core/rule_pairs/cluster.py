"""What keeps a virtual machine of KubeVirt from being moved, made or changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from reconciler.core.index import Index
from reconciler.core.rules import check_change
from reconciler.model.base import canonical_json
from reconciler.model.cluster_machine import ClusterMachine
from reconciler.model.cluster_world import ClusterMachineFacts, MigrationLimits
from reconciler.model.labels import LABEL_SPEC, LABEL_WORKLOAD
from reconciler.model.plan import Change, ChangeKind, Finding
from reconciler.model.spec import MigrationPolicy, Spec, Workload
from reconciler.model.world import HostFacts, World

API = "reconciler/v1alpha1"
ABILITIES = {"kubevirt": ("lifecycle", "updates", "self-moves", "clusters")}
MANIFEST = {"spec": {"template": {}}}
UPDATE = ChangeKind.UPDATE


@dataclass
class ClusterScene:
    """The machine `web` on node a of a cluster, that should be on node b. `has` changes what is known of it,
    `there` its new node, `wants` its section, `made_from` what it was made from, `live` its policy."""

    has: dict[str, Any] = field(default_factory=dict)
    there: dict[str, Any] = field(default_factory=dict)
    wants: dict[str, Any] = field(default_factory=dict)
    made_from: dict[str, Any] | None = None
    live: dict[str, Any] = field(default_factory=dict)
    kind: ChangeKind = ChangeKind.MOVE
    version: str = "v1.6.0"
    machine: str = "kubevirt"
    """As `Scene` says that it is about a virtual machine."""

    def findings(self) -> list[Finding]:
        wanted = ClusterMachine.model_validate({"name": "web", **self.wants})
        placement = {"cluster": "c", "node": "b"}
        about = {
            "runtime": "kubevirt",
            "virtualMachine": wanted,
            "placement": placement,
            "migration": {"policy": "p"},
        }
        meta = {"name": "web"}
        workload = Workload.model_validate(
            {"apiVersion": API, "kind": "Workload", "metadata": meta, "spec": about}
        )
        raw = {
            "apiVersion": API,
            "kind": "MigrationPolicy",
            "metadata": {"name": "p"},
            "spec": {"live": self.live},
        }
        specs = Spec(workloads={"web": workload}, policies={"p": MigrationPolicy.model_validate(raw)})
        made_from = canonical_json(self.made_from if self.made_from is not None else wanted)
        found = {
            "labels": {LABEL_WORKLOAD: "web", LABEL_SPEC: made_from},
            "namespace": "shop",
            "state": "running",
            "memory_bytes": 2**30,
            "migratable": True,
            **self.has,
        }
        instance = ClusterMachineFacts(id="u", name="web", runtime="kubevirt", **found)
        usual = {"runtimes": {"kubevirt": self.version}, "memory_free_bytes": 2**33}
        here = HostFacts(name="c/a", instances=(instance,), **usual)
        there = HostFacts(name="c/b", **{**usual, **self.there})
        world = World(hosts={"c/a": here, "c/b": there}, abilities=ABILITIES)
        made = self.kind is ChangeKind.CREATE
        source, destination = (None if made else "c/a"), ("c/b" if self.kind is not UPDATE else None)
        change = Change(kind=self.kind, workload="web", source=source, destination=destination, reason="test")
        return check_change(change, specs, world, Index.of(world))


Pair = tuple[ClusterScene, ClusterScene]
FULL = {"limits": MigrationLimits(running=5)}
PAIRS: dict[str, Pair] = {
    "kubevirt.migratable": (ClusterScene(has={"migratable": False}), ClusterScene(has={"migratable": None})),
    "kubevirt.node": (ClusterScene(there={"cordoned": True}), ClusterScene(there={"ready": True})),
    "kubevirt.room": (
        ClusterScene(there={"memory_free_bytes": 0}),
        ClusterScene(there={"memory_free_bytes": 0, "memory_told": False}),
    ),
    "kubevirt.pinned": (ClusterScene(has={"pinned": "a"}), ClusterScene(has={"pinned": "b"})),
    "kubevirt.migrating": (ClusterScene(has={"migration": "theirs"}), ClusterScene()),
    "kubevirt.two-pods": (ClusterScene(has={"pods": ("a", "b")}), ClusterScene(has={"pods": ("a",)})),
    "kubevirt.busy": (ClusterScene(has=FULL), ClusterScene()),
    "kubevirt.old": (ClusterScene(version="v1.4.2"), ClusterScene(version="v1.5.0")),
    "kubevirt.policy": (ClusterScene(live={"bandwidth": "1GB"}), ClusterScene(live={"within": "1h"})),
    "kubevirt.manifest": (
        ClusterScene(kind=ChangeKind.CREATE),
        ClusterScene(kind=ChangeKind.CREATE, wants={"manifest": MANIFEST}),
    ),
    "kubevirt.name": (
        ClusterScene(kind=UPDATE, made_from={"name": "other"}),
        ClusterScene(kind=UPDATE, wants={"manifest": MANIFEST}, made_from={"name": "web"}),
    ),
    "kubevirt.drift": (ClusterScene(kind=UPDATE, has={"drift": ("spec.x",)}), ClusterScene(kind=UPDATE)),
    "kubevirt.restart": (ClusterScene(kind=UPDATE), ClusterScene(kind=UPDATE, has={"state": "exited"})),
}
