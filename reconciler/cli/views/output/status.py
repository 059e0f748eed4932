"""`status --json` and `history --json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from reconciler.cli.views.output.base import Document, Part, UnknownHost, known, moment, rounded, unknown_hosts
from reconciler.commands.recover import Standing
from reconciler.core.accuracy import TOLERANCE, Measured, frozen_seconds
from reconciler.model.ending import Ending
from reconciler.model.plan import Change, ChangeKind
from reconciler.model.record import Mark, Run, RunState
from reconciler.model.spec import Strategy
from reconciler.model.world import World


class MarkerPhase(Part):
    """What one host's marker says."""

    host: str
    phase: str = Field(description="`torn` when it cannot be read")


class Unfinished(Part):
    """A hand-over that has not ended."""

    workload: str
    phase: str = Field(description="Of the newest marker, or `unknown`")
    owner: str | None = Field(description="null: in doubt, nobody may start it")
    markers: tuple[MarkerPhase, ...]
    since: str | None = Field(description="ISO 8601, UTC")
    run: str | None
    next: str = Field(description="The command that ends it")
    memory_missing_bytes: int | None = Field(
        None, description="Of a post-copy: memory that still follows from the source; null: none does"
    )
    memory_waits_s: float | None = Field(None, description="For how long the workload has waited for some of it")
    memory_on_disk_bytes: int | None = Field(
        None, description="With `persist`: how much is on the source's disk; null: none is"
    )
    memory_lost_bytes: int | None = Field(
        None, description="Of what is missing, what nobody has any more; null: nothing is known to be lost"
    )


class StatusDocument(Document):
    """`reconcile status --json`"""

    command: Literal["status"] = "status"
    state: Ending = Field(description="`open`: something is unfinished; `unseen`: no host could be seen")
    hosts_seen: int
    unknown_hosts: tuple[UnknownHost, ...]
    unfinished: tuple[Unfinished, ...]


class PastChange(Part):
    """What a run did to one workload."""

    workload: str
    kind: ChangeKind
    source: str | None
    destination: str | None
    frozen_s: float | None = Field(description="How long it was frozen; null when it was not")
    predicted_downtime_s: float | None
    predicted_most_s: float | None


class StepNote(Part):
    """What was noted of a step: why it failed, or who decided."""

    step: str
    mark: Mark
    at: str | None = Field(description="ISO 8601, UTC")
    text: str


class PastRun(Part):
    """One apply."""

    run: str
    state: RunState
    started_at: str | None = Field(description="ISO 8601, UTC")
    ended_at: str | None = Field(description="ISO 8601, UTC; null when it has not ended")
    actor: str = Field(description="who@where/process")
    commit: str | None
    dirty: bool
    changes: tuple[PastChange, ...]
    notes: tuple[StepNote, ...]


class HistoryDocument(Document):
    """`reconcile history --json`"""

    command: Literal["history"] = "history"
    runs: tuple[PastRun, ...] = Field(description="Newest first")


class MeasuredMove(Part):
    """A move that was carried out, predicted and measured."""

    run: str
    workload: str
    source: str
    destination: str
    strategy: Strategy
    memory_bytes: int
    copied_bytes: int
    predicted_downtime_s: float
    predicted_most_s: float
    frozen_s: float
    good: bool = Field(description="Predicted within the tolerance")


class AccuracyDocument(Document):
    """`reconcile history --accuracy --json`"""

    command: Literal["history"] = "history"
    tolerance_ratio: float = Field(description="A prediction is good within this share of what was measured")
    good: int = Field(description="How many were predicted well")
    moves: tuple[MeasuredMove, ...]


def status_document(world: World, rows: Sequence[Standing], ending: Ending) -> StatusDocument:
    return StatusDocument(
        exit_code=ending.exit_code,
        state=ending,
        hosts_seen=len(world.seen()),
        unknown_hosts=unknown_hosts(world),
        unfinished=tuple(unfinished(row) for row in rows),
    )


def unfinished(row: Standing) -> Unfinished:
    return Unfinished(
        workload=row.workload,
        phase=row.phase,
        owner=row.owner or None,
        markers=tuple(MarkerPhase(host=host, phase=phase) for host, phase in row.where.items()),
        since=moment(row.since),
        run=row.run or None,
        next=row.next,
        memory_missing_bytes=row.following.missing if row.following else None,
        memory_waits_s=row.following.waits_s if row.following else None,
        memory_on_disk_bytes=row.on_disk.written if row.on_disk else None,
        memory_lost_bytes=row.lost or None,
    )


def history_document(runs: Sequence[Run], workload: str | None) -> HistoryDocument:
    """The runs; with a workload only what they did to it."""
    return HistoryDocument(exit_code=0, runs=tuple(_run(run, workload) for run in runs))


def _run(run: Run, workload: str | None) -> PastRun:
    return PastRun(
        run=run.id,
        state=run.state,
        started_at=moment(run.started_at),
        ended_at=moment(run.ended_at),
        actor=run.actor,
        commit=run.commit,
        dirty=run.plan.dirty,
        changes=tuple(_change(run, c) for c in run.plan.changes if workload in (None, c.workload)),
        notes=tuple(
            StepNote(step=record.step, mark=record.mark, at=moment(record.at), text=record.note)
            for record in run.records
            if record.note and (workload is None or run.plan.step(record.step).workload == workload)
        ),
    )


def _change(run: Run, change: Change) -> PastChange:
    move = run.plan.moves.get(change.workload)
    return PastChange(
        workload=change.workload,
        kind=change.kind,
        source=change.source,
        destination=change.destination,
        frozen_s=rounded(frozen_seconds(run, change.workload)),
        predicted_downtime_s=known(move.predicted_downtime_s) if move else None,
        predicted_most_s=known(move.predicted_most_s) if move else None,
    )


def accuracy_document(moves: Sequence[Measured]) -> AccuracyDocument:
    return AccuracyDocument(
        exit_code=0,
        tolerance_ratio=TOLERANCE,
        good=sum(move.good for move in moves),
        moves=tuple(
            MeasuredMove(
                run=m.run,
                workload=m.workload,
                source=m.source,
                destination=m.destination,
                strategy=m.strategy,
                memory_bytes=m.memory,
                copied_bytes=m.copied,
                predicted_downtime_s=known(m.predicted_s),
                predicted_most_s=known(m.most_s),
                frozen_s=known(m.frozen_s),
                good=m.good,
            )
            for m in moves
        ),
    )
