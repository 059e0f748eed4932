"""`top --json`: changes under way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from reconciler.cli.views.output.base import Document, Part, known, rounded
from reconciler.core.moving import Copying, Moving, StepSeen
from reconciler.core.saga import GroupState
from reconciler.model.plan import ChangeKind, StepKind
from reconciler.model.record import Mark


class StepUnderWay(Part):
    """One step of a change."""

    kind: StepKind
    host: str
    mark: Mark | None = Field(description="The last that was noted of it; null when it has not begun")
    took_s: float | None = Field(description="Until its outcome, or until now; null when it has not begun")


class CopyUnderWay(Part):
    """A copy that goes on."""

    kind: StepKind
    done_bytes: int
    total_bytes: int = Field(description="As expected, and never less than what is done")
    bytes_per_s: int | None = Field(description="Since it began; null when nobody has told yet")
    left_s: float | None = Field(description="At that rate; null when that cannot be said")


class ChangeUnderWay(Part):
    """The change of one workload."""

    run: str
    workload: str
    kind: ChangeKind
    source: str | None
    destination: str | None
    state: GroupState
    elapsed_s: float
    frozen_s: float | None = Field(description="How long it stands still by now, or stood; null when it did not")
    frozen_now: bool
    predicted_downtime_s: float | None
    predicted_most_s: float | None
    carried_on: bool = Field(description="A living process works on it; else: reconcile status")
    copying: CopyUnderWay | None
    steps: tuple[StepUnderWay, ...]


class TopDocument(Document):
    """`reconcile top --json`"""

    command: Literal["top"] = "top"
    changes: tuple[ChangeUnderWay, ...] = Field(description="Moves first")


def top_document(found: Sequence[Moving]) -> TopDocument:
    return TopDocument(exit_code=0, changes=tuple(_change(one) for one in found))


def _change(one: Moving) -> ChangeUnderWay:
    return ChangeUnderWay(
        run=one.run,
        workload=one.workload,
        kind=one.kind,
        source=one.source or None,
        destination=one.destination or None,
        state=one.state,
        elapsed_s=known(one.elapsed_s),
        frozen_s=rounded(one.frozen_s),
        frozen_now=one.frozen_now,
        predicted_downtime_s=rounded(one.predicted_s),
        predicted_most_s=rounded(one.most_s),
        carried_on=one.carried_on,
        copying=_copy(one.copying) if one.copying else None,
        steps=tuple(_step(step) for step in one.steps),
    )


def _copy(copy: Copying) -> CopyUnderWay:
    return CopyUnderWay(
        kind=copy.kind,
        done_bytes=copy.done,
        total_bytes=copy.total,
        bytes_per_s=None if copy.rate is None else round(copy.rate),
        left_s=rounded(copy.left_s),
    )


def _step(step: StepSeen) -> StepUnderWay:
    return StepUnderWay(kind=step.kind, host=step.host, mark=step.mark, took_s=rounded(step.took_s))
