"""What a plan may do only when somebody said so: take away the last copy of workloads, or stop what runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reconciler.model.plan import Change, ChangeKind, Plan
from reconciler.model.spec import Workload


@dataclass(frozen=True)
class Consent:
    """What the user agreed to. `removals`: how many workloads may lose their last copy. `interruptions`: how many
    that run may be stopped or made anew; `asked`: a person is shown the plan and has to say yes to it."""

    removals: int = 0
    interruptions: int = 0
    asked: bool = False


@dataclass(frozen=True)
class Lack:
    """What the user has not agreed to, as a sentence, and how to."""

    text: str
    fix: str


def allows(workload: Workload, change: Change) -> bool:
    """Whether the spec itself agrees to an interruption."""
    return workload.spec.update is not None and change.kind.value in workload.spec.update.allow


def last_copies(plan: Plan) -> tuple[Change, ...]:
    """Removals after which no host has the workload any more."""
    removed: dict[str, Change] = {}
    for change in plan.changes:
        if change.kind is ChangeKind.REMOVE:
            removed.setdefault(change.workload, change)
    kept = {c.workload for c in plan.changes if c.kind is not ChangeKind.REMOVE}
    return tuple(change for name, change in removed.items() if name not in kept)


def interruptions(plan: Plan) -> tuple[Change, ...]:
    """Changes that stop what runs, and that its spec does not agree to."""
    return tuple(c for c in plan.changes if c.interrupts and not allows(plan.workloads[c.workload], c))


def lacking(plan: Plan, consent: Consent) -> Lack | None:
    """What the user has not agreed to; None when nothing is lacking."""
    removed, stopped = last_copies(plan), interruptions(plan)
    parts, flags, instead = [], [], ""
    if len(removed) > consent.removals:
        parts.append(f"the last copy of {_named(removed)} would be removed; {_allowed(consent.removals)}")
        flags.append("--allow-removals N")
    if len(stopped) > consent.interruptions and not consent.asked:
        does = "would be stopped or made anew, and loses what it holds in memory"
        parts.append(f"{_named(stopped)} {does}; {_allowed(consent.interruptions)}")
        flags.append("--allow-interruptions N")
        instead = "; or let the spec say so: spec.update.allow"
    if not parts:
        return None
    return Lack("; ".join(parts), f"look at the plan, then: reconcile apply {' '.join(flags)}{instead}")


def _named(changes: Iterable[Change]) -> str:
    names = [change.workload for change in changes]
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return f"{len(names)} workload{'s' * (len(names) > 1)} ({shown})"


def _allowed(count: int) -> str:
    return "none are allowed" if count == 0 else f"only {count} may be"
