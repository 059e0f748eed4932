"""Reasons to say no, or to warn, before anything stops: one small function per rule, over facts only.
Runtimes add what is about them alone (`reconciler.runtimes.registry.rules`)."""

from __future__ import annotations

from reconciler.core.index import Index
from reconciler.core.rules import (
    ability,
    attached,
    capacity,
    container,
    given,
    identity,
    keeping,
    kernel,
    network,
    process,
    runtime,
    security,
    sockets,
    tasks,
    tree,
    updating,
)
from reconciler.core.rules.base import RULES, Case, Rule, case_of, serves_others_only
from reconciler.core.rules.verdict import Answer, MoveVerdict, verdict
from reconciler.model.plan import Change, Finding
from reconciler.model.spec import MigrationPolicySpec, Spec
from reconciler.model.world import HostFacts, World

__all__ = [
    "RULES",
    "Answer",
    "Case",
    "MoveVerdict",
    "Rule",
    "ability",
    "accepted",
    "attached",
    "capacity",
    "check_change",
    "check_host",
    "container",
    "given",
    "identity",
    "keeping",
    "kernel",
    "network",
    "process",
    "runtime",
    "security",
    "sockets",
    "tasks",
    "tree",
    "updating",
    "verdict",
]


def check_change(change: Change, spec: Spec, world: World, index: Index) -> list[Finding]:
    """All findings about one change, in the order of the rules; all at once, not the first only."""
    case = case_of(change, spec, world, index)
    return [accepted(finding, case.policy) for rule in RULES.values() for finding in rule.check(case)]


def accepted(finding: Finding, policy: MigrationPolicySpec) -> Finding:
    """As the policy takes it. A rule that nobody may accept stays as it is, whatever a policy names."""
    if finding.rule not in policy.accept or not RULES[finding.rule].acceptable:
        return finding
    return finding.model_copy(update={"severity": "warn", "accepted": True})


def check_host(host: HostFacts) -> list[Finding]:
    """All findings about a host alone."""
    others = serves_others_only(host)
    rules = (rule for rule in RULES.values() if not (rule.of_criu and others))
    return [finding for rule in rules for finding in rule.check_host(host)]
