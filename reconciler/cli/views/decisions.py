"""What `resolve`, `fence` and `forget` did, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.commands.decided import Decided
from reconciler.commands.fencing import Fenced
from reconciler.model.units import format_seconds


def render_decided(decided: Decided) -> str:
    """One workload, in a sentence."""
    left = "".join(f"; {text}" for text in decided.untidied)
    if decided.open:
        return f"{decided.workload}: only its files are left; next: {decided.next}"
    if not decided.owner:
        kept = f"; what is left of its container on {' and '.join(decided.kept)} is kept" if decided.kept else ""
        given_up = f"{decided.workload} is given up on {' and '.join(decided.fenced)}"
        return f"{given_up}{kept}{left}; make it anew: {decided.next}"
    told = {host: f"{host} is fenced" for host in decided.fenced}
    told |= {host: f"{host} was not asked" for host in decided.unasked}
    others = "; ".join(told[host] for host in sorted(told))
    why = f"{others}: {decided.evidence}" if others else decided.evidence
    anew = ", started anew" if decided.cold else ""
    return f"{decided.workload} belongs to {decided.owner} and runs there{anew}; {why}{left}"


def render_forgotten(host: str, done: Sequence[Decided]) -> str:
    """All workloads that a host had part in, a line each."""
    return "\n".join(map(render_decided, done)) or f"nothing is open with {host}; take it out of the specs"


def render_fenced(done: Fenced) -> str:
    said = f": {done.said}" if done.said else ""
    took = format_seconds(done.seconds)
    return f"{done.host} is off, after {took}{said}\nsee what comes back, and where: reconcile plan"
