"""`apply --json` and `resume --json`: what was done, what it took, and what is left."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from reconciler.cli.views.output.base import Document, Finding, Part, known, moment, of_rule, rounded, untidied
from reconciler.cli.views.output.status import Unfinished, unfinished
from reconciler.commands.app import Applied
from reconciler.commands.recover import Resumed, rows
from reconciler.core.saga import GroupState
from reconciler.engine.leading import KeptBeside
from reconciler.model.ending import Ending
from reconciler.model.plan import Change, ChangeKind, StepKind

_STATE = "`partly`: what was begun is done, the rest was refused; `declined`: not agreed to; `open`: unfinished"


class StepError(Part):
    """A step that failed, or whose undo did."""

    step: str
    kind: StepKind
    host: str
    undo: bool = Field(description="Whether it was its undo")
    message: str


class DoneMove(Part):
    """What a move was predicted to take, and what it took."""

    predicted_downtime_s: float
    predicted_most_s: float
    frozen_s: float | None = Field(description="How long it was frozen; null when it was not")


class MadeBeside(Part):
    """The old version, as a copy beside the new one that is well."""

    copy_name: str = Field(description="As hosts know it")
    host: str
    checkpoint: str = Field(description="As WORKLOAD@ID")
    until: str | None = Field(description="How long it is kept; null: it is not there")
    unhealthy: str = Field(description="What its health check said; empty: nothing, or it has none")
    message: str = Field(description="Why it is not there; else empty. The update is done nevertheless")


class DoneChange(Part):
    """How the change of one workload ended."""

    workload: str
    kind: ChangeKind
    source: str | None
    destination: str | None
    state: GroupState
    became: str | None = Field(description="What became of one that was put back, where it does not simply run on")
    move: DoneMove | None
    stopped_s: float | None = Field(
        description="How long one that was to be made anew did not run; null when it did, or runs no more"
    )
    beside: MadeBeside | None = Field(description="null unless its update is `side-by-side`, and done")
    errors: tuple[StepError, ...]


class DoneRun(Part):
    """One run that was carried out, or taken up again."""

    run: str | None = Field(description="As in the history; null when there was nothing to do")
    state: Ending
    changes: tuple[DoneChange, ...]
    refused: tuple[Finding, ...]
    warnings: tuple[Finding, ...]


class ApplyDocument(Document):
    """`reconcile apply --json`"""

    command: Literal["apply"] = "apply"
    run: str | None = Field(description="As in the history; null when nothing was to be done")
    state: Ending = Field(description=_STATE)
    changes: tuple[DoneChange, ...]
    refused: tuple[Finding, ...] = Field(description="What was not begun, and why")
    warnings: tuple[Finding, ...]
    untidied: tuple[Finding, ...] = Field(description="What went wrong when all was over")


class ResumeDocument(Document):
    """`reconcile resume --json`"""

    command: Literal["resume"] = "resume"
    state: Ending = Field(description="How it is now: `open` when something is unfinished")
    runs: tuple[DoneRun, ...]
    unfinished: tuple[Unfinished, ...]
    untidied: tuple[Finding, ...]


def apply_document(applied: Applied, ending: Ending) -> ApplyDocument:
    done = done_run(applied, ending)
    return ApplyDocument(
        exit_code=ending.exit_code,
        run=done.run,
        state=done.state,
        changes=done.changes,
        refused=done.refused,
        warnings=done.warnings,
        untidied=tuple(untidied(left) for left in applied.untidied),
    )


def resume_document(resumed: Resumed, ending: Ending) -> ResumeDocument:
    return ResumeDocument(
        exit_code=ending.exit_code,
        state=ending,
        runs=tuple(done_run(applied, Ending(applied.state)) for applied in resumed.runs),
        unfinished=tuple(unfinished(row) for row in rows(resumed.left)),
        untidied=tuple(untidied(left) for left in resumed.untidied),
    )


def done_run(applied: Applied, ending: Ending) -> DoneRun:
    findings = applied.plan.findings
    changed = applied.plan.changes if applied.outcome else ()
    return DoneRun(
        run=applied.run,
        state=ending,
        changes=tuple(_change(change, applied) for change in changed),
        refused=tuple(of_rule(f) for f in findings if f.severity == "refuse"),
        warnings=tuple(of_rule(f) for f in findings if f.severity != "refuse"),
    )


def _change(change: Change, applied: Applied) -> DoneChange:
    outcome, name = applied.outcome, change.workload
    assert outcome
    errors = (
        StepError(step=step.id, kind=step.kind, host=step.host, undo=undo, message=text)
        for step, undo, text in outcome.errors.get(name, ())
    )
    return DoneChange(
        workload=name,
        kind=change.kind,
        source=change.source,
        destination=change.destination,
        state=outcome.groups[name],
        became=outcome.became.get(name),
        move=_move(name, applied),
        stopped_s=rounded(outcome.stopped.get(name)),
        beside=_beside(outcome.beside.get(name)),
        errors=tuple(errors),
    )


def _beside(made: KeptBeside | None) -> MadeBeside | None:
    if made is None:
        return None
    return MadeBeside(
        copy_name=made.name,
        host=made.host,
        checkpoint=made.checkpoint,
        until=None if made.failure else moment(made.until),
        unhealthy=made.unhealthy,
        message=str(made.failure or ""),
    )


def _move(name: str, applied: Applied) -> DoneMove | None:
    move = applied.plan.moves.get(name)
    if move is None or applied.outcome is None:
        return None
    return DoneMove(
        predicted_downtime_s=known(move.predicted_downtime_s),
        predicted_most_s=known(move.predicted_most_s),
        frozen_s=rounded(applied.outcome.frozen.get(name)),
    )
