"""Plans and applies as pages: one file each, without scripts, in the colours that its reader's screen has.

Templates get plain data. They escape all of it; here it is made printable first, so that no name turns the
direction of a line or hides what follows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from reconciler.cli.views.graph import HIGH, WIDE, graph_of
from reconciler.cli.views.outlook import rows
from reconciler.cli.views.output.apply import ApplyDocument, DoneChange
from reconciler.cli.views.output.base import as_json
from reconciler.cli.views.output.plan import PlanDocument, PlannedChange
from reconciler.commands.app import counted
from reconciler.load.render_reports import render_report
from reconciler.model.units import format_bytes
from reconciler.text import printable


def plan_page(plan: PlanDocument, templates: Path | None = None, left: int = 0, home: str = "") -> str:
    """A plan as HTML. `left`: workloads of it that are not in this document; `home`: a page to go back to."""
    moves = [change for change in plan.changes if change.move]
    most = max((change.move.predicted_most_s for change in moves if change.move), default=0.0)
    graph = dataclasses.asdict(graph_of(plan.steps))
    return render_report(
        "plan.html.j2",
        templates,
        **plain(
            {
                "plan": as_json(plan),
                "left": left,
                "home": home,
                "told": plan.state.told,
                "changes": [_change(change) for change in plan.changes],
                "downtimes": [_downtime(change, most) for change in moves],
                "rooms": room(plan.changes),
                "graph": graph | {"wide": WIDE, "high": HIGH},
            }
        ),
    )


def apply_page(done: ApplyDocument, templates: Path | None = None) -> str:
    """What an apply did as HTML."""
    most = max((max(_numbers(change), default=0.0) for change in done.changes), default=0.0)
    moves = [_measured(change, most) for change in done.changes if change.move]
    return render_report(
        "apply.html.j2", templates, **plain({"done": as_json(done), "moves": moves, "ended": ended(done)})
    )


def plain(value: Any) -> Any:
    """The same with every text made printable."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return printable(value) if isinstance(value, str) else value


def _change(change: PlannedChange) -> dict[str, Any]:
    return {
        "workload": change.workload,
        "kind": change.kind.value,
        "source": change.source,
        "destination": change.destination,
        "reason": change.reason,
        "rows": [{"label": label, "text": text} for label, text in rows(change)],
    }


def _downtime(change: PlannedChange, most: float) -> dict[str, Any]:
    assert change.move
    low, high = change.move.predicted_downtime_s, change.move.predicted_most_s
    told = f"{low:.1f} s" if high <= low else f"{low:.1f} to {high:.1f} s"
    return {"workload": change.workload, "text": told, "low": share(low, most), "high": share(high, most)}


def share(part: float, whole: float) -> int:
    """Percent, at least one."""
    return max(1, round(100 * part / whole)) if whole else 1


def room(changes: Iterable[PlannedChange]) -> list[dict[str, Any]]:
    """By host, what images of all moves need together, and what is free."""
    needed: dict[str, int] = {}
    free: dict[str, int] = {}
    on_disk: dict[str, int] = {}
    for change in changes:
        for one in change.outlook.held_move.room if change.outlook.held_move else ():
            needed[one.host] = needed.get(one.host, 0) + one.needed_bytes
            free[one.host] = one.free_bytes
            on_disk[one.host] = on_disk.get(one.host, 0) + one.on_disk
    return [
        {
            "host": host,
            "needed": format_bytes(needed[host]),
            "free": format_bytes(free[host]),
            "share": min(100, share(needed[host], free[host])),
            "onDisk": on_disk[host],
        }
        for host in sorted(needed)
    ]


def _numbers(change: DoneChange) -> tuple[float, ...]:
    return (change.move.predicted_most_s, change.move.frozen_s or 0.0) if change.move else ()


def _measured(change: DoneChange, most: float) -> dict[str, Any]:
    assert change.move
    low, high, was = change.move.predicted_downtime_s, change.move.predicted_most_s, change.move.frozen_s
    return {
        "workload": change.workload,
        "predicted": f"{low:.1f} s" if high <= low else f"{low:.1f} to {high:.1f} s",
        "measured": f"{was:.2f} s" if was is not None else "not frozen",
        "low": share(low, most),
        "high": share(high, most),
        "was": share(was, most) if was is not None else 0,
    }


def ended(done: ApplyDocument) -> str:
    """How it ended, in a few words."""
    if not done.changes:
        return done.state.told()
    fine = sum(change.state.value == "done" for change in done.changes)
    refused = {found.where.workload for found in done.refused} - {change.workload for change in done.changes}
    return done.state.told(counted(fine, len(done.changes) - fine, len(refused)))
