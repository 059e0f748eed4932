"""What a change brings, in words: (label, text) rows, the same wherever a plan is shown to people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from reconciler.core.obstacles import in_words
from reconciler.model.base import duration_text, size_text
from reconciler.model.copying import ENDING
from reconciler.model.live import OnTimeout
from reconciler.model.outlook import (
    ActionTime,
    ClusterMove,
    ComebackOutlook,
    ConsentOutlook,
    HeldMove,
    LiveMove,
    Loss,
    NetworkOutlook,
    Outlook,
    OwnNetwork,
    Rehearsed,
    RoomOutlook,
    SavedOutlook,
    Span,
    TurnsOutlook,
    VolumeWay,
    WayBack,
    Ways,
)
from reconciler.model.plan import ChangeKind
from reconciler.model.spec import Strategy
from reconciler.model.units import format_bytes, format_seconds

Row = tuple[str, str]
HOW = {
    Strategy.COLD: "cold, eager restore",
    Strategy.LAZY: "cold, lazy restore",
    Strategy.POSTCOPY: "post-copy, memory follows from the source while it runs",
    Strategy.PRECOPY: "pre-copy in rounds while it runs, lazy restore",
}
WAY_BACK = {
    WayBack.SOURCE_RESUMES: "until it is healthy there the source resumes, same process; with its connections"
    " until the commit",
    WayBack.IMAGES_RESTORED: "until the destination is healthy the source is restored from its images",
    WayBack.UNTIL_SWITCHED: "until {runtime} has switched over it goes on at the source; after it, forward only",
    WayBack.OLD_STARTS: "the old container is started again when the new one is not healthy",
    WayBack.CHECKPOINT: "the checkpoint, when the new one is not healthy: memory, root filesystem and volumes as"
    " they were then; what happened since is lost, and connections are closed",
    WayBack.VALUES_BEFORE: "the values before",
}
_NOT = {
    Ways.TRANSACTIONAL: "restore-back",
    Ways.LAZY: "no lazy restore",
    Ways.PRECOPY: "no pre-copy",
    Ways.POSTCOPY: "no post-copy",
}
_THEN = {
    OnTimeout.ABORT: "given up",
    OnTimeout.SUSPEND: "it stands still until all has arrived",
    OnTimeout.POST_COPY: "it runs there, and its memory follows",
}
_WHEN = {ActionTime.BEFORE_FREEZE: "before the freeze", ActionTime.AFTER_RESTORE: "after the restore"}


class OfChange(Protocol):
    """A change, as plans hold it or as documents tell of it."""

    @property
    def kind(self) -> ChangeKind: ...
    @property
    def source(self) -> str | None: ...
    @property
    def destination(self) -> str | None: ...
    @property
    def outlook(self) -> Outlook: ...


def rows(change: OfChange) -> list[Row]:
    """All that a reviewer has to know of a change, but for why it is made."""
    told = change.outlook
    called = [("called", f"{told.called} in the specs; on hosts it keeps its name")] if told.called else []
    return [*called, *_saved(told.saved), *_body(change, told), *_rehearsed(told.rehearsed)]


def _body(change: OfChange, told: Outlook) -> Iterator[Row]:
    match change.kind:
        case ChangeKind.CREATE | ChangeKind.RECREATE:
            if told.image:
                yield "image", told.image
            yield "on", change.destination or ""
            yield from _volumes(change, told)
            yield from _loss(told.loss)
            yield from _back(told)
            yield from _consent(change, told)
        case ChangeKind.REMOVE:
            yield from _loss(told.loss)
            yield from _volumes(change, told)
        case ChangeKind.STOP:
            yield from _loss(told.loss)
            yield from _consent(change, told)
        case ChangeKind.UPDATE:
            yield "becomes", ", ".join(f"{one.name} {one.value}" for one in told.becomes)
            yield "keeps", "its process, memory and connections"
            yield from _back(told)
        case ChangeKind.MOVE:
            yield from _move(change, told)
        case ChangeKind.RESTORE if told.comeback:
            yield from _comeback(told.comeback)
        case ChangeKind.START | ChangeKind.RESTORE | ChangeKind.CHECKPOINT:
            pass


def _move(change: OfChange, told: Outlook) -> Iterator[Row]:
    if told.held_move:
        yield from _held(told.held_move)
    if told.live_move:
        yield from _live(told.live_move)
    if told.cluster_move:
        yield from _in_cluster(told.cluster_move)
    yield from _back(told)
    yield from _volumes(change, told)
    for one in told.actions:
        yield "action", f"on {one.host} {_WHEN[one.when]}: {' '.join(one.argv)}"


def _held(move: HeldMove) -> Iterator[Row]:
    yield "how", f"{HOW[move.strategy]}; {move.cutover.value} cut-over"
    for one in move.not_chosen:
        yield "", f"{_NOT[one.way]}, because {in_words(one.obstacle)}"
    copied = "what changed since the last round" if move.in_rounds else format_bytes(move.expected_bytes)
    copied = "all but memory" if move.drains_s else copied
    head, basis = f"{span(move.downtime)} s (first move between these hosts)", ""
    if count := move.learned_from:
        head = f"about {move.downtime.least_s:.1f} s"
        basis = f"; learned from {count} earlier move{'s' * (count != 1)}"
    parts = f"dump {span(move.dumping)}, copy {span(move.copying)} ({copied}), restore {span(move.restoring)}"
    yield "downtime", f"{head}: {parts}{basis}"
    if move.turns:
        yield "turns", _turns(move.turns)
    if move.drains_s:
        yield "window", f"both hosts must live for {span(move.drains_s)} s after the restore: memory follows then"
    if move.on_disk_s:
        until = f"its source may lose power {span(move.on_disk_s)} s after the restore"
        yield "", f"{until}: what has not followed is written to its disk by then"
    yield "network", network(move.network, move.room[-1].host)
    yield "room", _room(move.room)


def _turns(turns: TurnsOutlook) -> str:
    others = ", ".join(turns.others) + (f" and {turns.more} more" if turns.more else "")
    waits = f"their clients wait for {span(turns.in_turn)} s in all"
    return f"with {others}: one is frozen at a time; {waits}, and {span(turns.at_once)} s if all were at once"


def _live(move: LiveMove) -> Iterator[Row]:
    limits = [f"at most {size_text(move.bandwidth_bytes)} a second"] if move.bandwidth_bytes else []
    limits += ["slowed down when it writes faster than is sent"] if move.slowed_down else []
    yield "how", "; ".join([f"live migration by {move.runtime}, while it runs", *limits])
    yield "downtime", f"about {move.downtime_s:.1f} s, after {move.lasts_s:.1f} s or more while it runs"
    yield "limit", f"after {duration_text(move.within_s)}: {_THEN[move.on_timeout]}"
    yield "network", f"{', '.join(move.macs) or 'no card'} and its connections move along"


def _in_cluster(move: ClusterMove) -> Iterator[Row]:
    known = {None: "KubeVirt has not said whether", True: "live-migratable", False: "not live-migratable"}
    can = known[move.migratable]
    yield "kubevirt", f"{can}{f', by {move.method}' if move.method else ''}"
    then = "post-copy" if move.post_copy else "a pause of the guest" if move.disruption else "it is given up"
    by = f"MigrationPolicy {move.policy}" if move.policy else "the cluster's own settings"
    yield "terms", f"{by}: {move.per_gib_s} s for each GiB, then {then}"
    waits = move.running >= move.cluster_limit or move.from_node >= move.node_limit
    used = f"{move.running} of {move.cluster_limit} in the cluster"
    used += f", {move.from_node} of {move.node_limit} from its node"
    yield "at once", f"{used}{'; it waits until one of them has ended' if waits else ''}"


def _back(told: Outlook) -> Iterator[Row]:
    if told.way_back:
        runtime = told.live_move.runtime if told.live_move else ""
        yield "way back", WAY_BACK[told.way_back].format(runtime=runtime)


def _volumes(change: OfChange, told: Outlook) -> Iterator[Row]:
    for volume in told.volumes:
        if volume.way is VolumeWay.NEW:
            yield "volume", f"{volume.name} is new, and empty"
        elif volume.way is VolumeWay.ALONG:
            then = "a container there still mounts it" if volume.stays else "removed there when it is healthy here"
            yield "volume", f"{volume.name} comes along from {volume.source}; {then}"
        if volume.others:
            yield "", f"another copy of {volume.name} stays on {', '.join(volume.others)}"
    if left := told.left_behind:
        yield "volume", f"{', '.join(left)} stay{'s' * (len(left) == 1)} on {change.source}"


def _loss(loss: Loss | None) -> Iterator[Row]:
    if loss is None:
        return
    parts = []
    if loss.memory_bytes is not None:
        parts.append(f"{format_bytes(loss.memory_bytes)} of memory")
    if (count := loss.connections) is not None:
        parts.append(f"{count} established TCP connection{'s' * (count != 1)}")
    if loss.rootfs_changes:
        size = f" ({format_bytes(loss.rootfs_bytes)})" if loss.rootfs_bytes else ""
        parts.append(f"what it changed in its root filesystem{size}")
    up = f"; it has run for {format_seconds(loss.ran_s)}" if loss.ran_s is not None else ""
    yield "lost", ", ".join(parts) + up


def _consent(change: OfChange, told: Outlook) -> Iterator[Row]:
    kind = change.kind.value
    if told.consent is ConsentOutlook.BY_SPEC:
        yield "consent", f"spec.update.allow has {kind}"
    elif told.consent is ConsentOutlook.NEEDED:
        yield "consent", f"needs --allow-interruptions, or {kind} in its spec.update.allow"


def _comeback(back: ComebackOutlook) -> Iterator[Row]:
    yield "from", f"{back.checkpoint} on {back.kept_on}, {format_seconds(back.age_s)} old"
    for text in back.skipped:
        yield "", f"skipped: {text}"
    yield "lost", "what it did since, and its connections"
    if back.not_in_it:
        yield "", f"not in the checkpoint: {', '.join(back.not_in_it)}"
    yield "given up", f"{', '.join(back.gone)} ({back.evidence}); tried once more right before it may run"
    yield "way back", "until it is healthy nothing of it runs, and the checkpoint stays"


def _saved(saved: SavedOutlook | None) -> Iterator[Row]:
    if saved is not None:
        size = format_bytes(saved.memory_bytes)
        yield "saved", f"first, on {saved.kept_on}: {size} of memory; frozen for at most {saved.freeze_limit}"
        if (beside := saved.beside) is not None:
            called = beside.copy_name.removesuffix(ENDING)
            text = f"the old version, once the new one is well: {called} on {beside.host}, without network"
            yield "beside", f"{text}, for {beside.ttl}; then the next apply or a watch removes it"
            if beside.replaces:
                yield "", f"the one of {beside.replaces} goes for it"


def _rehearsed(trial: Rehearsed | None) -> Iterator[Row]:
    if trial is None:
        return
    if not trial.possible:
        yield "rehearsed", "it cannot be held, only stopped, so it is not rehearsed"
        return
    frozen, images = format_seconds(trial.frozen_s), format_bytes(trial.image_bytes)
    yield "rehearsed", f"it was frozen for {frozen} and runs on; {images} of images"


def span(of: Span) -> str:
    """Seconds, as one number or two."""
    low, high = f"{of.least_s:.1f}", f"{of.most_s:.1f}"
    return low if low == high else f"{low} to {high}"


def _room(rooms: tuple[RoomOutlook, ...]) -> str:
    size = format_bytes(rooms[0].needed_bytes)
    free = {room.host: format_bytes(room.free_bytes) for room in rooms}
    if not any(room.on_disk for room in rooms):
        return f"{size} of memory for images on each host ({', '.join(f'{n} {f}' for n, f in free.items())} free)"
    places = (
        f"on disk on {room.host}, which has {free[room.host]} of memory free"
        if room.on_disk
        else f"in memory on {room.host}"
        for room in rooms
    )
    return f"{size} for images: {'; '.join(places)}"


def network(told: NetworkOutlook, destination: str) -> str:
    """What becomes of addresses and connections."""
    parts = []
    match told.of:
        case OwnNetwork.HOST:
            parts.append(f"it has the addresses of its host: clients have to follow to {destination}")
        case OwnNetwork.NONE:
            parts.append("it has no network")
        case OwnNetwork.OWN:
            if told.along:
                parts.append(f"{', '.join(told.along)} {_verb(told.along, 'moves', 'move')} along")
            if told.behind:
                not_along = f"{', '.join(told.behind)} {_verb(told.behind, 'does', 'do')} not move along"
                parts.append(f"{not_along}: clients have to find it on {destination}")
    return "; ".join([*parts, _connections(told)])


def _connections(told: NetworkOutlook) -> str:
    if not told.established:
        return "no TCP connection is established"
    if told.closed:
        return f"{_count(told.closed)} closed, clients connect again"
    parts = [
        f"{_count(told.kept)} kept" if told.kept else "",
        f"{_count(told.lost)} lost" if told.lost else "",
        f"{_count(told.by_actions)} kept only if the actions below take the way to it along"
        if told.by_actions
        else "",
    ]
    return ", ".join(filter(None, parts))


def _count(number: int) -> str:
    many = number != 1
    return f"{number} established TCP connection{'s' * many} {'are' if many else 'is'}"


def _verb(of: tuple[str, ...], one: str, many: str) -> str:
    return one if len(of) == 1 else many
