"""Unfinished hand-overs and the history, as tables and as JSON."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from reconciler.cli.views.style import paint
from reconciler.model.plan import Change, StepKind
from reconciler.model.record import Mark, Run
from reconciler.model.units import format_seconds
from reconciler.model.world import World
from reconciler.recover import Standing

JSON_VERSION = 1


def status_json(world: World, rows: Sequence[Standing]) -> dict[str, object]:
    """For scripts."""
    return {
        "version": JSON_VERSION,
        "unfinished": [{**vars(row), "where": dict(row.where)} for row in rows],
        "unknownHosts": {name: host.reason for name, host in world.unknown().items()},
    }


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
            f"    next        {row.next}",
        ]
    if not rows:
        lines.append(
            f"No hand-over is unfinished. {len(world.seen())} hosts seen, {len(world.unknown())} unknown."
        )
    return "\n".join(lines)


def history_json(runs: Sequence[Run], workload: str | None) -> dict[str, object]:
    """For scripts."""
    return {
        "version": JSON_VERSION,
        "runs": [
            {
                "id": run.id,
                "startedAt": run.started_at,
                "endedAt": run.ended_at,
                "actor": run.actor,
                "commit": run.commit,
                "state": run.state.value,
                "changes": [_change_json(run, c) for c in _changes(run, workload)],
            }
            for run in runs
        ],
    }


def _change_json(run: Run, change: Change) -> dict[str, object]:
    move = run.plan.moves.get(change.workload)
    return {
        "workload": change.workload,
        "kind": change.kind.value,
        "source": change.source,
        "destination": change.destination,
        "frozenSeconds": frozen_seconds(run, change.workload),
        "predictedDowntimeSeconds": move.predicted_downtime_s if move else None,
        "errors": [r.note for r in run.records if r.mark in (Mark.FAILED, Mark.LOST, Mark.UNDO_FAILED)],
    }


def render_history(runs: Sequence[Run], workload: str | None, color: bool) -> str:
    """Newest first: run, who, from which commit; then each change with how long it was frozen."""
    lines: list[str] = []
    for run in runs:
        commit = f" at {run.commit[:7]}" if run.commit else ""
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
            yield f"{record.step} {record.mark.value}: {record.note.splitlines()[0]}"


def frozen_seconds(run: Run, workload: str) -> float | None:
    """Seconds from the start of the hold to the end of the restore, or of the way back."""
    begin = end = None
    for record in run.records:
        step = run.plan.step(record.step)
        if step.workload != workload:
            continue
        if step.kind is StepKind.HOLD and record.mark is Mark.INTENT:
            begin = record.at
        if step.kind is StepKind.RESTORE and record.mark is Mark.DONE and not record.note:
            end = record.at
        if step.kind is StepKind.HOLD and record.mark is Mark.UNDONE:
            end = record.at
    return end - begin if begin is not None and end is not None else None


def _when(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
