"""Unfinished hand-overs and the history, as tables and as JSON."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from reconciler.cli.views.layout import table
from reconciler.cli.views.style import paint
from reconciler.commands.recover import Standing
from reconciler.core.accuracy import TOLERANCE, Measured, frozen_seconds
from reconciler.model.command import Bytes
from reconciler.model.plan import Change
from reconciler.model.record import Run
from reconciler.model.units import format_bytes, format_seconds
from reconciler.model.world import Following, OnDisk, World


def render_status(world: World, rows: Sequence[Standing], color: bool) -> str:
    """For people."""
    lines = [paint("yellow", f"? {name}: {host.reason}", color) for name, host in sorted(world.unknown().items())]
    for row in rows:
        owner = f"owned by {row.owner}" if row.owner else paint("red", "in doubt: nobody may start it", color)
        since = f", since {_when(row.since)}" if row.since else ""
        where = ", ".join(f"{phase} on {host}" for host, phase in row.where.items())
        lines += [
            f"{paint('bold', row.workload, color)}  {row.phase}{since}",
            f"    owner       {owner}",
            f"    markers     {where or 'none seen'}",
            *([f"    memory      {_following(row.following)}"] if row.following else []),
            *([f"                {_on_disk(row.on_disk)}"] if row.following and row.on_disk else []),
            *([f"                {paint('red', _lost(row.lost), color)}"] if row.lost else []),
            f"    next        {row.next}",
        ]
    if not rows:
        lines.append(nothing_unfinished(world))
    return "\n".join(lines)


def _following(following: Following) -> str:
    missing = f"{format_bytes(following.missing)} still follow from its source"
    if following.waits_s < 1:
        return missing
    return f"{missing}; it has waited for some of that for {format_seconds(following.waits_s)}"


def _on_disk(kept: OnDisk) -> str:
    return f"{format_bytes(kept.written)} of {format_bytes(kept.of)} are on the source's disk"


def _lost(lost: Bytes) -> str:
    return f"{format_bytes(lost)} are lost: the source has lost power, and they were not on its disk"


def nothing_unfinished(world: World) -> str:
    """How far that is known: nobody has looked at a host that was not seen."""
    seen, unknown = len(world.seen()), len(world.unknown())
    if unknown and not seen:
        return "No host could be seen: whether a hand-over is unfinished is not known."
    where = " on the hosts that were seen" if unknown else ""
    return f"No hand-over is unfinished{where}. {seen} host{'s' * (seen != 1)} seen, {unknown} unknown."


def render_history(runs: Sequence[Run], workload: str | None, color: bool) -> str:
    """Newest first: run, who, from which commit; then each change with how long it was frozen."""
    lines: list[str] = []
    for run in runs:
        dirty = " with uncommitted changes" if run.plan.dirty else ""
        commit = f" at {run.commit[:7]}{dirty}" if run.commit else ""
        who = run.actor.split("/")[0]
        lines.append(
            f"{paint('bold', run.id, color)}  {_when(run.started_at)}  {run.state.value}  by {who}{commit}"
        )
        for change in _changes(run, workload):
            where = " -> ".join(filter(None, (change.source, change.destination)))
            frozen = frozen_seconds(run, change.workload)
            took = f"  frozen {format_seconds(frozen)}" if frozen else ""
            lines.append(f"    {change.kind.symbol} {change.workload}  {change.kind.value} {where}{took}")
        lines += [f"      {note}" for note in _notes(run, workload)]
    return "\n".join(lines) or "Nothing has been applied with this journal."


def _changes(run: Run, workload: str | None) -> Iterator[Change]:
    return (c for c in run.plan.changes if workload in (None, c.workload))


def _notes(run: Run, workload: str | None) -> Iterator[str]:
    for record in run.records:
        if record.note and (workload is None or run.plan.step(record.step).workload == workload):
            first, *rest = record.note.splitlines()
            yield f"{record.step} {record.mark.value}: {first}"
            if workload is not None:
                yield from (f"  {line}" for line in rest)


def render_accuracy(moves: Sequence[Measured], color: bool, width: int | None = None) -> str:
    """Predicted and measured, move by move, and how many were predicted well."""
    if not moves:
        return "No move has been carried out with this journal."
    rows = [
        (
            *(
                m.run,
                m.workload,
                format_bytes(m.memory),
                format_seconds(m.predicted_s),
                format_seconds(m.frozen_s),
            ),
            f"{(m.nearest_s - m.frozen_s) / m.frozen_s * 100:+.0f} %",
        )
        for m in moves
    ]
    shown = table(("run", "workload", "memory", "predicted", "measured", "off by"), rows, width)
    lines = shown[: -len(moves)]
    for text, m in zip(shown[len(lines) :], moves, strict=True):
        lines.append(text if m.good else paint("yellow", text, color))
    good = sum(m.good for m in moves)
    lines.append(f"{good} of {len(moves)} predicted within {TOLERANCE:.0%} ({good / len(moves):.0%}).")
    return "\n".join(lines)


def _when(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
