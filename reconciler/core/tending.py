"""What a watch does next: which of a plan's changes are begun now, and why the others wait. Pure: times are
arguments, in seconds of a clock that never jumps, and so is chance."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reconciler.core.consent import Consent, interruptions, lacking, last_copies
from reconciler.core.saga import GroupState, Saga
from reconciler.model.base import digest
from reconciler.model.command import Seconds
from reconciler.model.plan import Change, Finding, Plan
from reconciler.model.record import Run


class Cause(StrEnum):
    """Why a change is not begun."""

    REFUSED = "refused"
    CONSENT = "consent"
    PUT_BACK = "put-back"
    BACK_OFF = "back-off"
    SUSPENDED = "suspended"
    WINDOW = "window"
    UNDER_WAY = "under-way"
    UNFINISHED = "unfinished"
    TOGETHER = "together"
    HOSTS = "hosts"


@dataclass(frozen=True)
class Postponed:
    """A workload that is not as the specs want it, and is left so for now. `until`: when that ends by itself."""

    workload: str
    cause: Cause
    why: str
    until: Seconds | None = None


@dataclass(frozen=True)
class Pauses:
    """How long what failed is left alone: twice as long after each failure, and after `opens` of them in a row it
    is tried only every `longest`, like a circuit breaker that is open."""

    first: Seconds = 5.0
    longest: Seconds = 900.0
    opens: int = 5

    def after(self, failures: int, chance: float) -> Seconds:
        """`chance`: 0 to 1, so that many that failed together do not come back together."""
        pause = self.longest if failures >= self.opens else min(self.longest, self.first * 2 ** (failures - 1))
        return pause * (0.75 + chance / 2)


@dataclass(frozen=True)
class Tries:
    """How often something has failed in a row, and when it may be tried again."""

    failures: int
    next_at: Seconds
    why: str = ""

    def failed(self, now: Seconds, pauses: Pauses, chance: float, why: str) -> Tries:
        failures = self.failures + 1
        return Tries(failures, now + pauses.after(failures, chance), why)


NEVER_TRIED = Tries(0, 0.0)


def wanted_digest(plan: Plan, workload: str) -> str:
    """What the specs want of a workload: the same as long as nothing is said differently."""
    spec, policy = plan.workloads.get(workload), plan.policies.get(workload)
    return digest([digest(spec) if spec else "", digest(policy) if policy else ""])


def was_done(runs: Iterable[Run], workload: str, wanted: str) -> bool:
    """Whether what is wanted was once reached: if it fails now, not the specs are to blame."""
    return any(
        workload in run.plan.groups
        and wanted_digest(run.plan, workload) == wanted
        and Saga(run.plan, run.records).states[workload] is GroupState.DONE
        for run in runs
    )


def narrowed(plan: Plan, workloads: Collection[str]) -> Plan:
    """The part of a plan that changes some workloads."""
    return plan.model_copy(
        update={
            "changes": tuple(c for c in plan.changes if c.workload in workloads),
            "steps": tuple(s for s in plan.steps if s.workload in workloads),
            "moves": {name: move for name, move in plan.moves.items() if name in workloads},
            "findings": tuple(f for f in plan.findings if f.workload in workloads),
        }
    )


def by_workload(plan: Plan) -> dict[str, Plan]:
    """Each workload's own part of a plan, as `narrowed` gives it: all in one go, for every look of a watch."""
    changes, findings = dict[str, list[Change]](), dict[str, list[Finding]]()
    for change in plan.changes:
        changes.setdefault(change.workload, []).append(change)
    for finding in plan.findings:
        findings.setdefault(finding.workload, []).append(finding)
    return {
        name: plan.model_copy(
            update={
                "changes": tuple(changes.get(name, ())),
                "steps": plan.groups.get(name, ()),
                "moves": {name: plan.moves[name]} if name in plan.moves else {},
                "findings": tuple(findings.get(name, ())),
            }
        )
        for name in plan.groups.keys() | changes.keys()
    }


def clusters(plan: Plan) -> list[frozenset[str]]:
    """Workloads whose steps need one another's: they are changed together or not at all."""
    owner = {step.id: step.workload for step in plan.steps}
    cluster = {name: {name} for name in plan.groups}
    for step in plan.steps:
        for need in step.needs:
            one, other = cluster[step.workload], cluster[owner.get(need, step.workload)]
            if one is not other:
                one |= other
                for name in other:
                    cluster[name] = one
    return list(dict.fromkeys(frozenset(cluster[name]) for name in plan.groups))


def unasked(plan: Plan) -> dict[str, Postponed]:
    """Changes that need a person, as in CI: what takes a last copy away, or stops what runs without its spec's
    consent."""
    found, parts = dict[str, Postponed](), by_workload(plan)
    for change in (*last_copies(plan), *interruptions(plan)):
        lack = lacking(parts[change.workload], Consent())
        if lack:
            why = f"{lack.text}. {lack.fix[0].upper()}{lack.fix[1:]}"
            found[change.workload] = Postponed(change.workload, Cause.CONSENT, why)
    return found


def refused(plan: Plan) -> dict[str, Postponed]:
    """Changes that a rule says no to."""
    found = dict[str, Postponed]()
    for finding in plan.findings:
        if finding.severity == "refuse" and finding.workload:
            fix = f". {finding.fix}" if finding.fix else ""
            found.setdefault(
                finding.workload, Postponed(finding.workload, Cause.REFUSED, f"{finding.message}{fix}")
            )
    return found


@dataclass(frozen=True)
class Chosen:
    """The workloads whose changes are begun now, and those that wait."""

    begin: frozenset[str]
    waits: Mapping[str, Postponed] = field(default_factory=dict)


def choose(
    plan: Plan, held_back: Mapping[str, Postponed], hosts_of: Mapping[str, frozenset[str]], busy: Collection[str]
) -> Chosen:
    """Of a plan's changes those that may begin. `held_back`: workloads that are left alone, with the reason;
    `hosts_of`: which hosts each change needs for itself; `busy`: hosts that another run has now. What waits for
    hosts keeps others from taking them, in the order of the plan, so that all come to their turn."""
    waits = {**unasked(plan), **refused(plan), **held_back}
    taken, begin = set(busy), set[str]()
    for names in clusters(plan):
        if stopped := sorted(name for name in names if name in waits):
            why = f"it is changed together with {', '.join(stopped)}, which waits"
            waits |= {name: Postponed(name, Cause.TOGETHER, why) for name in names - waits.keys()}
            continue
        needed = frozenset().union(*(hosts_of[name] for name in names))
        if needed & taken:
            why = f"another run is at work on {', '.join(sorted(needed & taken))}"
            waits |= {name: Postponed(name, Cause.HOSTS, why) for name in names}
            taken |= needed
        else:
            begin |= names
    return Chosen(frozenset(begin), waits)
