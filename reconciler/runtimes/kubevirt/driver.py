"""The runtime `kubevirt`: the contract's methods, each in the module that is about it."""

from __future__ import annotations

from reconciler.errors import CommandFailed
from reconciler.model.command import Fence, Program
from reconciler.model.world import HostFacts, RuntimeFacts
from reconciler.runtimes.base import Handover
from reconciler.runtimes.kubevirt import lifecycle, looking, moving, observing


class KubevirtDriver:
    """Virtual machines of KubeVirt, by the API of their cluster. See `reconciler.runtimes.base` for what each
    method promises."""

    NAME = observing.NAME
    observe_cluster = staticmethod(observing.observe)
    alive = staticmethod(looking.alive)
    # lifecycle, updates
    create = staticmethod(lifecycle.create)
    start = staticmethod(lifecycle.start)
    stop = staticmethod(lifecycle.stop)
    remove = staticmethod(lifecycle.remove)
    update = staticmethod(lifecycle.update)
    update_back = staticmethod(lifecycle.update_back)
    # moves by itself
    begin = staticmethod(moving.begin)
    progress = staticmethod(moving.progress)
    cancel = staticmethod(moving.cancel)
    keep = staticmethod(moving.keep)
    drop = staticmethod(moving.drop)

    def observe(self, host: HostFacts) -> Program[RuntimeFacts]:
        """Hosts have none."""
        return RuntimeFacts()
        yield  # a generator all the same

    def prepare_host(self) -> Program[None]:
        """Nothing is installed in clusters."""
        return None
        yield

    def set_aside(self, workload: str, fence: Fence) -> Program[None]:
        """Plans never ask for it (`machine.name`)."""
        raise CommandFailed(f"{workload} cannot be set aside: objects in clusters have one name for good")
        yield

    def bring_back(self, workload: str, fence: Fence) -> Program[None]:
        return None
        yield

    def remove_aside(self, workload: str, fence: Fence) -> Program[None]:
        return None
        yield

    def receive(self, handover: Handover) -> Program[None]:
        """KubeVirt makes what it needs there."""
        return None
        yield
