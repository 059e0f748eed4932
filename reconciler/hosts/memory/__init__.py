"""Hosts in memory, in virtual time: what tests and the fault simulation run the real code against."""

from reconciler.hosts.memory.clock import Deadlock, VirtualLoop, run_virtual
from reconciler.hosts.memory.fleet import MemoryFleet, MemoryHost
from reconciler.hosts.memory.machine import Container, Dump, ImageSet, Machine, Universe

__all__ = [
    "Container",
    "Deadlock",
    "Dump",
    "ImageSet",
    "Machine",
    "MemoryFleet",
    "MemoryHost",
    "Universe",
    "VirtualLoop",
    "run_virtual",
]
