"""The runtime `process`: the contract's methods, each carried out by the module that is about it. Holds no
state."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.criu import config
from reconciler.guard import guard
from reconciler.model.command import Fence, Program, Tree
from reconciler.model.health import HealthCheck
from reconciler.model.network import NetworkDefinition
from reconciler.model.question import Question
from reconciler.model.spec import Workload
from reconciler.model.world import HostFacts, RuntimeFacts
from reconciler.runtimes.base import Alive, Handover, Held, Located
from reconciler.runtimes.process import coming, leaving, lifecycle, observing, stores


class ProcessDriver:
    """Trees of processes with CRIU, as root. See `reconciler.runtimes.base` for what each method promises."""

    NAME = observing.NAME

    def observe(self, host: HostFacts) -> Program[RuntimeFacts]:
        return observing.observe(host)

    def preflight(self, host: HostFacts, question: Question) -> Program[HostFacts]:
        return observing.hashes(host, question)

    def alive(self, workload: str) -> Program[Alive]:
        return coming.alive(workload)

    def prepare_host(self) -> Program[None]:
        yield from guard.install()

    def create(
        self, workload: Workload, fence: Fence, *, oci_runtime: str, secrets: Mapping[str, bytes]
    ) -> Program[str]:
        return lifecycle.create(workload, fence, secrets)

    def start(self, workload: Workload, fence: Fence) -> Program[None]:
        return lifecycle.start(workload, fence)

    def stop(self, workload: str, fence: Fence) -> Program[None]:
        return lifecycle.stop(workload, fence)

    def remove(self, workload: str, fence: Fence) -> Program[None]:
        return lifecycle.remove(workload, fence)

    def set_aside(self, workload: str, fence: Fence) -> Program[None]:
        return lifecycle.set_aside(workload, fence)

    def bring_back(self, workload: str, fence: Fence) -> Program[None]:
        return lifecycle.bring_back(workload, fence)

    def remove_aside(self, workload: str, fence: Fence) -> Program[None]:
        return lifecycle.remove_aside(workload, fence)

    def health(self, workload: str, check: HealthCheck, address: str) -> Program[None]:
        return lifecycle.health(workload, check, address)

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
        return coming.fence_off(handover, epoch)

    def hang_up(self, handover: Handover) -> Program[None]:
        return config.hang_up(handover.name)
