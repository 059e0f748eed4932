"""Memory that follows from a source, where a person decides over its workload."""

from __future__ import annotations

from reconciler.errors import Refused
from reconciler.runtimes.base import Handover


def not_arrived(handover: Handover, *, gone: bool) -> Refused:
    """Why the destination cannot be given the workload as long as memory follows that only the source has: to let
    the source go would lose it, and one that is `gone` sends no more."""
    name, source, here = handover.name, handover.move.source, handover.move.destination
    fix = "let it arrive: reconcile resume"
    if gone:
        fix = (
            f"if {source} comes back with its memory: reconcile resume. If not, end {name} on {here} by its"
            f" engine, then: reconcile resolve {name} --owner {here} --cold --evidence TEXT"
        )
    return Refused(
        f"not all memory of {name} has arrived on {here}",
        where=here,
        why=f"only {source} has it, which {'was not seen' if gone else 'sends it'}; {name} waits for it",
        fix=fix,
    )
