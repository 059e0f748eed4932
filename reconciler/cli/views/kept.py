"""Checkpoints that are kept, as people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.cli.views.rehearsed import instant, rehearsed_text
from reconciler.commands.checkpoint import Saved
from reconciler.commands.discarding import Discarded
from reconciler.commands.due import Saving
from reconciler.commands.exporting import Exported
from reconciler.commands.kept import FoundKept, Verification, told
from reconciler.commands.restore import Restored
from reconciler.commands.shelves import Pruning
from reconciler.errors import ReconcilerError
from reconciler.model.checkpoint import Kept
from reconciler.model.event import Untidied
from reconciler.model.units import format_bytes, format_seconds


def render_taken(taken: Saved) -> str:
    kept = taken.kept
    assert kept.manifest is not None
    frozen, size = format_seconds(kept.manifest.frozen_s), format_bytes(kept.manifest.bytes)
    lines = [f"{reference(kept)} is kept on {kept.at}: {size}; it was frozen for {frozen} and runs on"]
    if taken.changed:
        lines.append(f"note: {', '.join(taken.changed)} of what runs is not as in its spec")
    lines += [f"note: {text}" for text in taken.untidied]
    return "\n".join(lines)


def reference(kept: Kept) -> str:
    """How commands name it."""
    return f"{kept.workload}@{kept.id}"


def render_stock(found: FoundKept) -> str:
    """A line each, newest first."""
    lines = []
    for kept in found.kept:
        says = kept.manifest
        where = f"{reference(kept)}  on {kept.at}"
        if says is None:
            lines.append(f"{where}  cannot be used: {kept.broken}")
            continue
        size, pinned = format_bytes(says.bytes), "  pinned" if kept.pinned else ""
        come = says.came_from.host or "nobody knows where"
        lines.append(f"{where}  from {come}, epoch {says.epoch}  {size}{pinned}{_tried(kept, '  ')}")
    if not lines:
        lines.append("No checkpoint was found.")
    return "\n".join([*lines, *_unseen(found.unknown)])


def _unseen(unknown: Mapping[str, ReconcilerError]) -> list[str]:
    return [f"? {text}" for text in told(unknown)]


def _tried(kept: Kept, before: str) -> str:
    """How it was rehearsed, if it was."""
    return f"{before}{rehearsed_text(kept.rehearsed)}" if kept.rehearsed else ""


def render_verified(read: Verification, untidied: Sequence[Untidied] = ()) -> str:
    """A line each."""
    lines = [
        f"{reference(one.kept)} on {one.kept.at}: {'; '.join(one.wrong) or 'all is as it was packed'}"
        f"{_tried(one.kept, '; ')}"
        for one in read.found
    ]
    return "\n".join([*lines, *_unseen(read.unknown), *(f"note: {left}" for left in untidied)])


def render_exported(done: Exported, untidied: Sequence[Untidied]) -> str:
    """What was written, and how it is used."""
    lines = [
        f"{reference(done.kept)} is in {done.path}: {format_bytes(done.bytes)}, with every secret that its "
        "processes held",
        f"restore it with: podman container restore --file-locks --tcp-established --import {done.path}",
    ]
    return "\n".join([*lines, *(f"note: {left}" for left in untidied)])


def render_imported(kept: Kept, untidied: Sequence[Untidied]) -> str:
    """What is kept now, and what nobody knows of it."""
    text = f"{reference(kept)} is kept on {kept.at}; nobody knows from which spec it was taken, and on what host"
    lines = [text]
    return "\n".join([*lines, *(f"note: {left}" for left in untidied)])


def render_pruned(done: Pruning, *, removed: bool) -> str:
    """A line for each that goes, and what stays of its workload there."""
    lines = []
    for one in done.places:
        what = "is removed from" if removed else "goes from"
        lines += [f"{reference(kept)} {what} {kept.at}" for kept in one.goes]
        lines.append(f"  {reference(one.stays)} stays, and is whole")
    if lines and not removed:
        lines.append("Nothing was removed: say --yes.")
    if not lines:
        lines.append(
            f"Nothing is kept longer than its policy says{', where it could be seen' if done.unknown else ''}."
        )
    return "\n".join([*lines, *_unseen(done.unknown)])


def render_restored(restored: Restored) -> str:
    """What runs again, and what that costs."""
    if restored.copy:
        return _render_copy(restored)
    kept, age = restored.kept, format_seconds(restored.age_s)
    lines = [
        f"{reference(kept)} runs on {restored.host} as it was {age} ago; what it did since is lost, and its "
        "connections of then are closed"
    ]
    lines += [f"skipped: {text}" for text in restored.skipped]
    fenced = [host for host in restored.fenced if host != restored.host]
    if fenced:
        lines.append(f"fenced: {', '.join(fenced)}")
    if restored.gone:
        lines.append(f"not asked: {', '.join(restored.gone)} ({restored.evidence})")
    lines += [f"note: {text}" for text in restored.untidied]
    return "\n".join(lines)


def _render_copy(restored: Restored) -> str:
    """What is beside its workload now, and how it is used."""
    kept, age = restored.kept, format_seconds(restored.age_s)
    until, name = instant(restored.until), restored.copy
    lines = [
        f"{name} runs on {restored.host}: a copy of {reference(kept)}, {age} old, without network and "
        f"connections; until {until}",
        f"look into it: reconcile exec -it {name} sh; remove it: reconcile discard {name}",
    ]
    if restored.unhealthy:
        lines.append(f"note: it is not healthy, which may be for want of a network: {restored.unhealthy}")
    lines += [f"skipped: {text}" for text in restored.skipped]
    lines += [f"note: {text}" for text in restored.untidied]
    return "\n".join(lines)


def render_discarded(done: Discarded) -> str:
    lines = [
        f"{one.name} is gone from {one.host}" + (f", with {len(one.volumes)} volumes" if one.volumes else "")
        for one in done.copies
    ]
    lines += [f"note: {text}" for text in done.untidied]
    return "\n".join(lines) or "No copy's time is over."


def render_due(done: Sequence[Saving]) -> str:
    """A line for each workload with a policy."""
    lines = []
    for one in done:
        old = (
            f"its newest checkpoint is {format_seconds(one.age_s)} old" if one.age_s is not None else "it has none"
        )
        what = f"{reference(one.taken)} is kept on {one.taken.at}" if one.taken else old
        late = "" if not one.late else "; that is older than its policy promises"
        removed = f"; removed: {', '.join(kept.id for kept in one.removed)}" if one.removed else ""
        tried = f"; {reference(one.rehearsed)}{_tried(one.rehearsed, ' ')}" if one.rehearsed else ""
        failed = f"; failed: {one.error}" if one.error else ""
        lines.append(f"{one.workload}: {what}{late}{removed}{tried}{failed}")
    return "\n".join(lines) or "No workload of the specs names a CheckpointPolicy."
