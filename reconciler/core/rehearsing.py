"""How long ago a checkpoint of a workload was restored for trial, beside what its policy promises. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconciler.core.checkpoints import newest_first
from reconciler.core.retention import is_due, is_late
from reconciler.model.base import digest
from reconciler.model.checkpoint import Kept
from reconciler.model.checkpointing import RehearsalSpec
from reconciler.model.command import Seconds
from reconciler.model.plan import Finding
from reconciler.model.units import format_seconds

RULE = "rehearsal"
NEVER = float("inf")


@dataclass(frozen=True)
class Practice:
    """`on`: the host that the policy names, if any; `age_s`: since one last came out well, None where none has;
    `oldest_s`: what is promised; `due_in_s`: until the next; `late`: it is longer ago than promised; `last`: what
    was rehearsed last, however that came out; `newest`: what is rehearsed next."""

    on: str
    age_s: Seconds | None
    oldest_s: Seconds
    due_in_s: Seconds = 0.0
    late: bool = False
    last: Kept | None = None
    newest: Kept | None = None

    @property
    def why(self) -> str:
        """What was wrong the last time; empty when nothing was."""
        return self.last.rehearsed.why if self.last and self.last.rehearsed else ""

    @property
    def wanting(self) -> bool:
        """Whether nobody should rely on it."""
        return self.late or bool(self.why)


def practice(
    policy: RehearsalSpec,
    kept: Iterable[Kept],
    now: float,
    *,
    came: float | None = None,
    comes: float | None = None,
    unknown: bool = False,
) -> Practice:
    """`came`, `comes`: when a time that the policy names was last, and is next; `unknown`: where a host could not
    be asked nothing is late. After one that came out badly each newer checkpoint is tried."""
    usable = newest_first(kept, now)
    tried = sorted(
        ((one.rehearsed.at, one) for one in usable if one.rehearsed and one.rehearsed.at <= now),
        key=lambda row: row[0],
    )
    last, newest = tried[-1][1] if tried else None, usable[0] if usable else None
    good = max((at for at, one in tried if one.rehearsed and one.rehearsed.ok), default=None)
    age = None if good is None else now - good
    since = now - tried[-1][0] if tried else None
    again = last is not None and newest is not None and bool(last.rehearsed and last.rehearsed.why)
    left = 0.0
    if newest is None:
        left = NEVER
    elif not (again and newest.id != (last.id if last else "")):
        left = _left(policy, since, now, came, comes)
    late = is_late(age, policy) and newest is not None and not unknown
    return Practice(policy.on or "", age, policy.oldest, left, late, last, newest)


def _left(
    policy: RehearsalSpec, since: Seconds | None, now: float, came: float | None, comes: float | None
) -> Seconds:
    if since is None or is_due(since, policy, None if came is None else now - came):
        return 0.0
    waits = [policy.interval - since] if policy.interval is not None else []
    waits += [comes - now] if comes is not None else []
    return max(0.0, min(waits, default=policy.oldest))


def told(practices: Mapping[str, Practice]) -> tuple[Finding, ...]:
    """What a plan says of those that nobody should rely on."""
    return tuple(
        Finding(
            rule=RULE,
            severity="warn",
            workload=name,
            host="",
            message=message(one),
            fix=f"try it now: reconcile checkpoints verify {name}@latest --rehearse",
        )
        for name, one in practices.items()
        if one.wanting
    )


def message(one: Practice) -> str:
    if one.last is not None and one.last.rehearsed is not None and one.why:
        done = one.last.rehearsed
        where = f" on {done.host}" if done.host else ""
        called = f"{one.last.workload}@{one.last.id}"
        return f"its checkpoint {called} did not come up when it was rehearsed{where}: {done.why}"
    promised = f"its policy promises that every {format_seconds(one.oldest_s)}"
    if one.age_s is None:
        return f"no checkpoint of it was ever restored for trial, and {promised}"
    return f"a checkpoint of it was last restored for trial {format_seconds(one.age_s)} ago, and {promised}"


def trial_name(kept: Kept) -> str:
    """What people may call the copy of a checkpoint while it is rehearsed."""
    return f"rehearsal-{digest([kept.workload, kept.id])[:12]}"
