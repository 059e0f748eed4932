"""What a change copies between hosts, or saves, beside what moves: it may not run, so nobody looks at its
processes. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.diff import current_copy
from reconciler.core.index import Index
from reconciler.core.saving import saved_before
from reconciler.core.volumes import wanted_volumes
from reconciler.model.plan import Change, ChangeKind
from reconciler.model.spec import Spec


def copied(change: Change, spec: Spec, index: Index) -> Iterator[tuple[str, str]]:
    """Host and folder of each bind mount that goes along with a move, and of each volume that comes to where a
    container is made; host and first process of what a checkpoint saves before it is made anew."""
    workload = spec.workloads.get(change.workload)
    source = change.source or ""
    if workload and change.kind is ChangeKind.MOVE and source in index.seen:
        yield from ((source, mount.source) for mount in workload.spec.mounts if mount.move)
    if workload is None or change.kind not in (ChangeKind.CREATE, ChangeKind.RECREATE):
        return
    current = current_copy(change.workload, index) if change.source else None
    for volume in wanted_volumes(workload, index, current):
        if volume.at and volume.at != change.destination and volume.at in index.seen:
            folders = {facts.name: facts.mountpoint for facts in index.seen[volume.at].volumes}
            if folder := folders.get(volume.name):
                yield volume.at, folder
    if current and current.instance.pid and current.host in index.seen and saved_before(change, spec):
        yield current.host, str(current.instance.pid)
