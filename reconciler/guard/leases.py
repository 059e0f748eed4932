"""The guard's leases: they exclude other controllers, and end by themselves when their owner is silent."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.core import answers
from reconciler.guard.guard import call, name_of, text_of
from reconciler.model.command import Program, Seconds


@dataclass(frozen=True)
class Lease:
    """A controller's lease on a workload. `left_s` <= 0: it has expired."""

    workload: str
    owner: str
    since: float
    left_s: Seconds


def take(workload: str, owner: str, ttl_s: Seconds) -> Program[None]:
    """Exclude other controllers for `ttl_s` after the last beat; GuardRefused (LEASED) names the holder."""
    yield from call("lease", "take", name_of(workload), text_of(owner), str(max(1, round(ttl_s))))


def beat(workload: str, owner: str) -> Program[None]:
    """Keep a lease; GuardRefused (LEASED) when it is somebody else's by now."""
    yield from call("lease", "beat", name_of(workload), text_of(owner))


def drop(workload: str, owner: str) -> Program[None]:
    """Give a lease back. Idempotent."""
    yield from call("lease", "drop", name_of(workload), text_of(owner))


def show(workload: str) -> Program[Lease | None]:
    """Who holds the lease, if anybody."""
    result = yield from call("lease", "show", name_of(workload), changes=False)
    row = answers.mapping(answers.parsed(result.stdout, "a lease"), "a lease")
    if not row.get("owner"):
        return None
    return Lease(
        answers.name(row.get("workload"), "a lease's workload"),
        answers.word(row["owner"], "a lease's owner"),
        answers.real(row.get("since"), "a lease's time"),
        answers.real(row.get("left_cs"), "a lease's time") / 100,
    )
