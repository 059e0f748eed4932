"""Copies of checkpoints beside their workload: which there are, what keeps one from being made, and how one goes.
Pure. Plans and everything else that is about workloads pass copies by; they are told by their names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.core.comeback import Obstacle
from reconciler.core.index import Index
from reconciler.model.base import DEFAULT_RUNTIME
from reconciler.model.checkpoint import Manifest
from reconciler.model.command import Bytes, Seconds
from reconciler.model.copying import ROOM, CopyLabels, copy_name, is_copy
from reconciler.model.plan import Change, ChangeKind, Plan, Step, StepKind
from reconciler.model.spec import Spec, Workload
from reconciler.model.units import format_bytes, format_seconds
from reconciler.model.world import HostFacts, Instance


@dataclass(frozen=True)
class SeenCopy:
    """What a host has of a copy. `of`: the checkpoint, as WORKLOAD@ID, empty where nobody knows; `state`: of its
    instance, empty where only volumes are left; `until`: in seconds since the epoch; `settled`: nothing is under
    way with it."""

    name: str
    host: str
    of: str = ""
    state: str = ""
    until: float = 0.0
    runtime: str = DEFAULT_RUNTIME
    volumes: tuple[str, ...] = ()
    memory_bytes: Bytes = 0
    settled: bool = True
    instance: Instance | None = None

    def expired(self, now: float) -> bool:
        return self.settled and self.until <= now


def copies(index: Index) -> list[SeenCopy]:
    """All that were seen, by name and host."""
    instances = {
        (name, copy.host): copy.instance for name, found in index.copies.items() if is_copy(name) for copy in found
    }
    volumes: dict[tuple[str, str], list[str]] = {}
    for name, kept in index.kept.items():
        for host, facts in kept:
            if is_copy(name):
                volumes.setdefault((name, host), []).append(facts.name)
    return [
        _seen(name, host, instances.get((name, host)), tuple(sorted(volumes.get((name, host), ()))), index)
        for name, host in sorted(instances.keys() | volumes.keys())
    ]


def _seen(name: str, host: str, instance: Instance | None, volumes: tuple[str, ...], index: Index) -> SeenCopy:
    settled = not index.unsettled(name)
    if instance is None:
        return SeenCopy(name, host, volumes=volumes, settled=settled)
    says = CopyLabels.read(instance.labels)
    return SeenCopy(
        name,
        host,
        says.of,
        instance.state.value,
        says.until,
        instance.runtime,
        volumes,
        instance.memory_bytes,
        settled,
        instance,
    )


def labelled(made_from: Workload, says: CopyLabels) -> Workload:
    """What a copy is made from, with what it tells of itself."""
    metadata = made_from.metadata.model_copy(update={"labels": says.labels})
    return made_from.model_copy(update={"metadata": metadata})


def in_the_way(name: str, manifest: Manifest, index: Index, facts: HostFacts) -> Iterator[Obstacle]:
    """What keeps a copy of that name from being made on a host."""
    for found in copies(index):
        if found.name == name:
            yield Obstacle(
                f"{found.host} has a copy of that name", f"reconcile discard {name}, or give it another name"
            )
    for host in index.unsettled(name):
        yield Obstacle(f"one is being made, or was, on {host}", "see what ends it: reconcile status")
    needs, free = ROOM * manifest.memory_bytes, facts.memory_free_bytes
    if free and free < needs:
        yield Obstacle(
            f"{facts.name} has {format_bytes(free)} of memory free, and {format_bytes(needs)} are needed",
            "choose another host: --to HOST",
        )


def discard_plan(found: SeenCopy, spec: Spec, index: Index, why: str) -> Plan:
    """How a copy goes, with its volumes. Under an epoch of its own: what was sent to make it may arrive later."""
    name, host = found.name, found.host
    first = Step(
        id=f"{name}/{StepKind.REMOVE.value}/{host}",
        kind=StepKind.REMOVE,
        workload=name,
        host=host,
        runtime=found.runtime,
    )
    volumes = [
        Step(
            id=f"{name}/{StepKind.REMOVE_VOLUME.value}/{host}/{number}",
            kind=StepKind.REMOVE_VOLUME,
            workload=name,
            host=host,
            runtime=found.runtime,
            subject=volume,
            needs=(first.id,),
        )
        for number, volume in enumerate(found.volumes, 1)
    ]
    return Plan(
        changes=(Change(kind=ChangeKind.REMOVE, workload=name, source=host, reason=why),),
        steps=(first, *volumes),
        hosts=spec.hosts,
        epochs={name: index.epoch(name) + 1},
        commit=spec.commit,
        dirty=spec.dirty,
    )


def why_expired(found: SeenCopy, now: float) -> str:
    if not found.state:
        return "its volumes were left behind"
    return f"its time ended {format_seconds(max(0.0, now - found.until))} ago"


def named(name: str, index: Index) -> list[SeenCopy]:
    """Where a copy that people call so is."""
    return [found for found in copies(index) if found.name == copy_name(name)]


def until(now: float, keep: Seconds) -> float:
    return float(round(now + keep))
