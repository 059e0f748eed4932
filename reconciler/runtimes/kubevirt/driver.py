"""The runtime `kubevirt`: the contract's methods, each carried out by the module that is about it."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.errors import CommandFailed
from reconciler.model.command import Fence, Program
from reconciler.model.spec import Workload
from reconciler.model.world import Alive, HostFacts, RuntimeFacts
from reconciler.runtimes.base import Handover, Underway
from reconciler.runtimes.kubevirt import lifecycle, looking, moving, observing


class KubevirtDriver:
    """Virtual machines of KubeVirt, by the API of their cluster. See `reconciler.runtimes.base` for what each
    method promises."""

    NAME = observing.NAME

    def observe(self, host: HostFacts) -> Program[RuntimeFacts]:
        """Hosts have none."""
        return RuntimeFacts()
        yield  # a generator all the same

    def observe_cluster(self, nodes: Mapping[str, HostFacts]) -> Program[dict[str, HostFacts]]:
        return observing.observe(nodes)

    def alive(self, workload: str) -> Program[Alive]:
        return looking.alive(workload)

    def prepare_host(self) -> Program[None]:
        """Nothing is installed in clusters."""
        return None
        yield

    def create(
        self, workload: Workload, fence: Fence, *, oci_runtime: str, secrets: Mapping[str, bytes]
    ) -> Program[str]:
        return lifecycle.create(workload, fence)

    def start(self, workload: Workload, fence: Fence) -> Program[None]:
        return lifecycle.start(workload, fence)

    def stop(self, workload: str, fence: Fence) -> Program[None]:
        return lifecycle.stop(workload, fence)

    def remove(self, workload: str, fence: Fence) -> Program[None]:
        return lifecycle.remove(workload, fence)

    def set_aside(self, workload: str, fence: Fence) -> Program[None]:
        """Plans never ask for it (`machine.name` in `core.rules.cluster`)."""
        raise CommandFailed(f"{workload} cannot be set aside: objects in clusters have one name for good")
        yield

    def bring_back(self, workload: str, fence: Fence) -> Program[None]:
        return None
        yield

    def remove_aside(self, workload: str, fence: Fence) -> Program[None]:
        return None
        yield

    def update(self, workload: Workload, fence: Fence, run: str) -> Program[None]:
        return lifecycle.update(workload, fence, run)

    def update_back(self, workload: str, fence: Fence, run: str) -> Program[None]:
        return lifecycle.update_back(workload, fence, run)

    def receive(self, handover: Handover) -> Program[None]:
        """KubeVirt makes what it needs there."""
        return None
        yield

    def begin(self, handover: Handover) -> Program[None]:
        return moving.begin(handover)

    def progress(self, handover: Handover) -> Program[Underway]:
        return moving.progress(handover)

    def cancel(self, handover: Handover) -> Program[None]:
        return moving.cancel(handover)

    def keep(self, handover: Handover, fence: Fence) -> Program[None]:
        return moving.keep(handover, fence)

    def drop(self, handover: Handover, fence: Fence) -> Program[None]:
        return moving.drop(handover, fence)
