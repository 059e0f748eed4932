"""Shapes in which checkpoints are taken: by themselves, and before something else is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.core.diff import current_copy
from reconciler.core.index import Index
from reconciler.core.saving import capture_plan, planned
from reconciler.model.checkpoint import KeptAt
from reconciler.model.checkpointing import CheckpointPolicySpec, CheckpointRefs, CheckpointStoreSpec
from reconciler.model.copying import before_name, copy_name
from reconciler.model.plan import Plan
from reconciler.model.spec import CheckpointPolicy, CheckpointStore, Spec
from reconciler.model.world import World
from reconciler.runtimes.oci.secluding import secluded
from tests.sim import comebacks

if TYPE_CHECKING:
    from tests.sim.shapes import Builder, Scene

API = "reconciler/v1alpha1"
LIMIT = "1m"
FIRST = {"strategy": "checkpoint-first"}
BESIDE = {"strategy": "side-by-side"}


def plan_of(scene: Scene, world: World) -> Plan:
    """What is wanted of the world: a checkpoint where none is, as long as nothing else has to be done first."""
    first = comebacks.plan_of(scene, world)
    if not scene.keeper or first.steps or first.errored or whole(scene):
        return first
    index, workload = Index.of(world), scene.spec.workloads["web"]
    copy = current_copy("web", index)
    assert copy is not None
    at = KeptAt(scene.keeper)
    if scene.repository is not None:
        at = comebacks.vault(scene.repository)
    capture = planned(workload, copy, index.seen[copy.host], at, LIMIT, scene.spec, index)
    return capture_plan(workload, capture, "asked for", scene.spec)


def whole(scene: Scene) -> list[tuple[str, str]]:
    """Host and folder of every checkpoint that is listed."""
    return [
        (machine.name, path.rpartition("/")[0])
        for machine in scene.universe.machines.values()
        for path in machine.files
        if path.endswith("/manifest.json")
    ]


def saved(spec: Spec, before: str) -> Spec:
    """The same, with `web` saved before something is done to it, on h1."""
    policy = CheckpointPolicy(
        api_version=API,
        kind="CheckpointPolicy",
        metadata={"name": "first"},
        spec=CheckpointPolicySpec(before=[before], store="vault"),
    )
    web = spec.workloads["web"]
    also = {"checkpoints": CheckpointRefs(policy="first")}
    web = web.model_copy(update={"spec": web.spec.model_copy(update=also)})
    return spec.model_copy(
        update={
            "workloads": {**spec.workloads, "web": web},
            "checkpoint_policies": {"first": policy},
            "checkpoint_stores": {"vault": vault("h1")},
        }
    )


def vault(host: str) -> CheckpointStore:
    return CheckpointStore(
        api_version=API,
        kind="CheckpointStore",
        metadata={"name": "vault"},
        spec=CheckpointStoreSpec(directory={"host": host}),
    )


def checkpoint_elsewhere(b: Builder) -> None:
    """Of what runs on h1, kept on h2."""
    b.hosts("h1", "h2")
    b.want("web", "h1", volumes=comebacks.DATA)
    b.have("web", "h1", epoch=2)
    b.keeper = "h2"


def checkpoint_here(b: Builder) -> None:
    b.hosts("h1")
    b.want("web", "h1")
    b.have("web", "h1")
    b.keeper = "h1"


def repository_elsewhere(b: Builder) -> None:
    """Of what runs on h1, in a repository that h2 works on."""
    checkpoint_elsewhere(b)
    b.repository = comebacks.repository("h2")


def repository_here(b: Builder) -> None:
    checkpoint_here(b)
    b.repository = comebacks.repository("h1")


def recreate_saved(b: Builder) -> None:
    """Made anew, and saved first."""
    b.hosts("h1")
    b.want("web", "h1", image="new")
    b.have("web", "h1", changed=True)
    b.saved_before = "update"


def recreate_saved_first(b: Builder) -> None:
    """Made anew where it is, and it goes back to the checkpoint when that fails."""
    b.hosts("h1", "h2")
    b.want("web", "h1", image="new", volumes=comebacks.DATA, update=FIRST)
    b.have("web", "h1", changed=True, epoch=3)


def recreate_elsewhere_saved_first(b: Builder) -> None:
    """The same on another host; the checkpoint is kept on a third one."""
    b.hosts("h1", "h2", "h3")
    b.want("web", "h2", volumes=comebacks.DATA, update={**FIRST, "store": "vault"})
    b.have("web", "h1", changed=True, epoch=1)
    b.vault = "h3"


def side_by_side(b: Builder) -> None:
    """Made anew where it is, with the old version beside it."""
    recreate_saved_first(b)
    b.want("web", "h1", image="new", volumes=comebacks.DATA, update=BESIDE)
    b.universe.machines["h1"].containers["web"].restart = b.restart


def side_by_side_elsewhere(b: Builder) -> None:
    """Made anew on another host, with the old version beside it there, in the place of one from before; the
    checkpoint is kept on a third host."""
    recreate_elsewhere_saved_first(b)
    b.want("web", "h2", volumes=comebacks.DATA, update={**BESIDE, "store": "vault"})
    earlier = copy_name(before_name("web"))
    b.workloads[earlier] = secluded(b.workloads["web"], earlier)
    b.have(earlier, "h2", epoch=4)
    del b.workloads[earlier]


def move_saved(b: Builder) -> None:
    """Moved to where it is saved first."""
    b.hosts("h1", "h2")
    b.want("web", "h1", volumes=comebacks.DATA)
    b.have("web", "h2", epoch=1)
    b.saved_before = "move"
