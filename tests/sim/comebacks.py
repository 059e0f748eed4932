"""Shapes in which a workload comes back from a checkpoint, and the plans that bring it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.core.comeback import Obstacle, may_run
from reconciler.core.copying import discard_plan, in_the_way, labelled, named
from reconciler.core.index import Index
from reconciler.core.planner import make_plan
from reconciler.core.returning import Return, comeback_plan
from reconciler.hosts.memory.stores import MemoryKept
from reconciler.model.checkpoint import Kept, KeptAt, KeptFile, KeptTree, Manifest, TakenFrom
from reconciler.model.copying import CopyLabels, copy_name
from reconciler.model.plan import Finding, Plan
from reconciler.model.restic import STAGING, ResticStore
from reconciler.model.spec import Network
from reconciler.model.world import World
from reconciler.runtimes.oci.secluding import secluded

if TYPE_CHECKING:
    from tests.sim.shapes import Builder, Scene

DATA = [{"name": "data", "target": "/data"}]


def repository(host: str) -> ResticStore:
    """One that a host works on."""
    raw = {"on": host, "repository": "/srv/repository", "fleet": "sim", "passwordFile": "/etc/password"}
    return ResticStore.model_validate(raw)


def vault(store: ResticStore) -> KeptAt:
    return KeptAt(store.on, f"{STAGING}/vault", "vault", store)


def plan_of(scene: Scene, world: World) -> Plan:
    """What is wanted of the world; hosts that do not answer are said to be gone where their power is off."""
    name = "web"
    if scene.copied:
        return _of_copy(scene, world)
    if scene.kept is None:
        return make_plan(scene.spec, world)
    index, host = Index.of(world), str(scene.wanted[name])
    if any(copy.instance.state.has_processes for copy in index.copies.get(name, ())):
        return make_plan(scene.spec, world)
    gone = tuple(host for host in index.unknown if not scene.universe.machines[host].up)
    obstacles = list(may_run(name, index, gone))
    if host not in index.seen:
        obstacles.append(Obstacle(f"{host} was not seen", ""))
    if obstacles:
        return _refused(name, obstacles)
    assert scene.kept.manifest
    back = Return(scene.spec.workloads[name], scene.kept, scene.kept.manifest, host, gone, "seen", True)
    return comeback_plan(back, scene.spec, index)


def _of_copy(scene: Scene, world: World) -> Plan:
    """A copy beside `web`, or none any more."""
    index, host = Index.of(world), scene.wanted[scene.copied]
    there = named(scene.copied, index)
    if host is None:
        goes = (discard_plan(one, scene.spec, index, "asked for") for one in there)
        return next(goes, make_plan(scene.spec, world))
    if any(one.state == "running" for one in there):
        return make_plan(scene.spec, world)
    assert scene.kept and scene.kept.manifest
    obstacles = [Obstacle(f"{host} was not seen", "")] if host not in index.seen else []
    if not obstacles:
        obstacles += in_the_way(scene.copied, scene.kept.manifest, index, index.seen[host])
    if obstacles:
        return _refused(scene.copied, obstacles)
    web = scene.spec.workloads["web"]
    back = Return(
        labelled(secluded(web, scene.copied), CopyLabels(f"web@{scene.kept.id}", 9e9)),
        scene.kept,
        scene.kept.manifest,
        host,
        beside=frozenset(),
        policy=scene.spec.policy_of(web),
        copy_of="web",
    )
    return comeback_plan(back, scene.spec, index)


def _refused(workload: str, obstacles: list[Obstacle]) -> Plan:
    told = (
        Finding(rule="restore", severity="refuse", workload=workload, host="", message=o.text) for o in obstacles
    )
    return Plan(findings=tuple(told))


def checkpoint(
    b: Builder, name: str, host: str, *, at: str, epoch: int, within: ResticStore | None = None
) -> None:
    """One that was taken while it ran on a host, and is kept on another; `within`: a repository."""
    there = b.universe.machines[host].containers[name]
    trees = tuple(KeptTree(kind="volume", target=v.target) for v in b.workloads[name].container.volumes)
    manifest = Manifest(
        id="20261126-014639-8584",
        workload=name,
        epoch=epoch,
        taken_at=1.0,
        frozen_s=0.1,
        came_from=TakenFrom(host=host, runtime="podman", image_id="app"),
        trees=trees,
        files=(KeptFile(name="images.tar", bytes=1, sha256="ab" * 32),),
    ).sealed()
    b.kept = Kept(vault(within) if within else KeptAt(at), name, manifest.id, manifest=manifest)
    files = {file.name: f"{file.bytes} {file.sha256}" for file in manifest.files}
    data = tuple(f"data of {name}" for _ in trees)
    b.universe.machines[at].kept[b.kept.folder] = MemoryKept(name, there.lineage, files, data)
    if within:
        b.universe.machines[at].files[f"{b.kept.folder}/manifest.json"] = manifest.text


def comeback(b: Builder) -> None:
    """Its host died; a checkpoint is on another. The host may come back; nothing there starts by itself then."""
    b.hosts("h1", "h2", "h3")
    b.networks["lan"] = Network(
        api_version="reconciler/v1alpha1", kind="Network", metadata={"name": "lan"}, spec={"driver": "bridge"}
    )
    del b.universe.machines["h2"].images["app"]
    b.want("web", "h2", networks=[{"name": "lan"}], volumes=DATA)
    b.have("web", "h1", epoch=3)
    checkpoint(b, "web", "h1", at="h3", epoch=5)
    b.universe.machines["h1"].up = False
    _ended(b, "h1")


def comeback_from_repository(b: Builder) -> None:
    """Its host died; a checkpoint is in a repository that another works on."""
    b.hosts("h1", "h2", "h3")
    b.want("web", "h2", volumes=DATA)
    b.have("web", "h1", epoch=3)
    checkpoint(b, "web", "h1", at="h3", epoch=5, within=repository("h3"))
    b.universe.machines["h1"].up = False
    _ended(b, "h1")


def comeback_here(b: Builder) -> None:
    """Back in time on its own host, where what it was lies about, and the checkpoint."""
    b.hosts("h1", "h2")
    b.want("web", "h1", volumes=DATA)
    b.have("web", "h1", epoch=3)
    checkpoint(b, "web", "h1", at="h1", epoch=5)
    _ended(b, "h1")


def copy_beside(b: Builder) -> None:
    """A copy of a checkpoint on another host, while its workload runs."""
    b.hosts("h1", "h2", "h3")
    b.networks["lan"] = Network(
        api_version="reconciler/v1alpha1", kind="Network", metadata={"name": "lan"}, spec={"driver": "bridge"}
    )
    del b.universe.machines["h2"].images["app"]
    b.universe.machines["h1"].networks["lan"] = "bridge"
    b.want("web", "h1", networks=[{"name": "lan"}], volumes=DATA)
    b.have("web", "h1", epoch=3)
    checkpoint(b, "web", "h1", at="h3", epoch=5)
    b.copied = copy_name("then")
    b.wanted[b.copied] = "h2"


def copy_here_from_repository(b: Builder) -> None:
    """On the very host of its workload, out of a repository that another works on."""
    b.hosts("h1", "h3")
    b.want("web", "h1", volumes=DATA)
    b.have("web", "h1", epoch=3)
    checkpoint(b, "web", "h1", at="h3", epoch=5, within=repository("h3"))
    b.copied = copy_name("then")
    b.wanted[b.copied] = "h1"


def discard_copy(b: Builder) -> None:
    """A copy goes, with its volumes, beside its workload."""
    b.hosts("h1")
    b.want("web", "h1", volumes=DATA)
    b.have("web", "h1", epoch=3)
    b.copied = copy_name("then")
    web = b.workloads["web"]
    b.workloads[b.copied] = secluded(web, b.copied)
    b.have(b.copied, "h1", epoch=4)
    del b.workloads[b.copied]
    b.wanted[b.copied] = None


def _ended(b: Builder, host: str) -> None:
    container = b.universe.machines[host].containers["web"]
    container.state, container.restart, container.stopped = "exited", False, True
