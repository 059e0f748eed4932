"""What a rule is: an id, what it looks at, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from reconciler.core.index import Copy, Index
from reconciler.model.base import DEFAULT_RUNTIME
from reconciler.model.container import Container
from reconciler.model.plan import Change, ChangeKind, Finding
from reconciler.model.spec import MigrationPolicySpec, Spec, Workload
from reconciler.model.world import ContainerFacts, HostFacts, Instance, Preflight, ProcessFacts, World

BY_ITSELF = "self-moves"


def moves_by_itself(world: World, runtime: str) -> bool:
    """Whether a runtime moves what runs without a cut-over of ours."""
    known = world.abilities.get(runtime, ())
    return BY_ITSELF in known and "moves" not in known


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
        """Whether it moves by a cut-over of ours; a runtime that moves by itself has conditions of its own."""
        return self.change.kind is ChangeKind.MOVE and not self.by_itself

    @property
    def by_itself(self) -> bool:
        """Whether it moves, and its runtime does that by itself."""
        runtime = self.workload.spec.runtime if self.workload else DEFAULT_RUNTIME
        return self.change.kind is ChangeKind.MOVE and moves_by_itself(self.world, runtime)

    @property
    def engine(self) -> str:
        """What a person types to act on its container: a runtime of containers is called as its command is."""
        if self.instance is not None:
            return self.instance.runtime
        return self.workload.spec.runtime if self.workload else DEFAULT_RUNTIME

    @property
    def arrives(self) -> bool:
        """Whether a container is made on the destination."""
        return self.change.kind in (ChangeKind.MOVE, ChangeKind.CREATE, ChangeKind.RECREATE)

    @property
    def instance(self) -> Instance | None:
        """What runs of it where the change starts from."""
        return self.copy.instance if self.copy else None

    @property
    def container(self) -> ContainerFacts | None:
        """The same, where it is a container: rules about containers say nothing about anything else."""
        return self.instance if isinstance(self.instance, ContainerFacts) else None

    @property
    def joined(self) -> dict[str, tuple[str, ...]]:
        """Other containers where it runs that share namespaces of its container, with the options that say so."""
        own = self.container
        if not (own and self.source):
            return {}
        others = {c.name: c.options.joins(own.id, own.name) for c in self.source.containers if c.id != own.id}
        return {name: options for name, options in sorted(others.items()) if options}

    @property
    def wanted(self) -> Container | None:
        return self.workload.spec.container if self.workload else None

    @property
    def held(self) -> ProcessFacts | None:
        """What its processes hold; None when it does not move, or when that is not known."""
        return self.instance.held if self.moves and self.instance else None

    @property
    def ahead(self) -> Preflight | None:
        """What the destination was asked; None when nothing arrives there, or when that is not known."""
        return self.destination.preflight if self.arrives and self.destination else None

    @property
    def where(self) -> str:
        """The host that findings are about unless they say otherwise."""
        return self.destination.name if self.destination else ""

    @property
    def origin(self) -> str:
        """Name of the source."""
        return self.change.source or ""


@dataclass(frozen=True)
class Said:
    """What a rule's function says; the registry adds who and which rule. `warn` None: as the rule does."""

    message: str
    fix: str
    host: str = ""
    warn: bool | None = None


Check = Callable[[Case], Iterator[Said]]
HostCheck = Callable[[HostFacts], Iterator[Said]]


@dataclass(frozen=True)
class Rule:
    """A rule. `text` is its page in `reconcile explain ID`; `warns`: what it finds does not stop a change.
    `acceptable`: a policy may `accept` what it finds. What keeps data, a second copy from running, or confinement
    is never accepted, nor what is known to fail.

    `host_check` is there when the rule is about a host by itself, so that `reconcile doctor` can ask it.
    `of_criu`: it is about what the runtimes with CRIU need there.
    """

    id: str
    text: str
    function: Check
    warns: bool = False
    host_check: HostCheck | None = None
    acceptable: bool = False
    of_criu: bool = False

    @property
    def severity(self) -> str:
        return "warn" if self.warns else "refuse"

    def check(self, case: Case) -> list[Finding]:
        return [self._finding(said, case.change.workload, case.where) for said in self.function(case)]

    def check_host(self, host: HostFacts) -> list[Finding]:
        """What it says about a host alone; nothing when it needs a change to look at."""
        if self.host_check is None:
            return []
        return [self._finding(said, "", host.name) for said in self.host_check(host)]

    def _finding(self, said: Said, workload: str, host: str) -> Finding:
        warns = self.warns if said.warn is None else said.warn
        return Finding(
            rule=self.id,
            severity="warn" if warns else "refuse",
            workload=workload,
            host=said.host or host,
            message=said.message,
            fix=said.fix,
        )


RULES: dict[str, Rule] = {}


def rule(
    rule_id: str, *, warns: bool = False, alone: HostCheck | None = None, acceptable: bool | None = None
) -> Callable[[Check], Check]:
    """Register a function as a rule; its docstring is its explanation. `alone`: what `reconcile doctor` asks.
    `acceptable` None: as it `warns`."""

    def decorate(function: Check) -> Check:
        may = warns if acceptable is None else acceptable
        register(Rule(rule_id, page(function.__doc__), function, warns, alone, may))
        return function

    return decorate


def host_rule(
    rule_id: str, *, warns: bool = False, acceptable: bool | None = None
) -> Callable[[HostCheck], HostCheck]:
    """Register a function about what CRIU's runtimes need of one host: asked for both hosts of a move, and by
    `reconcile doctor` of hosts that do not serve other runtimes only."""

    def decorate(function: HostCheck) -> HostCheck:
        def check(case: Case) -> Iterator[Said]:
            for host in (case.source, case.destination) if case.moves else ():
                if host is not None:
                    yield from (replace(said, host=host.name) for said in function(host))

        may = warns if acceptable is None else acceptable
        register(Rule(rule_id, page(function.__doc__), check, warns, function, may, of_criu=True))
        return function

    return decorate


def serves_others_only(host: HostFacts) -> bool:
    """Whether a host has runtimes, but not the one that moves by CRIU unless told otherwise, and no CRIU."""
    return bool(host.runtimes) and not (DEFAULT_RUNTIME in host.runtimes or host.version("criu"))


def register(added: Rule) -> None:
    """Make a rule known; ids are unique and every rule has a page."""
    assert added.id not in RULES, added.id
    assert added.text, added.id
    RULES[added.id] = added


def page(text: str | None) -> str:
    """A docstring without its indentation."""
    return "\n".join(line.strip() for line in (text or "").strip().splitlines())


def together(words: Iterable[str], most: int = 4) -> str:
    """`a, b and 3 more`"""
    listed = list(words)
    shown = ", ".join(listed[:most])
    return f"{shown} and {len(listed) - most} more" if len(listed) > most else shown


def case_of(change: Change, spec: Spec, world: World, index: Index) -> Case:
    """Collect what rules look at."""
    seen = index.seen
    workload = spec.workloads.get(change.workload)
    copies = index.copies.get(change.workload, ())
    runtime = workload.spec.runtime if workload else DEFAULT_RUNTIME
    source, destination = (
        facts.of(runtime) if facts else None
        for facts in (seen.get(change.source or ""), seen.get(change.destination or ""))
    )
    return Case(
        change=change,
        workload=workload,
        policy=spec.policy_of(workload) if workload else MigrationPolicySpec(),
        source=source,
        destination=destination,
        copy=next((c for c in copies if c.host == change.source), None),
        spec=spec,
        world=world,
        index=index,
    )
