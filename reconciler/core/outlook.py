"""What a change brings, from what is wanted and what was seen: numbers and codes, no words."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from reconciler.core.index import Copy, Index
from reconciler.core.strategy import Choice, LiveOutlook, Prediction
from reconciler.core.volumes import FoundVolume, kept_on
from reconciler.model.base import parse_duration, parse_size
from reconciler.model.cluster_world import ClusterMachineFacts
from reconciler.model.command import Bytes, Seconds
from reconciler.model.outlook import (
    ActionOutlook,
    ActionTime,
    ClusterMove,
    HeldMove,
    LiveMove,
    Loss,
    NetworkOutlook,
    RoomOutlook,
    Setting,
    Span,
    VolumeOutlook,
    VolumeWay,
    WayBack,
)
from reconciler.model.plan import Change, ChangeKind
from reconciler.model.room import on_disk
from reconciler.model.spec import MigrationPolicySpec, Spec, Strategy, Workload
from reconciler.model.world import HostFacts, Instance


@dataclass(frozen=True)
class Forecast:
    """How a move will go: the copy that moves, how, and how long each part takes, at least and at most.
    `learned_from`: how many earlier moves say so; after the first one both are the same. `drains`: bytes a
    second of memory that follows from the source, at most and at least."""

    copy: Copy
    choice: Choice
    prediction: Prediction
    most: Prediction
    learned_from: int
    drains: tuple[float, float]


def held_move(
    forecast: Forecast, policy: MigrationPolicySpec, hosts: Iterable[HostFacts], network: NetworkOutlook
) -> HeldMove:
    """Of a move whose source is held, or stopped; `hosts` are its two."""
    instance, least, most = forecast.copy.instance, forecast.prediction, forecast.most
    drains = forecast.choice.strategy is Strategy.POSTCOPY
    return HeldMove(
        strategy=forecast.choice.strategy,
        cutover=forecast.choice.cutover,
        not_chosen=forecast.choice.not_chosen,
        downtime=_span(least.downtime, most.downtime),
        dumping=_span(least.dump, most.dump),
        copying=_span(least.copy, most.copy),
        restoring=_span(least.restore, most.restore),
        expected_bytes=instance.memory_bytes + instance.rootfs_bytes,
        in_rounds=forecast.choice.strategy is Strategy.PRECOPY,
        learned_from=forecast.learned_from,
        network=network,
        room=tuple(_room(instance.memory_bytes, host) for host in hosts),
        drains_s=_drains(forecast) if drains else None,
        on_disk_s=_drains(forecast, DISK) if drains and policy.postcopy.persist else None,
    )


DISK = (500e6, 50e6)
"""Bytes a second that a disk is written with beside other work: a quick one, and one of a busy host."""


def _drains(forecast: Forecast, disk: tuple[float, float] = (0.0, 0.0)) -> Span:
    """All memory goes over the link once, after the restore, and then into the processes. What is written to a
    disk meanwhile begins at its other end."""
    memory = forecast.copy.instance.memory_bytes
    least, most = (link + written for link, written in zip(forecast.drains, disk, strict=True))
    return _span(memory / least, memory / most)


def live_move(runtime: str, policy: MigrationPolicySpec, instance: Instance, outlook: LiveOutlook) -> LiveMove:
    """Of a move that the runtime makes by itself. In a cluster the terms are the cluster's."""
    live = policy.live
    bandwidth, slowed = parse_size(live.bandwidth) if live.bandwidth else None, live.auto_converge
    if isinstance(instance, ClusterMachineFacts):
        bandwidth, slowed = instance.terms.bandwidth or None, instance.terms.auto_converge
    return LiveMove(
        runtime=runtime,
        bandwidth_bytes=bandwidth,
        slowed_down=slowed,
        downtime_s=_seconds(outlook.downtime),
        lasts_s=_seconds(outlook.seconds),
        within_s=parse_duration(live.within),
        on_timeout=live.on_timeout,
        macs=tuple(network.mac for network in instance.networks if network.mac),
    )


def cluster_move(instance: Instance) -> ClusterMove | None:
    """What the cluster says of it; None on hosts."""
    if not isinstance(instance, ClusterMachineFacts):
        return None
    terms, limits = instance.terms, instance.limits
    return ClusterMove(
        migratable=instance.migratable,
        method=instance.method,
        policy=terms.policy,
        per_gib_s=terms.per_gib,
        post_copy=terms.post_copy,
        disruption=terms.disruption,
        cluster_limit=limits.cluster,
        running=limits.running,
        node_limit=limits.node,
        from_node=limits.from_node,
    )


def volumes(
    found: Iterable[FoundVolume], host: str | None, stay: Collection[str] = ()
) -> tuple[VolumeOutlook, ...]:
    """Which volumes come to a host, and from where. `stay`: those that are not removed where they come from,
    because a container there mounts them."""
    return tuple(
        VolumeOutlook(
            name=volume.name,
            way=_way(volume, host),
            source=volume.at if volume.at != host else None,
            stays=volume.name in stay,
            others=volume.others,
        )
        for volume in found
    )


def _way(volume: FoundVolume, host: str | None) -> VolumeWay:
    if volume.at is None:
        return VolumeWay.NEW
    return VolumeWay.HERE if volume.at == host else VolumeWay.ALONG


def left_behind(change: Change, index: Index, found: Iterable[FoundVolume] = ()) -> tuple[str, ...]:
    """The volumes that stay where the workload was, although nothing of it uses them any more."""
    if change.source is None:
        return ()
    named = {volume.name for volume in found}
    return tuple(name for name in kept_on(change.workload, change.source, index) if name not in named)


def becomes(change: Change, spec: Spec) -> tuple[Setting, ...]:
    """The limits it gets while it runs on."""
    container = spec.workloads[change.workload].spec.container
    if container is None:
        return ()
    limits = container.limits.model_dump(exclude_none=True)
    both = (*limits.items(), ("restart", container.restart.value))
    return tuple(Setting(name=name, value=str(value)) for name, value in both)


def loss(change: Change, index: Index) -> Loss | None:
    """What stopping, removing or making it anew costs; None when nothing was seen that would be lost."""
    copy = next((c for c in index.copies.get(change.workload, ()) if c.host == change.source), None)
    if copy is None:
        return None
    instance = copy.instance
    runs = instance.state.has_processes
    files = change.kind is not ChangeKind.STOP and bool(instance.image_id)
    if not runs and not files:
        return None
    since = index.seen[copy.host].clock_s - instance.started_at
    return Loss(
        memory_bytes=instance.memory_bytes if runs else None,
        connections=len(instance.tcp_established) if runs else None,
        rootfs_changes=files,
        rootfs_bytes=instance.rootfs_bytes if files else 0,
        ran_s=_seconds(since) if runs and instance.started_at else None,
    )


def way_back(change: Change, to_checkpoint: bool) -> WayBack | None:
    """Of what is made, or made anew."""
    if change.source is None:
        return None
    return WayBack.CHECKPOINT if to_checkpoint else WayBack.OLD_STARTS


def actions(workload: Workload, source: str, host: str) -> tuple[ActionOutlook, ...]:
    """What the specs run on the hosts, in full: a reviewer has to see it."""
    wanted = workload.spec.migration.actions if workload.spec.migration else None
    if wanted is None:
        return ()
    before = (ActionOutlook(when=ActionTime.BEFORE_FREEZE, host=source, argv=a.do) for a in wanted.before_hold)
    after = (ActionOutlook(when=ActionTime.AFTER_RESTORE, host=host, argv=a.do) for a in wanted.after_restore)
    return (*before, *after)


def _seconds(number: Seconds) -> Seconds:
    return round(number, 3) if math.isfinite(number) else 0.0


def _span(least: Seconds, most: Seconds) -> Span:
    return Span(least_s=_seconds(least), most_s=_seconds(most))


def _room(images: Bytes, host: HostFacts) -> RoomOutlook:
    """Where images go on a host, which decides by what is available when the move comes to it."""
    free = host.memory_free_bytes
    return RoomOutlook(host=host.name, needed_bytes=images, free_bytes=free, on_disk=on_disk(images, free))
