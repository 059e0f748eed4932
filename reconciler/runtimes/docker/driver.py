"""The runtime `docker`: the contract's methods, each carried out by the module that is about it. Holds no
state."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.criu import config
from reconciler.guard import guard
from reconciler.model.command import Archive, Fence, Program, Tree
from reconciler.model.health import HealthCheck
from reconciler.model.network import NetworkDefinition
from reconciler.model.spec import Workload
from reconciler.model.world import HostFacts, RuntimeFacts
from reconciler.runtimes.base import Alive, Handover, Held, Located, Pull
from reconciler.runtimes.docker import coming, containers, fencing, health, leaving, observing, stores
from reconciler.runtimes.docker.parse import NAME


class DockerDriver:
    """The Docker Engine with CRIU, as root. See `reconciler.runtimes.base` for what each method promises."""

    NAME = NAME

    def observe(self, host: HostFacts) -> Program[RuntimeFacts]:
        return observing.observe(host)

    def alive(self, workload: str) -> Program[Alive]:
        return fencing.alive(workload)

    def prepare_host(self) -> Program[None]:
        yield from guard.install()

    def pull_image(self, image: str, how: Pull = Pull()) -> Program[str]:  # noqa: B008  it is frozen
        return stores.pull_image(image, how)

    def has_image(self, image_id: str) -> Program[bool]:
        return (yield from stores.image_id(image_id)) is not None

    def pack_image(self, image_id: str) -> Program[Archive]:
        return stores.pack_image(image_id)

    def take_image(self, archive: Archive, known_as: str) -> Program[None]:
        return stores.take_image(archive, known_as)

    def create_network(self, name: str, network: NetworkDefinition) -> Program[None]:
        return stores.create_network(name, network)

    def create_volume(self, name: str, fence: Fence, run: str) -> Program[None]:
        return stores.create_volume(name, fence, run)

    def locate_volume(self, name: str, workload: str) -> Program[Tree]:
        return stores.locate_volume(name, workload)

    def keep_volume(self, tree: Tree) -> Program[None]:
        return stores.keep_volume(tree)

    def remove_volume(self, name: str, fence: Fence, made_by: str = "") -> Program[None]:
        return stores.remove_volume(name, fence, made_by)

    def create(
        self, workload: Workload, fence: Fence, *, oci_runtime: str, secrets: Mapping[str, bytes]
    ) -> Program[str]:
        return containers.create(workload, fence, secrets)

    def start(self, workload: Workload, fence: Fence) -> Program[None]:
        yield from containers.start(workload, fence)
        if workload.spec.health is None:  # else the check finds out
            yield from health.not_ended(workload.metadata.name)

    def stop(self, workload: str, fence: Fence) -> Program[None]:
        return containers.stop(workload, fence)

    def remove(self, workload: str, fence: Fence) -> Program[None]:
        return containers.remove(workload, fence)

    def set_aside(self, workload: str, fence: Fence) -> Program[None]:
        return containers.set_aside(workload, fence)

    def bring_back(self, workload: str, fence: Fence) -> Program[None]:
        return containers.bring_back(workload, fence)

    def remove_aside(self, workload: str, fence: Fence) -> Program[None]:
        return containers.remove_aside(workload, fence)

    def health(self, workload: str, check: HealthCheck, address: str) -> Program[None]:
        return health.health(workload, check, address)

    def stage(self, handover: Handover, *, secrets: Mapping[str, bytes]) -> Program[Located]:
        return coming.stage(handover, secrets)

    def unstage(self, handover: Handover) -> Program[None]:
        return coming.unstage(handover)

    def locate(self, handover: Handover) -> Program[Located]:
        return leaving.locate(handover)

    def hold(self, handover: Handover) -> Program[Held]:
        return leaving.hold(handover)

    def resume(self, handover: Handover, fence: Fence) -> Program[str]:
        return leaving.resume(handover, fence)

    def commit_source(self, handover: Handover) -> Program[None]:
        return guard.commit(handover.fence)

    def commit_destination(self, handover: Handover) -> Program[None]:
        return coming.commit(handover)

    def restore(self, handover: Handover) -> Program[None]:
        return coming.restore(handover)

    def verify(self, handover: Handover) -> Program[None]:
        return coming.verify(handover)

    def confirm(self, handover: Handover) -> Program[None]:
        return coming.confirm(handover)

    def retire(self, handover: Handover) -> Program[None]:
        return leaving.retire(handover)

    def finish(self, handover: Handover) -> Program[None]:
        return coming.finish(handover)

    def fence_off(self, handover: Handover, epoch: int) -> Program[bool]:
        return fencing.fence_off(handover, epoch)

    def hang_up(self, handover: Handover) -> Program[None]:
        return config.hang_up(handover.name)
