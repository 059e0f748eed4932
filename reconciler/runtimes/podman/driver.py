"""The Podman driver: the contract's methods, each carried out by the module that is about it. Holds no state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.criu import config
from reconciler.guard import guard
from reconciler.model.command import Archive, Command, Fence, Program, Tree
from reconciler.model.health import HealthCheck
from reconciler.model.network import NetworkDefinition
from reconciler.model.question import Question
from reconciler.model.spec import Workload
from reconciler.model.world import HostFacts, RuntimeFacts
from reconciler.runtimes.base import Alive, Handover, Held, Located, LogWish, Pull, Round, Running
from reconciler.runtimes.podman import (
    archives,
    attending,
    capturing,
    containers,
    destination,
    fencing,
    health,
    inspecting,
    observing,
    paths,
    precopy,
    probes,
    source,
    stores,
    updating,
)


class PodmanDriver:
    """Podman with CRIU, as root. See `reconciler.runtimes.base.Driver` for what each method promises."""

    NAME = "podman"

    def observe(self, host: HostFacts) -> Program[RuntimeFacts]:
        return observing.observe(host)

    def preflight(self, host: HostFacts, question: Question) -> Program[HostFacts]:
        return probes.preflight(host, question)

    def running(self) -> Program[Running]:
        return inspecting.running()

    def logs(self, workload: str, wish: LogWish) -> tuple[str, ...]:
        return attending.logs(workload, wish)

    def enter(
        self, workload: str, words: Sequence[str], *, stdin: bool, terminal: bool, user: str
    ) -> tuple[str, ...]:
        return attending.enter(workload, words, stdin=stdin, terminal=terminal, user=user)

    def alive(self, workload: str) -> Program[Alive]:
        return fencing.alive(workload)

    def prepare_host(self) -> Program[None]:
        yield from guard.install()
        where = (f"{guard.ROOT}/bin", paths.DRY_START_HOOKS, guard.guard_path())
        yield Command(paths.shell("prepare", *where), changes=True)

    def pull_image(self, image: str, how: Pull = Pull()) -> Program[str]:  # noqa: B008  it is frozen
        return stores.pull_image(image, how)

    def has_image(self, image_id: str) -> Program[bool]:
        return archives.has_image(image_id)

    def pack_image(self, image_id: str) -> Program[Archive]:
        return archives.pack_image(image_id)

    def take_image(self, archive: Archive, known_as: str) -> Program[None]:
        return archives.take_image(archive, known_as)

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
        return containers.create(workload, fence, oci_runtime=oci_runtime, secrets=secrets)

    def start(self, workload: Workload, fence: Fence) -> Program[None]:
        yield from containers.start(workload, fence)
        if workload.spec.health is None:  # else the check finds out
            yield from health.not_ended(workload.metadata.name)

    def stop(self, workload: str, fence: Fence) -> Program[None]:
        return containers.stop(workload, fence)

    def update(self, workload: Workload, fence: Fence, run: str) -> Program[None]:
        return updating.update(workload, fence, run)

    def update_back(self, workload: str, fence: Fence, run: str) -> Program[None]:
        return updating.update_back(workload, fence, run)

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
        return destination.stage(handover, secrets=secrets)

    def unstage(self, handover: Handover) -> Program[None]:
        return destination.unstage(handover)

    def locate(self, handover: Handover) -> Program[Located]:
        return source.locate(handover)

    def pre_dump(self, handover: Handover, number: int) -> Program[Round]:
        return precopy.pre_dump(handover, number)

    def take_round(self, handover: Handover, number: int) -> Program[Tree]:
        return precopy.take_round(handover, number)

    def build_on(self, handover: Handover, number: int) -> Program[None]:
        return precopy.build_on(handover, number)

    def hold(self, handover: Handover) -> Program[Held]:
        return source.hold(handover)

    def resume(self, handover: Handover, fence: Fence) -> Program[str]:
        return source.resume(handover, fence)

    def commit_source(self, handover: Handover) -> Program[None]:
        return source.commit_source(handover)

    def commit_destination(self, handover: Handover) -> Program[None]:
        return destination.commit_destination(handover)

    def restore(self, handover: Handover) -> Program[None]:
        return destination.restore(handover)

    def verify(self, handover: Handover) -> Program[None]:
        return destination.verify(handover)

    def confirm(self, handover: Handover) -> Program[None]:
        return destination.confirm(handover)

    def retire(self, handover: Handover) -> Program[None]:
        return source.retire(handover)

    def finish(self, handover: Handover) -> Program[None]:
        return destination.finish(handover)

    def fence_off(self, handover: Handover, epoch: int) -> Program[bool]:
        return fencing.fence_off(handover, epoch)

    def hang_up(self, handover: Handover) -> Program[None]:
        return config.hang_up(handover.name)

    def shadow(self, handover: Handover, folder: str) -> Program[Located]:
        return capturing.shadow(handover, folder)

    def capture(self, handover: Handover, folder: str) -> Program[Held]:
        return capturing.capture(handover, folder)
