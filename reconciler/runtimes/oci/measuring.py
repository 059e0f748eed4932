"""What containers that run use, as an engine's script `measure` counts it."""

from __future__ import annotations

from reconciler.core.connections import tcp_established
from reconciler.core.lines import numbers, sections
from reconciler.model.command import Command, Program, Seconds
from reconciler.model.labels import LABEL_WORKLOAD
from reconciler.model.world import ContainerFacts
from reconciler.resources import host_script


def by_id() -> tuple[str, ...]:
    """The script of engines whose containers are in control groups that end with their IDs."""
    return ("/bin/sh", "-c", host_script("oci", "measure"), "measure")


def measured(
    found: tuple[ContainerFacts, ...], measure: tuple[str, ...], within: Seconds
) -> Program[tuple[ContainerFacts, ...]]:
    """With connections, processes, memory and the size of what was written, of those that are workloads.
    `measure`: the engine's script."""
    ours = [c for c in found if LABEL_WORKLOAD in c.labels and c.state.has_processes and c.pid]
    if not ours:
        return found
    arguments = [text for c in ours for text in (c.id, str(c.pid), c.upper_dir or "/nonexistent")]
    counted = yield Command((*measure, *arguments), timeout=within)
    parts = sections(counted.stdout)
    updated = []
    for facts in found:
        use = numbers(parts.get(f"use {facts.id}", ""), ("processes", "memory", "rootfs"))
        seen = {
            "tcp_established": tcp_established(parts.get(f"tcp {facts.id}", "")),
            "processes": use["processes"],
            "memory_bytes": use["memory"],
            "rootfs_bytes": use["rootfs"],
        }
        updated.append(facts.model_copy(update=seen))
    return tuple(updated)
