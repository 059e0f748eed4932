"""What a rule is: an id, what it looks at, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from reconciler.core.diff import Copy, Index
from reconciler.model.plan import Change, ChangeKind, Finding
from reconciler.model.spec import Container, MigrationPolicySpec, Spec, Workload
from reconciler.model.world import ContainerFacts, HostFacts, World


@dataclass(frozen=True)
class Case:
    """One change with everything rules may look at. `source` and `copy` are None when nothing runs yet."""

    change: Change
    workload: Workload | None
    policy: MigrationPolicySpec
    source: HostFacts | None
    destination: HostFacts | None
    copy: Copy | None
    spec: Spec
    world: World
    index: Index

    @property
    def moves(self) -> bool:
        return self.change.kind is ChangeKind.MOVE

    @property
    def arrives(self) -> bool:
        """Whether a container is made on the destination."""
        return self.change.kind in (ChangeKind.MOVE, ChangeKind.CREATE, ChangeKind.RECREATE)

    @property
    def container(self) -> ContainerFacts | None:
        return self.copy.container if self.copy else None

    @property
    def wanted(self) -> Container | None:
        return self.workload.spec.container if self.workload else None


@dataclass(frozen=True)
class Said:
    """What a rule's function says; the registry adds who and which rule."""

    message: str
    fix: str
    host: str = ""
    warn: bool = False


Check = Callable[[Case], Iterator[Said]]


@dataclass(frozen=True)
class Rule:
    """A rule. `text` is its page in `reconcile explain ID`."""

    id: str
    text: str
    function: Check

    def check(self, case: Case) -> list[Finding]:
        host = case.destination.name if case.destination else ""
        return [
            Finding(
                rule=self.id,
                severity="warn" if said.warn else "refuse",
                workload=case.change.workload,
                host=said.host or host,
                message=said.message,
                fix=said.fix,
            )
            for said in self.function(case)
        ]


RULES: dict[str, Rule] = {}


def rule(rule_id: str) -> Callable[[Check], Check]:
    """Register a function as a rule; its docstring is its explanation."""

    def register(function: Check) -> Check:
        assert rule_id not in RULES, rule_id
        RULES[rule_id] = Rule(rule_id, (function.__doc__ or "").strip(), function)
        return function

    return register


def case_of(change: Change, spec: Spec, world: World, index: Index) -> Case:
    """Collect what rules look at."""
    seen = world.seen()
    workload = spec.workloads.get(change.workload)
    copies = index.copies.get(change.workload, ())
    return Case(
        change=change,
        workload=workload,
        policy=spec.policy_of(workload) if workload else MigrationPolicySpec(),
        source=seen.get(change.source or ""),
        destination=seen.get(change.destination or ""),
        copy=next((c for c in copies if c.host == change.source), None),
        spec=spec,
        world=world,
        index=index,
    )
