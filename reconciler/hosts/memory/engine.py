"""A runtime in memory that moves what runs by itself, as libvirt and KubeVirt do: it decides, whoever asked."""

from __future__ import annotations

import json
from dataclasses import dataclass

from reconciler.hosts.memory.machine import CREATED, RUNNING, Machine, MemoryContainer
from reconciler.model.command import Bytes, Seconds

TAKES: Seconds = 1.5
SLICE: Seconds = 0.1
MEMORY: Bytes = 64 * 2**20


@dataclass
class Migration:
    """The last one of an instance, at its source. `why`: of one that failed."""

    peer: str
    moving: bool = True
    done: Bytes = 0
    cancelled: bool = False
    why: str = ""

    @property
    def text(self) -> str:
        return json.dumps({"moving": self.moving, "done": self.done, "why": self.why})


def receive(machine: Machine, name: str, workload: str, spec: str) -> None:
    """Make room for an instance that will come; it does not run."""
    if name not in machine.containers:
        machine.containers[name] = MemoryContainer(machine.universe.new_id(), name, workload, spec, "", CREATED)
        machine.changed(f"{name} is expected")


def begin(machine: Machine, container: MemoryContainer, peer: str) -> None:
    """Begin to move it; one that is under way goes on."""
    last = machine.migrations.get(container.name)
    if last is None or not last.moving:
        machine.migrations[container.name] = migration = Migration(peer)
        machine.spawn(_move(machine, container, migration), f"migration of {container.name}")


async def _move(machine: Machine, container: MemoryContainer, migration: Migration) -> None:
    peer, name = machine.universe.machines[migration.peer], container.name
    stalls, fails = machine.take("stalls"), machine.take("migrate")
    slices = round(TAKES / SLICE)
    number = 0
    while number < slices or stalls:
        await machine.work(SLICE)
        number += 1
        migration.done = min(MEMORY, MEMORY * number // slices)
        if container.state != RUNNING:
            migration.why = "the guest has ended"
        elif migration.cancelled:
            migration.why = "cancelled by client"
        elif machine.universe.cut_links or not (machine.reachable and peer.answers):
            migration.why = "connection reset by peer"
        elif fails and number > slices // 2:
            migration.why = "the monitor was closed unexpectedly"
        if migration.why:
            migration.moving = False
            return
    there = peer.containers.get(name)
    migration.moving = False
    if there is None or there.state != CREATED:
        migration.why = "nobody expects it there"
        return
    del machine.containers[name]
    there.state, there.lineage, there.spec = RUNNING, container.lineage, container.spec
    machine.changed(f"{name} moved to {peer.name}")
