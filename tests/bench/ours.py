"""The same move by the product: one line of a spec changes, `reconcile apply --yes`."""

from __future__ import annotations

import json
from typing import Any

from reconciler.model.record import Mark
from reconciler.model.record import Run as Journaled
from reconciler.state.journal import Journal
from tests.bench.cells import BrokenRun, Cell, Run
from tests.bench.ground import DESTINATION, SOURCE, Ground


def move(ground: Ground, cell: Cell) -> Run:
    """Create the cell's workload from its spec and move it once. BrokenRun when it is not the same afterwards."""
    ground.place(cell, SOURCE)
    ground.reconcile("apply", "--yes")
    with ground.client() as client:
        ground.place(cell, DESTINATION)
        sent = ground.sent(SOURCE)
        done = ground.reconcile("apply", "--yes", watch=True)
        sent = ground.sent(SOURCE) - sent
    change = history(ground)
    return Run(
        downtime_s=client.downtime_s,
        total_s=done.seconds,
        wire_bytes=sent,
        parts=step_seconds(latest(ground)),
        controller_bytes=done.peak_bytes,
        frozen_s=change["frozenS"],
        predicted_s=change["predictedDowntimeS"],
    )


def history(ground: Ground) -> dict[str, Any]:
    """What `reconcile history` says of the last change."""
    shown = json.loads(ground.reconcile("history", "--limit", "1", "--json").stdout)
    changes: list[dict[str, Any]] = shown["runs"][0]["changes"]
    if len(changes) != 1 or changes[0]["kind"] != "move":
        raise BrokenRun(f"the last run was no move: {changes}")
    return changes[0]


def latest(ground: Ground) -> Journaled:
    """The last run with its records."""
    with Journal.open(ground.journal) as journal:
        return journal.runs(limit=1)[0]


def step_seconds(run: Journaled) -> dict[str, float]:
    """Seconds of each step, from its intent to its outcome."""
    begun: dict[str, float] = {}
    seconds: dict[str, float] = {}
    for record in run.records:
        if record.mark is Mark.INTENT:
            begun[record.step] = record.at
        elif record.mark is Mark.DONE:
            seconds[run.plan.step(record.step).kind.value] = record.at - begun[record.step]
    return seconds
