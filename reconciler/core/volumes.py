"""Where a workload's named volumes are, on all hosts, and which of several is the one that counts.

A volume is made once for an ownership of its workload and carries that epoch (`LABEL_EPOCH`). When the workload
leaves, its volumes go along and are removed where they were. So there are several of one name only when that went
wrong half-way, or somebody else had a hand in it; then the one counts that the workload's container mounts, and
nobody guesses where there is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reconciler.core.index import Copy, Index
from reconciler.model.labels import LABEL_EPOCH, LABEL_RUN, LABEL_WORKLOAD
from reconciler.model.plan import Phase
from reconciler.model.spec import Workload
from reconciler.model.world import VolumeFacts


@dataclass(frozen=True)
class FoundVolume:
    """Where the data of one volume is: `at` a host, or nowhere yet. `others`: hosts with other copies of it,
    newest first. `unclear`: nothing tells which counts; `at` is only the newest by its epoch."""

    name: str
    at: str | None = None
    others: tuple[str, ...] = ()
    unclear: bool = False


def find(workload: str, volume: str, index: Index, current: Copy | None) -> FoundVolume:
    """The copy of a volume that counts: what the workload's container mounts, else the only one."""
    epochs = {
        host: int(label) if (label := facts.labels.get(LABEL_EPOCH, "")).isdigit() else 0
        for host, facts in index.kept.get(workload, ())
        if facts.name == volume and not is_void(host, facts, workload, index)
    }
    hosts = sorted(epochs, key=lambda host: (-epochs[host], host))
    if current is not None and mounts(current, volume):
        return FoundVolume(volume, current.host, tuple(host for host in hosts if host != current.host))
    if not hosts:
        return FoundVolume(volume)
    return FoundVolume(volume, hosts[0], tuple(hosts[1:]), unclear=len(hosts) > 1)


def is_void(host: str, volume: VolumeFacts, workload: str, index: Index) -> bool:
    """Whether a hand-over has left it that was undone: its destination is fenced, or went no further than the
    reservation, and another host runs on as the owner. What the next hand-over stages there takes its place."""
    markers = dict(index.markers.get(workload, ()))
    here = markers.get(host)
    if here is None or here.role != "destination" or here.phase not in (Phase.FENCED, Phase.RESERVED):
        return False
    owned = any(m.phase == Phase.RUNNING and m.epoch >= here.epoch for h, m in markers.items() if h != host)
    return owned and volume.labels.get(LABEL_RUN) == here.run


def wanted_volumes(workload: Workload, index: Index, current: Copy | None) -> tuple[FoundVolume, ...]:
    """The volumes a spec names, and where each of them is."""
    name = workload.metadata.name
    return tuple(find(name, volume.name, index, current) for volume in workload.spec.volumes)


def mounts(copy: Copy, volume: str) -> bool:
    return volume in copy.instance.volumes


def used_by_others(host: str, volume: str, workload: str, index: Index) -> tuple[Copy, ...]:
    """Containers on a host that mount a volume and are not the workload's."""
    found = index.volumes.get((host, volume), ())
    return tuple(copy for copy in found if copy.instance.labels.get(LABEL_WORKLOAD) != workload)


def kept_on(workload: str, host: str, index: Index) -> tuple[str, ...]:
    """The workload's volumes on a host."""
    return tuple(facts.name for where, facts in index.kept.get(workload, ()) if where == host)


def saved_and_removed(volume: str, engine: str, users: Iterable[Copy] = ()) -> str:
    """Commands, typed on the volume's host, that take it away and keep what is in it. `engine`: the command of the
    containers' engine that has it. `users`: stopped containers there that still mount it, without which an engine
    does not let it go."""
    stopped = [c.instance.name for c in users if not c.instance.state.has_processes]
    remove = "".join(f"{engine} rm {name} && " for name in stopped)
    folder = f"$({engine} volume inspect --format '{{{{.Mountpoint}}}}' {volume})"
    return f'tar -C "{folder}" -cf {volume}.tar . && {remove}{engine} volume rm {volume}'
