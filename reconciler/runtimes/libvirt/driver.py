"""The runtime `libvirt`: the contract's methods, each carried out by the module that is about it."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.guard import guard
from reconciler.model.command import Fence, Program
from reconciler.model.health import HealthCheck
from reconciler.model.spec import Workload
from reconciler.model.world import Alive, HostFacts, RuntimeFacts
from reconciler.runtimes.base import Handover, Underway
from reconciler.runtimes.libvirt import lifecycle, moving, observing


class LibvirtDriver:
    """Virtual machines by `virsh`, as root. See `reconciler.runtimes.base` for what each method promises."""

    NAME = observing.NAME

    def observe(self, host: HostFacts) -> Program[RuntimeFacts]:
        return observing.observe(host)

    def alive(self, workload: str) -> Program[Alive]:
        return observing.alive(workload)

    def prepare_host(self) -> Program[None]:
        yield from guard.install()

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
        return lifecycle.set_aside(workload, fence)

    def bring_back(self, workload: str, fence: Fence) -> Program[None]:
        return lifecycle.bring_back(workload, fence)

    def remove_aside(self, workload: str, fence: Fence) -> Program[None]:
        return lifecycle.remove_aside(workload, fence)

    def health(self, workload: str, check: HealthCheck, address: str) -> Program[None]:
        return lifecycle.health(workload, check, address)

    def receive(self, handover: Handover) -> Program[None]:
        return moving.receive(handover)

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
