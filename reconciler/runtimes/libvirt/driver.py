"""The runtime `libvirt`: the contract's methods, each in the module that is about it."""

from __future__ import annotations

from reconciler.guard import guard
from reconciler.runtimes.libvirt import lifecycle, moving, observing


class LibvirtDriver:
    """Virtual machines by `virsh`, as root. See `reconciler.runtimes.base` for what each method promises."""

    NAME = observing.NAME
    observe = staticmethod(observing.observe)
    alive = staticmethod(observing.alive)
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
    # moves by itself
    receive = staticmethod(moving.receive)
    begin = staticmethod(moving.begin)
    progress = staticmethod(moving.progress)
    cancel = staticmethod(moving.cancel)
    keep = staticmethod(moving.keep)
    drop = staticmethod(moving.drop)
