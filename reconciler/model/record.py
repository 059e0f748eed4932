"""What the journal holds: intents before effects, outcomes after them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from typing import Any, Self

from pydantic import Field, SerializeAsAny

from reconciler.model.base import Model
from reconciler.model.plan import Plan
from reconciler.model.result import StepResult


class Mark(StrEnum):
    """What a record says of a step."""

    INTENT = "intent"
    DONE = "done"
    FAILED = "failed"
    LOST = "lost"  # the reply was lost: it may have taken effect
    UNDO = "undo"
    UNDONE = "undone"
    UNDO_FAILED = "undo-failed"


class Record(Model):
    """One line of a run's journal. `at` is seconds since the epoch."""

    seq: int
    step: str
    mark: Mark
    at: float
    note: str = ""
    result: SerializeAsAny[StepResult] | None = Field(None, description="What the step, or its undo, left")


class RunState(StrEnum):
    OPEN = "open"
    DONE = "done"
    FAILED = "failed"  # failed and put back
    IN_DOUBT = "in-doubt"


class Run(Model):
    """One apply, from plan to end."""

    id: str
    plan: Plan
    started_at: float
    actor: str
    commit: str | None = None
    state: RunState = RunState.OPEN
    ended_at: float | None = None
    records: tuple[Record, ...] = ()

    def records_of(self, workload: str) -> Sequence[Record]:
        """Those of one workload's steps, in order."""
        return self._by_workload.get(workload, ())

    @cached_property
    def _by_workload(self) -> Mapping[str, Sequence[Record]]:
        owners = {step.id: step.workload for step in self.plan.steps}
        found: dict[str, list[Record]] = {}
        for record in self.records:
            if record.step in owners:
                found.setdefault(owners[record.step], []).append(record)
        return found

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        copy = super().model_copy(update=update, deep=deep)
        copy.__dict__.pop("_by_workload", None)  # pydantic copies it with the fields, also of other records
        return copy


class Lock(Model):
    """A lock on a workload. Times in seconds since the epoch."""

    name: str
    owner: str = Field(description="who@where/pid")
    since: float
    heartbeat: float
