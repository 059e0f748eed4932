"""Recovery points: how old what would be left of a workload is, beside what its policy promises. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconciler.core import rehearsing
from reconciler.core.checkpoints import newest_first
from reconciler.core.rehearsing import Practice
from reconciler.core.retention import age, is_due, is_late
from reconciler.model.checkpoint import Kept
from reconciler.model.checkpointing import CheckpointPolicySpec
from reconciler.model.command import Seconds
from reconciler.model.plan import Finding
from reconciler.model.spec import DesiredState, Spec
from reconciler.model.units import format_seconds

RULE = "recovery-point"
RULES = frozenset({RULE, rehearsing.RULE})
"""What plans say of checkpoints, as time goes by."""


@dataclass(frozen=True)
class Point:
    """`age_s`: of the newest checkpoint that can be used, None without one; `oldest_s`: what is promised;
    `due_in_s`: until the next is to be taken; `unknown`: hosts not asked, which may keep a newer one. `kept`: what
    was looked at, the newest first, then what cannot be used."""

    workload: str
    policy: str
    age_s: Seconds | None
    oldest_s: Seconds
    due_in_s: Seconds = 0.0
    late: bool = False
    unknown: tuple[str, ...] = ()
    kept: tuple[Kept, ...] = ()
    rehearsal: Practice | None = None
    """How its checkpoints are rehearsed, where the policy says that they are."""

    @property
    def wanting(self) -> bool:
        """Whether the policy promises more than there is."""
        return self.late or bool(self.rehearsal and self.rehearsal.wanting)


def policies(spec: Spec) -> dict[str, CheckpointPolicySpec]:
    """Of the workloads that are to run and are saved by policy."""
    return {
        name: spec.checkpoint_policies[workload.spec.checkpoints.policy].spec
        for name, workload in sorted(spec.workloads.items())
        if workload.spec.checkpoints is not None and workload.spec.state is DesiredState.RUNNING
    }


def point(
    workload: str,
    called: str,
    policy: CheckpointPolicySpec,
    kept: Iterable[Kept],
    now: float,
    *,
    came: float | None = None,
    comes: float | None = None,
    unknown: tuple[str, ...] = (),
) -> Point:
    """`came`, `comes`: when a time that the policy names was last, and is next. Where a host could not be asked
    nothing is late: it may keep what was promised."""
    there = tuple(kept)
    found = age(there, now)
    late = is_late(found, policy) and not unknown
    left = 0.0
    if found is not None and not is_due(found, policy, None if came is None else now - came):
        waits = [policy.interval - found] if policy.interval is not None else []
        waits += [comes - now] if comes is not None else []
        left = max(0.0, min(waits, default=policy.oldest))
    shown = (*newest_first(there, now), *(one for one in there if one.manifest is None))
    return Point(workload, called, found, policy.oldest, left, late, unknown, shown)


def told(points: Mapping[str, Point]) -> tuple[Finding, ...]:
    """What a plan says of those that are older than promised, or were not rehearsed as promised."""
    practices = {one.workload: one.rehearsal for one in points.values() if one.rehearsal}
    return (*_late(points.values()), *rehearsing.told(practices))


def _late(points: Iterable[Point]) -> tuple[Finding, ...]:
    return tuple(
        Finding(
            rule=RULE,
            severity="warn",
            workload=one.workload,
            host="",
            message=_message(one),
            fix="take one now: reconcile checkpoint --due",
        )
        for one in points
        if one.late
    )


def _message(one: Point) -> str:
    promised = f"its policy {one.policy} promises at most {format_seconds(one.oldest_s)}"
    if one.age_s is None:
        return f"there is no checkpoint of it, and {promised}"
    return f"its newest checkpoint is {format_seconds(one.age_s)} old, and {promised}"
