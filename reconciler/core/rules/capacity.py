"""Room on the hosts: memory and disk for images, and for what arrives."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.rules.base import Case, Said, rule
from reconciler.model.room import available_for, on_disk
from reconciler.model.units import format_bytes
from reconciler.model.world import HostFacts

MEMORY_MARGIN = 64 * 2**20
"""Bytes left free besides images and the workload itself."""
DISK_MARGIN = 256 * 2**20


def memory_alone(host: HostFacts) -> Iterator[Said]:
    """For `doctor`: no room for any workload."""
    if host.memory_free_bytes < MEMORY_MARGIN:
        free = format_bytes(host.memory_free_bytes)
        yield Said(f"{host.name} has {free} of memory free", "ps -eo rss,comm --sort=-rss | head", warn=True)


def disk_alone(host: HostFacts) -> Iterator[Said]:
    """For `doctor`: no room for any workload."""
    if host.least_disk_bytes < DISK_MARGIN:
        free = format_bytes(host.least_disk_bytes)
        engines = sorted({image.runtime for image in host.images})
        fix = "; ".join(f"{name} image prune; {name} volume prune" for name in engines)
        yield Said(
            f"{host.name} has {free} of disk free under the container storage",
            fix or "df -h; du -xh / | sort -h | tail",
            warn=True,
        )


@rule("room.memory", alone=memory_alone)
def memory(case: Case) -> Iterator[Said]:
    """The destination needs memory for the workload. Images are kept in memory too where there is room,
    and on disk otherwise, so only the workload itself is required here."""
    if not (case.moves and case.destination and case.container):
        return
    needed = case.container.memory_bytes + MEMORY_MARGIN
    free = case.destination.memory_free_bytes
    if free < needed:
        yield Said(
            f"{case.destination.name} has {format_bytes(free)} of memory free, it needs {format_bytes(needed)}",
            "free memory there, or choose another host",
        )


@rule("room.images", warns=True)
def images(case: Case) -> Iterator[Said]:
    """Images go to the disk of a host that has too little memory to spare for them: the move works, and clients
    wait longer than is predicted."""
    if not (case.moves and case.container):
        return
    memory = case.container.memory_bytes
    for host in (case.source, case.destination):
        if host and on_disk(memory, host.memory_free_bytes):
            yield Said(
                f"images go to the disk of {host.name}: of memory {format_bytes(host.memory_free_bytes)} are free,"
                f" {format_bytes(available_for(memory))} are needed to keep them there",
                f"free memory on {host.name} for a shorter downtime",
                host=host.name,
            )


@rule("room.disk", alone=disk_alone)
def disk(case: Case) -> Iterator[Said]:
    """Both hosts need disk for the images where memory is short or the policy has them persist, and the
    destination for the root filesystem's changes and the volumes."""
    if not (case.moves and case.container):
        return
    needed = case.container.memory_bytes + case.container.rootfs_bytes + DISK_MARGIN
    for host in (case.source, case.destination):
        if host and host.disk_free_bytes < needed:
            yield Said(
                f"{host.name} has {format_bytes(host.disk_free_bytes)} of disk free under the container"
                f" storage, a move needs {format_bytes(needed)}",
                f"free disk on {host.name}: {case.engine} image prune; {case.engine} volume prune",
                host=host.name,
            )
