"""A plan as a reviewer reads it, and as JSON."""

from __future__ import annotations

from collections import Counter

from reconciler.cli.views.layout import labelled
from reconciler.cli.views.outlook import rows as outlook_rows
from reconciler.cli.views.style import paint
from reconciler.commands.app import Seen
from reconciler.model.ending import PlanState
from reconciler.model.plan import Change, ChangeKind, Finding, Plan

STYLE = {
    "create": "green",
    "remove": "red",
    "recreate": "yellow",
    "move": "cyan",
    "start": "green",
    "stop": "yellow",
    "update": "cyan",
    "restore": "green",
    "checkpoint": "cyan",
}


def render_plan(looked: Seen, color: bool) -> str:
    """The whole plan: each change with why, how, cost and way back; refusals; a summary line."""
    plan, seen = looked.plan, len(looked.world.seen())
    at = f" · specs at {plan.commit[:7]}{' with uncommitted changes' if plan.dirty else ''}" if plan.commit else ""
    lines = [f"{seen} host{'s' * (seen != 1)} seen, {len(plan.unknown_hosts)} unknown{at}"]
    for host, reason in sorted(plan.unknown_hosts.items()):
        lines.append(paint("yellow", f"  ? {host}: {reason}", color))
    warnings = [f for f in plan.findings if f.severity == "warn"]
    for change in plan.changes:
        lines += ["", *_change(change, [w for w in warnings if w.workload == change.workload], color)]
    shown = {change.workload for change in plan.changes} | {
        f.workload for f in plan.findings if f.severity == "refuse"
    }
    for finding in plan.findings:
        if finding.severity == "refuse":
            lines += ["", *_finding(finding, "red", "refused", color)]
        elif finding.workload not in shown:
            lines += ["", *_finding(finding, "yellow", "warning", color)]
    blind = looked.state is PlanState.UNSEEN
    return "\n".join([*lines, "", "No host could be seen: nothing can be said." if blind else summary(plan)])


def _change(change: Change, warnings: list[Finding], color: bool) -> list[str]:
    match change.kind:
        case ChangeKind.MOVE:
            where = f"{change.source} -> {change.destination}"
        case ChangeKind.RECREATE if change.source != change.destination:
            where = f"{change.source} -> {change.destination}"
        case _:
            where = f"on {change.destination or change.source}"
    head = f"{change.kind.symbol} {change.workload:<15} {change.kind.value:<8} {where}"
    origin = str(change.origin) if change.origin else ""
    lines = [
        paint(STYLE[change.kind.value], head, color) + (f"  {origin:>{max(0, 78 - len(head))}}" if origin else "")
    ]
    rows = [("why", change.reason), *outlook_rows(change), *map(_warning, warnings)]
    return lines + [labelled(label, text, indent=4, column=12) for label, text in rows]


def _warning(found: Finding) -> tuple[str, str]:
    if found.accepted:
        return f"- {found.rule}", f"accepted by the policy: {found.message}"
    return f"! {found.rule}", f"{found.message}. {found.fix}"


def _finding(finding: Finding, style: str, what: str, color: bool) -> list[str]:
    head = paint(style, f"! {finding.workload:<15} {what}", color)
    lines = [f"{head}  {finding.rule}" + (f" on {finding.host}" if finding.host else "")]
    return [*lines, f"    why         {finding.message}", f"    fix         {finding.fix}"]


def summary(plan: Plan) -> str:
    """How many changes of each kind; it also says that nothing was changed."""
    count = Counter(change.kind for change in plan.changes)
    refused = len({f.workload for f in plan.findings if f.severity == "refuse"})
    if not plan.changes:
        return f"Nothing to do; {refused} refused." if refused else "Nothing to do."
    kinds = [
        ChangeKind.MOVE,
        ChangeKind.CREATE,
        ChangeKind.RECREATE,
        ChangeKind.UPDATE,
        ChangeKind.START,
        ChangeKind.STOP,
        ChangeKind.RESTORE,
        ChangeKind.CHECKPOINT,
        ChangeKind.REMOVE,
    ]
    always = (ChangeKind.MOVE, ChangeKind.CREATE, ChangeKind.REMOVE)
    parts = [f"{count[kind]} to {kind.value}" for kind in kinds if count[kind] or kind in always]
    if refused:
        parts.append(f"{refused} refused")
    return f"{', '.join(parts)}."
