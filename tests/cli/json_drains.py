"""What `drain --json` prints, for `test_json`. Fake: the cluster."""

from __future__ import annotations

from typing import Any

import yaml

from reconciler.commands import compose
from reconciler.hosts.kubernetes import ClusterFleet
from reconciler.hosts.memory import MemoryFleet
from reconciler.model.spec import Spec
from reconciler.runtimes import registry
from reconciler.runtimes.kubevirt import KubevirtDriver
from tests.clusters.kubevirt import cluster, machine, specs


def a_cluster(scene: Any) -> None:
    """One node with `db`, which no other one takes, and a machine that is in no spec."""
    api = cluster("node01")
    for name in ("db", "other"):
        machine(api, name, "node01")

    def reach(spec: Spec) -> ClusterFleet:
        found = {name: one.spec for name, one in spec.clusters.items()}
        return ClusterFleet(MemoryFleet(scene.hosts), found, compose.machine_refs(spec), lambda name, of: api)

    scene.patch.setattr(compose, "reach", reach)
    scene.patch.setattr(registry, "BUILT_IN", {"kubevirt": KubevirtDriver})
    wanted = specs("node01")
    made = [*wanted.clusters.values(), *wanted.workloads.values()]
    documents = [one.model_dump(mode="json", by_alias=True, exclude_unset=True) for one in made]
    (scene.folder / "specs").mkdir(exist_ok=True)
    (scene.folder / "specs/all.yaml").write_text(yaml.safe_dump_all(documents))


OF_DRAINS: dict[str, Any] = {
    "drain": [
        ("drain", "drain lab/node01 --yes", 1, a_cluster),
        ("drain", "drain lab/node01 --undo", 0, a_cluster),
    ],
}
WRONG_OF_DRAINS = {"drain h1 --yes": ("E146", 4)}
