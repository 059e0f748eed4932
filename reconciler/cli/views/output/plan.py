"""`plan --json`: what would be done, in numbers."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from reconciler.cli.views.output.base import (
    Document,
    Finding,
    Part,
    Place,
    UnknownHost,
    known,
    of_rule,
    unknown_hosts,
)
from reconciler.commands.app import Seen
from reconciler.commands.binding import Binding
from reconciler.core.rules import Answer, verdict
from reconciler.model.ending import PlanState
from reconciler.model.outlook import Outlook
from reconciler.model.plan import Change, ChangeKind, Move, Step, StepKind
from reconciler.model.plan import Finding as RuleFinding
from reconciler.model.spec import Origin, Spec


class Specs(Part):
    """Which specs a plan is of."""

    commit: str | None = Field(description="null outside git")
    dirty: bool = Field(description="Whether the specs differ from the commit")
    digest: str = Field(description="SHA-256 of what they say, in hexadecimal")


class PlannedStrategy(StrEnum):
    """How memory goes along; `live`: the runtime sees to that."""

    AUTO = "auto"
    COLD = "cold"
    LAZY = "lazy"
    PRECOPY = "precopy"
    POSTCOPY = "postcopy"
    LIVE = "live"


class PlannedCutover(StrEnum):
    """How the workload is handed over; `runtime`: the runtime sees to that."""

    AUTO = "auto"
    TRANSACTIONAL = "transactional"
    RESTORE_BACK = "restore-back"
    RUNTIME = "runtime"


class PlannedMove(Part):
    """How a workload would be moved while it runs."""

    strategy: PlannedStrategy = Field(description="`live`: the runtime moves it, while it runs")
    cutover: PlannedCutover = Field(description="`runtime`: it decides where the workload runs")
    epoch: int = Field(description="The epoch the destination would own it with")
    memory_bytes: int
    expected_bytes: int = Field(description="To be copied: memory and what it changed in its root filesystem")
    predicted_downtime_s: float = Field(description="How long clients would wait, at least")
    predicted_most_s: float = Field(description="At most; the same once an earlier move has been measured")


class PlannedChange(Part):
    """One difference between the specs and the hosts."""

    workload: str
    kind: ChangeKind
    source: str | None = Field(description="The host it is on")
    destination: str | None = Field(description="The host it would be on")
    reason: str
    origin: Place | None = Field(description="Where the specs say so")
    interrupts: bool = Field(description="It runs, and what it has in memory would be lost")
    move: PlannedMove | None
    outlook: Outlook = Field(Outlook(), description="What it takes, what comes along, what is lost, the way back")


class PlannedStep(Part):
    """One thing that would be done on a host."""

    id: str
    kind: StepKind
    workload: str
    runtime: str
    host: str
    peer: str | None = Field(description="The host it comes from, where something is copied")
    subject: str = Field(description="The image, network, volume or container it is about; may be empty")
    needs: tuple[str, ...] = Field(description="IDs of the steps before it")
    expected_bytes: int


class WorkloadVerdict(Part):
    """The answer for a workload, of all that was found about it."""

    workload: str
    verdict: Answer


class BoundTo(Part):
    """What a saved plan can be applied to, and to nothing else."""

    file: str
    program: str = Field(description="The release that planned")
    commit: str | None
    dirty: bool
    roots: tuple[str, ...] = Field(description="The repository's first commits")
    remote: str = Field(description="Where the repository comes from; may be empty")
    specs_digest: str


class PlanDocument(Document):
    """`reconcile plan --json`"""

    command: Literal["plan"] = "plan"
    specs: Specs
    state: PlanState = Field(description="`partly`: some of it is refused; `unseen`: no host could be seen")
    hosts_seen: int
    unknown_hosts: tuple[UnknownHost, ...]
    applyable: bool = Field(description="Whether there is something to do that is not refused")
    refused: bool = Field(description="Whether something is refused")
    verdicts: tuple[WorkloadVerdict, ...]
    changes: tuple[PlannedChange, ...]
    findings: tuple[Finding, ...] = Field(description="Errors refuse a change; warnings go with one")
    steps: tuple[PlannedStep, ...]
    world_digest: str = Field(description="SHA-256 of what was seen on the hosts, in hexadecimal")
    bound_to: BoundTo | None = Field(description="With `--out`")


def plan_document(
    seen: Seen, exit_code: int, bound: tuple[str, Binding] | None = None, spec: Spec | None = None
) -> PlanDocument:
    """The plan; `bound`: the file it was saved to, and what it can be applied to. `spec`: names the lines that
    findings are about."""
    plan = seen.plan
    origins = {change.workload: change.origin for change in plan.changes}

    def origin(workload: str) -> Origin | None:
        known = origin_of(spec, workload) if spec else None
        return origins.get(workload) or known

    concerned: dict[str, list[RuleFinding]] = {change.workload: [] for change in plan.changes}
    for finding in plan.findings:
        concerned.setdefault(finding.workload, []).append(finding)
    return PlanDocument(
        exit_code=exit_code,
        specs=Specs(commit=plan.commit, dirty=plan.dirty, digest=plan.spec_digest),
        state=seen.state,
        hosts_seen=len(seen.world.seen()),
        unknown_hosts=unknown_hosts(seen.world),
        applyable=plan.applyable,
        refused=plan.errored,
        verdicts=tuple(
            WorkloadVerdict(workload=workload, verdict=verdict(its)) for workload, its in sorted(concerned.items())
        ),
        changes=tuple(_change(change, plan.moves.get(change.workload)) for change in plan.changes),
        findings=tuple(of_rule(finding, origin(finding.workload)) for finding in plan.findings),
        steps=tuple(_step(step) for step in plan.steps),
        world_digest=plan.world_digest,
        bound_to=_bound(*bound) if bound else None,
    )


def _change(change: Change, move: Move | None) -> PlannedChange:
    return PlannedChange(
        workload=change.workload,
        kind=change.kind,
        source=change.source,
        destination=change.destination,
        reason=change.reason,
        origin=place(change.origin),
        interrupts=change.interrupts,
        move=_move(move) if move and change.kind is ChangeKind.MOVE else None,
        outlook=change.outlook,
    )


def origin_of(spec: Spec, workload: str) -> Origin | None:
    """Where specs have a workload, by the name it has on hosts."""
    return spec.origin("Workload", spec.called.get(workload, workload))


def place(origin: Origin | None) -> Place | None:
    """Where a value stands in the specs."""
    return Place(file=origin.file, line=origin.line, column=origin.col) if origin else None


def _move(move: Move) -> PlannedMove:
    return PlannedMove(
        strategy=PlannedStrategy(move.strategy or "live"),
        cutover=PlannedCutover(move.cutover or "runtime"),
        epoch=move.epoch,
        memory_bytes=move.memory_bytes,
        expected_bytes=move.expected_bytes,
        predicted_downtime_s=known(move.predicted_downtime_s),
        predicted_most_s=known(move.predicted_most_s),
    )


def _step(step: Step) -> PlannedStep:
    return PlannedStep(
        id=step.id,
        kind=step.kind,
        workload=step.workload,
        runtime=step.runtime,
        host=step.host,
        peer=step.peer,
        subject=step.subject,
        needs=step.needs,
        expected_bytes=step.expected_bytes,
    )


def _bound(file: str, binding: Binding) -> BoundTo:
    return BoundTo(
        file=file,
        program=binding.program,
        commit=binding.commit,
        dirty=binding.dirty,
        roots=binding.roots,
        remote=binding.remote,
        specs_digest=binding.specs,
    )
