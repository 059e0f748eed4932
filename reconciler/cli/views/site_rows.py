"""What is on the pages of a watch: plain data for their templates, one function for each kind of row."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from reconciler.cli.views.kept import reference
from reconciler.cli.views.moving import (
    MARKS,
    copying_text,
    frozen_text,
    predicted_text,
    stand_text,
    step_text,
    where_text,
)
from reconciler.cli.views.pages import share
from reconciler.cli.views.rehearsed import practice_text, rehearsed_text
from reconciler.core.accuracy import frozen_seconds
from reconciler.core.moving import Moving
from reconciler.core.points import Point
from reconciler.core.rehearsing import message
from reconciler.core.stock import Stock
from reconciler.core.tending import Cause
from reconciler.model.checkpoint import Kept
from reconciler.model.plan import Change
from reconciler.model.record import Mark, Run, RunState
from reconciler.model.units import format_bytes, format_seconds
from reconciler.watch.loop import Stand

CHANGES: Final = 20
"""Changes of a run that are shown."""
NOTES: Final = 5


def stand_line(stand: Stand, leading: bool) -> dict[str, Any]:
    """How things stand, in a line for the top of every page."""
    spec = stand.spec
    leads = "this watch leads" if leading else "another watch leads; this one follows"
    commit = (spec.commit or "")[:12] if spec else ""
    shown = {"leads": leads, "commit": commit, "dirty": bool(spec and spec.dirty), "looked": _moment(stand.at)}
    if stand.trouble is not None:
        return shown | {"tone": "bad", "text": str(stand.trouble)}
    if spec is None:
        return shown | {"tone": "warn", "text": "No hosts have been looked at yet."}
    total = f"{len(spec.workloads)} workload{'s' * (len(spec.workloads) != 1)}"
    if stand.converged:
        return shown | {"tone": "good", "text": f"All is as the specs want it: {total}."}
    off = _off(stand)
    unseen = f" {len(stand.unknown)} of {len(spec.places)} hosts could not be seen." if stand.unknown else ""
    if not off:
        return shown | {"tone": "warn", "text": f"Nothing that was seen differs from the specs: {total}.{unseen}"}
    return shown | {"tone": "warn", "text": f"{len(off)} of {total} not as the specs want them.{unseen}"}


def _off(stand: Stand) -> set[str]:
    if stand.seen is None:
        return set()
    late = {name for name, point in stand.seen.points.items() if point.wanting}
    changes = {change.workload for change in stand.seen.plan.changes}
    return changes | {one.workload for one in stand.waits} | late


def drift_rows(stand: Stand, most: int) -> tuple[list[dict[str, str]], int]:
    """By workload: what differs, and what becomes of that; so many of them, and how many there are."""
    waits = {one.workload: one for one in stand.waits}
    changes: dict[str, list[Change]] = {}
    for change in stand.seen.plan.changes if stand.seen else ():
        changes.setdefault(change.workload, []).append(change)
    late = stand.seen.points if stand.seen else {}
    rows = []
    off = sorted(_off(stand))
    for name in off[:most]:
        what = [f"{c.kind} {_places(c)}: {c.reason}" for c in changes.get(name, ())]
        if name in late and late[name].late:
            what.append("its newest checkpoint is older than its policy promises")
        if name in late and (practice := late[name].rehearsal) and practice.wanting:
            what.append(message(practice))
        wait = waits.get(name)
        if wait is None:
            tone, then = "soft", "is begun" if name in changes else "is saved as soon as it may be"
        else:
            tone = "soft" if wait.cause in (Cause.UNDER_WAY, Cause.HOSTS, Cause.TOGETHER) else "warn"
            then = f"{wait.cause}: {wait.why}"
        rows.append({"workload": name, "what": "; ".join(what) or "unfinished", "tone": tone, "then": then})
    return rows, len(off)


def _places(change: Change) -> str:
    return " -> ".join(dict.fromkeys(filter(None, (change.source, change.destination))))


def host_rows(stand: Stand, there: Stock) -> list[dict[str, Any]]:
    if stand.seen is None:
        return []
    on, belongs = Counter(item.on for item in there.items), Counter(item.belongs for item in there.items)
    unknown, seen = stand.seen.world.unknown(), stand.seen.world.seen()
    return [
        {
            "name": name,
            "tone": "warn" if name in unknown else "good",
            "seen": f"no: {unknown[name].reason}" if name in unknown else "yes",
            "there": "?" if name in unknown else on[name],
            "belong": belongs[name],
            "memory": format_bytes(seen[name].memory_free_bytes) if name in seen else "?",
            "disk": format_bytes(seen[name].least_disk_bytes) if name in seen else "?",
        }
        for name in sorted(stand.seen.world.hosts, key=lambda name: (name not in unknown, name))
    ]


def moving_row(one: Moving) -> dict[str, Any]:
    predicted = None if one.predicted_s is None else predicted_text(one.predicted_s, one.most_s or 0.0)
    copy = one.copying
    return {
        "workload": one.workload,
        "kind": one.kind.value,
        "where": where_text(one),
        "told": stand_text(one),
        "frozen": frozen_text(one),
        "frozenNow": one.frozen_now,
        "predicted": predicted,
        "carriedOn": one.carried_on,
        "copying": {"text": copying_text(copy), "share": share(copy.done, copy.total)} if copy else None,
        "steps": [
            {
                "kind": step.kind.value,
                "mark": MARKS[step.mark][0],
                "text": f"{MARKS[step.mark][1]}: {step_text(step)}",
                "tone": "now" if step.now else "next" if step.mark is None else _tone(step.mark),
            }
            for step in one.steps
        ],
    }


def _tone(mark: Mark) -> str:
    return "bad" if mark in (Mark.FAILED, Mark.LOST, Mark.UNDO_FAILED) else ""


def run_row(run: Run) -> dict[str, Any]:
    tones = {RunState.DONE: "good", RunState.OPEN: "warn"}
    most = max((max(m.predicted_most_s, m.predicted_downtime_s) for m in run.plan.moves.values()), default=0.0)
    spans = {name: frozen_seconds(run, name) for name in run.plan.moves}
    most = max(most, *(span or 0.0 for span in spans.values())) if spans else most
    notes = [f"{record.step}: {record.note.splitlines()[0]}" for record in run.records if record.note.strip()]
    return {
        "id": run.id,
        "when": _moment(run.started_at),
        "state": run.state.value,
        "tone": tones.get(run.state, "bad"),
        "who": run.actor.split("/")[0],
        "commit": (run.commit or "")[:12],
        "changes": [_past(run, change, spans, most) for change in run.plan.changes[:CHANGES]],
        "more": max(0, len(run.plan.changes) - CHANGES),
        "notes": notes[:NOTES],
    }


def _past(run: Run, change: Change, spans: Mapping[str, float | None], most: float) -> dict[str, Any]:
    text = f"{change.kind} {change.workload} {_places(change)}"
    move, was = run.plan.moves.get(change.workload), spans.get(change.workload)
    if move is None or was is None:
        return {"text": text, "move": None}
    low, high = move.predicted_downtime_s, max(move.predicted_most_s, move.predicted_downtime_s)
    return {
        "text": text,
        "move": {
            "measured": format_seconds(was),
            "predicted": predicted_text(low, high),
            "low": share(low, most),
            "high": share(high, most),
            "was": share(was, most),
        },
    }


def point_row(one: Point) -> dict[str, str]:
    return {
        "workload": one.workload,
        "policy": one.policy,
        "newest": ("never" if one.age_s is None else f"{format_seconds(one.age_s)} ago")
        + practice_text(one.rehearsal),
        "tone": "warn" if one.wanting else "",
        "oldest": format_seconds(one.oldest_s),
        "next": "due" if one.due_in_s <= 0 else f"in {format_seconds(one.due_in_s)}",
        "unknown": ", ".join(one.unknown) or "-",
    }


def kept_row(one: Kept) -> dict[str, str]:
    says = one.manifest
    return {
        "reference": reference(one),
        "at": str(one.at),
        "taken": _moment(says.taken_at) if says else "-",
        "from": says.came_from.host if says else "-",
        "size": format_bytes(says.bytes) if says else "-",
        "pinned": "pinned" if one.pinned else "",
        "rehearsed": rehearsed_text(one.rehearsed) if one.rehearsed else "",
        "broken": one.broken,
    }


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at)) if at else ""
