"""The runtime `process`: the contract's methods, each in the module that is about it. Holds no state."""

from __future__ import annotations

from reconciler.criu import arriving, config
from reconciler.guard import guard
from reconciler.model.command import Program
from reconciler.runtimes.base import Handover
from reconciler.runtimes.process import coming, leaving, lifecycle, observing, stores


class ProcessDriver(stores.ProcessVolumes):
    """Trees of processes with CRIU, as root. See `reconciler.runtimes.base` for what each method promises."""

    NAME = observing.NAME
    observe = staticmethod(observing.observe)
    preflight = staticmethod(observing.hashes)
    alive = staticmethod(coming.alive)
    prepare_host = staticmethod(guard.install)
    # lifecycle, checks
    create = staticmethod(lifecycle.create)
    start = staticmethod(lifecycle.start)
    stop = staticmethod(lifecycle.stop)
    remove = staticmethod(lifecycle.remove)
    set_aside = staticmethod(lifecycle.set_aside)
    bring_back = staticmethod(lifecycle.bring_back)
    remove_aside = staticmethod(lifecycle.remove_aside)
    health = staticmethod(lifecycle.health)
    # networks
    create_network = staticmethod(stores.create_network)
    # moves: the source
    locate = staticmethod(leaving.locate)
    hold = staticmethod(leaving.hold)
    resume = staticmethod(leaving.resume)
    retire = staticmethod(leaving.retire)
    # moves: the destination
    stage = staticmethod(coming.stage)
    unstage = staticmethod(coming.unstage)
    commit_destination = staticmethod(arriving.commit)
    restore = staticmethod(coming.restore)
    verify = staticmethod(coming.verify)
    confirm = staticmethod(coming.confirm)
    finish = staticmethod(coming.finish)
    fence_off = staticmethod(coming.fence_off)

    def commit_source(self, handover: Handover) -> Program[None]:
        return guard.commit(handover.fence)

    def hang_up(self, handover: Handover) -> Program[None]:
        return config.hang_up(handover.name)
