"""The world by workload: which copies, markers and volumes each has, and on which hosts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from reconciler.model.labels import LABEL_WORKLOAD
from reconciler.model.plan import Phase
from reconciler.model.world import ContainerFacts, HostFacts, Instance, Marker, VolumeFacts, World

K = TypeVar("K")
V = TypeVar("V")

SETTLED = (Phase.RUNNING.value, Phase.RETIRED.value, Phase.FENCED.value)
"""Marker phases of a workload with no hand-over under way."""


@dataclass(frozen=True)
class Copy:
    """One instance of a workload, and where it is."""

    host: str
    instance: Instance


@dataclass(frozen=True)
class Index:
    """The world by workload, made once: 10,000 workloads must not mean 10,000 walks over all hosts."""

    copies: Mapping[str, tuple[Copy, ...]]
    markers: Mapping[str, tuple[tuple[str, Marker], ...]]
    unknown: Mapping[str, str]
    silent: frozenset[str]
    """Those of them that may be off."""
    abilities: Mapping[str, tuple[str, ...]]
    """What each runtime that was asked can do."""
    addresses: Mapping[tuple[str, str], tuple[Copy, ...]]
    """What runs by network and static IP or MAC; also what is not ours."""
    seen: Mapping[str, HostFacts]
    named: Mapping[tuple[str, str], tuple[Copy, ...]]
    """Instances by host and name; also those that are not ours."""
    volumes: Mapping[tuple[str, str], tuple[Copy, ...]]
    """Instances by host and a volume they use; also those that are not ours."""
    kept: Mapping[str, tuple[tuple[str, VolumeFacts], ...]]
    """Volumes by the workload whose label they carry, with their hosts."""

    @classmethod
    def of(cls, world: World) -> Index:
        copies: dict[str, list[Copy]] = {}
        markers: dict[str, list[tuple[str, Marker]]] = {}
        addresses: dict[tuple[str, str], list[Copy]] = {}
        named: dict[tuple[str, str], list[Copy]] = {}
        volumes: dict[tuple[str, str], list[Copy]] = {}
        seen = world.seen()
        for host, facts in sorted(seen.items()):
            for instance in facts.instances:
                copy = Copy(host, instance)
                named.setdefault((host, instance.name), []).append(copy)
                for volume in instance.volumes:
                    volumes.setdefault((host, volume), []).append(copy)
                if name := instance.labels.get(LABEL_WORKLOAD):
                    copies.setdefault(name, []).append(copy)
                if instance.state.has_processes and not _in_network_of_another(instance):
                    for network in instance.networks:
                        for value in filter(None, (*network.ips, network.mac)):
                            addresses.setdefault((network.name, value), []).append(copy)
            for marker in facts.markers:
                markers.setdefault(marker.workload, []).append((host, marker))
        return cls(
            copies=_frozen(copies),
            markers=_frozen(markers),
            unknown={name: host.reason for name, host in world.unknown().items()},
            silent=frozenset(name for name, host in world.unknown().items() if host.silent),
            abilities=world.abilities,
            addresses=_frozen(addresses),
            seen=seen,
            named=_frozen(named),
            volumes=_frozen(volumes),
            kept=_labelled_volumes(seen),
        )

    def can(self, runtime: str, ability: str) -> bool:
        """Whether a runtime can; one that nobody asked is not said to lack anything."""
        known = self.abilities.get(runtime)
        return known is None or ability in known

    def epoch(self, workload: str) -> int:
        """The highest epoch any host knows for a workload; 0 for a new one."""
        return max((marker.epoch for _, marker in self.markers.get(workload, ())), default=0)

    def is_fenced(self, copy: Copy) -> bool:
        """Whether the workload may not start where this copy is."""
        found = self.markers.get(copy.instance.labels.get(LABEL_WORKLOAD, ""), ())
        return any(host == copy.host and marker.phase == Phase.FENCED for host, marker in found)

    def owned_under(self, copy: Copy) -> int:
        """The epoch under which the host of a copy owns its workload; -1 where it is not known to."""
        found = self.markers.get(copy.instance.labels.get(LABEL_WORKLOAD, ""), ())
        return max((m.epoch for host, m in found if host == copy.host and m.phase == Phase.RUNNING), default=-1)

    def unsettled(self, workload: str) -> dict[str, Marker]:
        """Markers of a hand-over that has not ended, by host. Fencing a host off settles nothing by itself: it
        raises the epoch there before the other side is told to resume. A source that is still held after its
        workload has gone on elsewhere is to be let go."""
        found = self.markers.get(workload, ())
        newest = max((m.epoch for _, m in found if m.phase != Phase.FENCED), default=0)
        unsettled = {host: m for host, m in found if m.phase not in SETTLED}
        return {host: m for host, m in unsettled.items() if m.epoch >= newest or _is_committed_source(m)}


def _in_network_of_another(instance: Instance) -> bool:
    """Whether the addresses that an engine tells of it are those of the container whose network it is in."""
    return isinstance(instance, ContainerFacts) and instance.options.network_mode.startswith("container:")


def _labelled_volumes(seen: Mapping[str, HostFacts]) -> dict[str, tuple[tuple[str, VolumeFacts], ...]]:
    found: dict[str, list[tuple[str, VolumeFacts]]] = {}
    for host, facts in sorted(seen.items()):
        for volume in facts.volumes:
            if owner := volume.labels.get(LABEL_WORKLOAD):
                found.setdefault(owner, []).append((host, volume))
    return _frozen(found)


def _is_committed_source(marker: Marker) -> bool:
    return (marker.role, marker.phase) == ("source", Phase.COMMITTED)


def _frozen(found: Mapping[K, list[V]]) -> dict[K, tuple[V, ...]]:
    return {key: tuple(items) for key, items in found.items()}
