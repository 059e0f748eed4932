"""Virtual machines of libvirt. It moves them by itself; where one runs is asked of both hosts' libvirt.

Excludes: transport (hosts), decisions (core), the course of a move (engine). Every module yields commands and
reads results."""

from reconciler.runtimes.libvirt.driver import LibvirtDriver

__all__ = ["LibvirtDriver"]
