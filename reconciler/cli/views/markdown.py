"""A plan, and what an apply did, as one comment of a pull request: what is refused first, details folded, never
longer than is taken. What is left out is counted."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from reconciler.cli.views.outlook import rows
from reconciler.cli.views.output.apply import ApplyDocument
from reconciler.cli.views.output.base import as_json
from reconciler.cli.views.output.plan import PlanDocument
from reconciler.cli.views.pages import ended
from reconciler.load.render_reports import render_report
from reconciler.model.units import format_bytes

MOST_CHARACTERS: Final = 65_000
"""A little less than the 65,536 that GitHub takes of a comment."""
MOST_WARNINGS: Final = 20
"""That are about nothing that changes."""
MOST_HOSTS: Final = 20
"""That were not seen."""
MOST_TEXT: Final = 600
"""Characters of one text in it."""

_MARKS = re.compile(r"[\\`*_{}\[\]()#+!|~@:]")


def markdown(plan: PlanDocument, templates: Path | None = None) -> str:
    """The plan as Markdown. Nothing in it that others wrote is Markdown or HTML of its own."""
    body: dict[str, Any] = literal(as_json(plan))
    refusals = [found for found in body["findings"] if found["severity"] == "error"]
    told = [literal([{"label": label, "text": text} for label, text in rows(change)]) for change in plan.changes]
    steps, warnings = _by_workload(body)
    changes = [
        _change(change, steps, warnings) | {"rows": of} for change, of in zip(body["changes"], told, strict=True)
    ]
    changed = {change["workload"] for change in changes}
    others = [found for name, its in warnings.items() if name not in changed for found in its]

    def first(shown: int) -> str:
        parts, left = _shared(
            shown, refusals, (others, MOST_WARNINGS), (body["unknownHosts"], MOST_HOSTS), changes
        )
        refused, warned, unseen, then = parts
        more = {"refusals": refused, "changes": then, "others": warned, "unseen": unseen, "left": left}
        return _rendered(body, plan.state.told, more, templates)

    return _fitting(len(refusals) + len(others) + len(body["unknownHosts"]) + len(changes), first)


def _shared(shown: int, *lists: list[Any] | tuple[list[Any], int]) -> tuple[list[list[Any]], int]:
    """So many parts, of the first lists first, of some no more than a number; and how many are left out."""
    parts, left = [], 0
    for one in lists:
        every, most = one if isinstance(one, tuple) else (one, len(one))
        parts.append(every[: min(shown, most)])
        shown -= len(parts[-1])
        left += len(every) - len(parts[-1])
    return parts, left


def _fitting(shown: int, first: Callable[[int], str]) -> str:
    """As many of the first parts as fit into a comment."""
    while True:
        text = first(shown)
        if len(text) <= MOST_CHARACTERS or not shown:
            return text[:MOST_CHARACTERS]
        shown = min(shown - 1, shown * MOST_CHARACTERS // len(text))


def apply_markdown(done: ApplyDocument, templates: Path | None = None) -> str:
    """What an apply did as Markdown: how each change ended, and measured against predicted downtime."""
    body: dict[str, Any] = literal(as_json(done))
    changes = sorted((_done(change) for change in body["changes"]), key=lambda one: one["state"] == "done")
    warnings = [*body["warnings"], *body["untidied"]]

    def first(shown: int) -> str:
        (refused, warned, then), left = _shared(shown, body["refused"], (warnings, MOST_WARNINGS), changes)
        told = {"refused": refused, "changes": then, "warnings": warned, "left": left}
        return _tidy(render_report("apply.md.j2", templates, done=body, ended=ended(done), **told))

    return _fitting(len(body["refused"]) + len(warnings) + len(changes), first)


def _done(change: dict[str, Any]) -> dict[str, Any]:
    move = change["move"]
    if not move:
        return change | {"predicted": "", "measured": ""}
    was = "" if move["frozenS"] is None else f"{move['frozenS']:.2f} s"
    return change | {"predicted": _range(move), "measured": was}


def _range(move: dict[str, Any]) -> str:
    least, most = move["predictedDowntimeS"], move["predictedMostS"]
    return f"{least:.1f} s" if most <= least else f"{least:.1f} to {most:.1f} s"


def _tidy(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", text)


def _rendered(body: dict[str, Any], told: str, more: dict[str, Any], templates: Path | None) -> str:
    specs = body["specs"]
    at = (
        f"at {specs['commit'][:7]}{' with uncommitted changes' * specs['dirty']}"
        if specs["commit"]
        else "in no commit"
    )
    refused = sum(found["severity"] == "error" for found in body["findings"])
    summary = f"{_count(len(body['changes']), 'change')}, {_count(refused, 'refusal')}"
    shown = {**more, "at": at, "summary": summary, "told": told}
    return _tidy(render_report("plan.md.j2", templates, plan=body, **shown))


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"


Groups = dict[str, list[Any]]


def _by_workload(body: dict[str, Any]) -> tuple[Groups, Groups]:
    """Its steps in words, and what it is warned of; once for all, for there may be thousands."""
    steps, warnings = Groups(), Groups()
    for step in body["steps"]:
        steps.setdefault(step["workload"], []).append(f"{step['kind']} on {step['host']}")
    for found in body["findings"]:
        if found["severity"] == "warning":
            warnings.setdefault(found["where"]["workload"], []).append(found)
    return steps, warnings


def _change(change: dict[str, Any], steps: Groups, warnings: Groups) -> dict[str, Any]:
    name, move = change["workload"], change["move"]
    return change | {
        "downtime": _range(move) if move else "",
        "memory": format_bytes(move["memoryBytes"]) if move else "",
        "copied": format_bytes(move["expectedBytes"]) if move else "",
        "warnings": warnings.get(name, []),
        "steps": steps.get(name, []),
    }


def literal(value: Any) -> Any:
    """The same with every text written so that it is read as it is: no mark-up, no mention, on one line, short."""
    if isinstance(value, dict):
        return {key: literal(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [literal(inner) for inner in value]
    if not isinstance(value, str):
        return value
    text = " ".join(value.split())
    text = text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}..."
    return _MARKS.sub(lambda found: f"&#{ord(found[0])};", html.escape(text).replace("&#x27;", "'"))
