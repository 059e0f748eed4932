"""What a plan tells its reviewer about a change, as (label, text) rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from reconciler.core.diff import Copy, Index
from reconciler.core.strategy import Choice, LiveOutlook, Prediction
from reconciler.core.volumes import FoundVolume, kept_on
from reconciler.model.command import Bytes, Seconds
from reconciler.model.live import OnTimeout
from reconciler.model.plan import Change, ChangeKind, Move
from reconciler.model.room import on_disk
from reconciler.model.spec import MigrationPolicySpec, Spec, Strategy, Workload
from reconciler.model.units import format_bytes, format_seconds
from reconciler.model.world import HostFacts, Instance


@dataclass(frozen=True)
class Outlook:
    """How a move will go: the copy that moves, how, and how long each part takes, at least and at most.
    `learned_from`: how many earlier moves say so; after the first one both are the same."""

    copy: Copy
    choice: Choice
    prediction: Prediction
    most: Prediction
    learned_from: int


_HOW = {
    Strategy.COLD: "cold, eager restore",
    Strategy.LAZY: "cold, lazy restore",
    Strategy.PRECOPY: "pre-copy in rounds while it runs, lazy restore",
}


Rows = list[tuple[str, str]]


def volume_rows(change: Change, found: Iterable[FoundVolume], index: Index, stay: Collection[str] = ()) -> Rows:
    """Which volumes come from where, and which stay behind. `stay`: those that are not removed where they come
    from, because a container there mounts them."""
    rows: Rows = []
    for volume in found:
        if volume.at is None:
            rows.append(("volume", f"{volume.name} is new, and empty"))
        elif volume.at != change.destination:
            then = (
                "a container there still mounts it"
                if volume.name in stay
                else "removed there when it is healthy here"
            )
            rows.append(("volume", f"{volume.name} comes along from {volume.at}; {then}"))
        if volume.others:
            rows.append(("", f"another copy of {volume.name} stays on {', '.join(volume.others)}"))
    named = {volume.name for volume in found}
    return [*rows, *stay_rows(change, index, named)]


def stay_rows(change: Change, index: Index, named: Collection[str] = ()) -> Rows:
    """The volumes that stay where the workload was, although nothing of it uses them any more."""
    if change.source is None:
        return []
    left = [name for name in kept_on(change.workload, change.source, index) if name not in named]
    return [("volume", f"{', '.join(left)} stay{'s' * (len(left) == 1)} on {change.source}")] if left else []


def update_rows(change: Change, spec: Spec) -> Rows:
    """What it will have, and that nothing else happens to it."""
    container = spec.workloads[change.workload].container
    limits = container.limits.model_dump(exclude_none=True)
    now = ", ".join(f"{name} {value}" for name, value in (*limits.items(), ("restart", container.restart.value)))
    return [("becomes", now), ("keeps", "its process, memory and connections"), ("way back", "the values before")]


def loss_rows(change: Change, index: Index) -> Rows:
    """What stopping, removing or making it anew costs, as far as it was seen."""
    copy = next((c for c in index.copies.get(change.workload, ()) if c.host == change.source), None)
    if copy is None:
        return []
    instance, parts = copy.instance, []
    if instance.state.has_processes:
        parts.append(f"{format_bytes(instance.memory_bytes)} of memory")
        count = len(instance.tcp_established)
        parts.append(f"{count} established TCP connection{'s' * (count != 1)}")
    if change.kind is not ChangeKind.STOP and instance.image_id:
        size = f" ({format_bytes(instance.rootfs_bytes)})" if instance.rootfs_bytes else ""
        parts.append(f"what it changed in its root filesystem{size}")
    if not parts:
        return []
    since = index.seen[copy.host].clock_s - instance.started_at
    up = (
        f"; it has run for {format_seconds(since)}" if instance.started_at and instance.state.has_processes else ""
    )
    return [("lost", f"{', '.join(parts)}{up}")]


def action_rows(workload: Workload, source: str, host: str) -> tuple[tuple[str, str], ...]:
    """What the specs run on the hosts, in full: a reviewer has to see it."""
    actions = workload.spec.migration.actions if workload.spec.migration else None
    if actions is None:
        return ()
    before = (f"on {source} before the freeze: {' '.join(a.do)}" for a in actions.before_hold)
    after = (f"on {host} after the restore: {' '.join(a.do)}" for a in actions.after_restore)
    return tuple(("action", text) for text in (*before, *after))


def move_rows(
    move: Move, outlook: Outlook, source: HostFacts, destination: HostFacts, network: str
) -> tuple[tuple[str, str], ...]:
    instance, least, most, learned = (
        outlook.copy.instance,
        outlook.prediction,
        outlook.most,
        outlook.learned_from,
    )
    assert move.strategy and move.cutover
    in_rounds = move.strategy is Strategy.PRECOPY
    copied = "what changed since the last round" if in_rounds else format_bytes(move.expected_bytes)
    if learned:
        head, basis = (
            f"about {least.downtime:.1f} s",
            f"; learned from {learned} earlier move{'s' * (learned != 1)}",
        )
    else:
        head, basis = f"{_span(least.downtime, most.downtime)} s (first move between these hosts)", ""
    rows = [
        ("how", f"{_HOW[move.strategy]}; {move.cutover.value} cut-over"),
        *(("", reason) for reason in outlook.choice.why),
        (
            "downtime",
            f"{head}: dump {_span(least.dump, most.dump)}, copy {_span(least.copy, most.copy)} ({copied}),"
            f" restore {_span(least.restore, most.restore)}{basis}",
        ),
    ]
    rows.append(("network", network))
    rows.append(("room", _room(instance.memory_bytes, source, destination)))
    back = (
        "until the commit the source resumes, same process; after it, forward only"
        if move.cutover.value == "transactional"
        else "until the destination is healthy the source is restored from its images"
    )
    rows.append(("way back", back))
    return tuple(rows)


_THEN = {
    OnTimeout.ABORT: "given up",
    OnTimeout.SUSPEND: "it stands still until all has arrived",
    OnTimeout.POST_COPY: "it runs there, and its memory follows",
}


def live_rows(runtime: str, policy: MigrationPolicySpec, instance: Instance, outlook: LiveOutlook) -> Rows:
    """Of a move that the runtime makes by itself."""
    live = policy.live
    limits = [f"at most {live.bandwidth} a second"] if live.bandwidth else []
    limits += ["slowed down when it writes faster than is sent"] if live.auto_converge else []
    macs = [network.mac for network in instance.networks if network.mac]
    return [
        ("how", "; ".join([f"live migration by {runtime}, while it runs", *limits])),
        ("downtime", f"about {outlook.downtime:.1f} s, after {outlook.seconds:.1f} s or more while it runs"),
        ("limit", f"after {live.within}: {_THEN[live.on_timeout]}"),
        ("network", f"{', '.join(macs) or 'no card'} and its connections move along"),
        ("way back", f"until {runtime} has switched over it goes on at the source; after it, forward only"),
    ]


def _span(least: Seconds, most: Seconds) -> str:
    low, high = f"{least:.1f}", f"{most:.1f}"
    return low if low == high else f"{low} to {high}"


def _room(images: Bytes, *hosts: HostFacts) -> str:
    """Where images go on each host: both decide by what is available when the move comes to it."""
    size = format_bytes(images)
    free = {host.name: format_bytes(host.memory_free_bytes) for host in hosts}
    short = {host.name for host in hosts if on_disk(images, host.memory_free_bytes)}
    if not short:
        return f"{size} of memory for images on each host ({', '.join(f'{n} {f}' for n, f in free.items())} free)"
    places = (
        f"on disk on {name}, which has {memory} of memory free" if name in short else f"in memory on {name}"
        for name, memory in free.items()
    )
    return f"{size} for images: {'; '.join(places)}"
