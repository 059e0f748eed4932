"""What the journal holds: intents before effects, outcomes after them."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from reconciler.model.base import Model
from reconciler.model.plan import Plan


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
    """One line of a run's journal. `at` is seconds since the epoch; `data` what later steps need."""

    seq: int
    step: str
    mark: Mark
    at: float
    note: str = ""
    data: dict[str, str] = {}


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


class Lock(Model):
    """A lock on a workload. Times in seconds since the epoch."""

    name: str
    owner: str = Field(description="who@where/pid")
    since: float
    heartbeat: float
