"""Hosts in memory, in virtual time: what tests and the fault simulation run the real code against."""

from reconciler.hosts.memory.clock import Deadlock, VirtualLoop, run_virtual
from reconciler.hosts.memory.fleet import MemoryFleet, MemoryHost
from reconciler.hosts.memory.machine import Dump, ImageSet, Machine, MemoryContainer, Universe

__all__ = [
    "Deadlock",
    "Dump",
    "ImageSet",
    "Machine",
    "MemoryContainer",
    "MemoryFleet",
    "MemoryHost",
    "Universe",
    "VirtualLoop",
    "run_virtual",
]
