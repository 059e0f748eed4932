"""What a plan may do only when somebody said so: take away the last copy of workloads, or many at once."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.model.plan import Change, ChangeKind, Plan


@dataclass(frozen=True)
class Consent:
    """What the user agreed to. `removals`: how many workloads may lose their last copy."""

    removals: int = 0


def last_copies(plan: Plan) -> tuple[Change, ...]:
    """Removals after which no host has the workload any more."""
    removed: dict[str, Change] = {}
    for change in plan.changes:
        if change.kind is ChangeKind.REMOVE:
            removed.setdefault(change.workload, change)
    kept = {c.workload for c in plan.changes if c.kind is not ChangeKind.REMOVE}
    return tuple(change for name, change in removed.items() if name not in kept)


def lacking(plan: Plan, consent: Consent) -> str:
    """What the user has not agreed to, as a sentence; empty when nothing is lacking."""
    names = [change.workload for change in last_copies(plan)]
    if len(names) <= consent.removals:
        return ""
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    allowed = "none are" if consent.removals == 0 else f"only {consent.removals} may be"
    plural = "s" if len(names) > 1 else ""
    return f"the last copy of {len(names)} workload{plural} would be removed ({shown}); {allowed} allowed"
