"""How checkpoints were restored for trial, in documents."""

from __future__ import annotations

from pydantic import Field

from reconciler.cli.views.output.base import Part, known, moment, rounded
from reconciler.core.rehearsing import Practice
from reconciler.model.checkpoint import KeptRehearsal


class RehearsedCheckpoint(Part):
    """How a checkpoint was restored for trial the last time."""

    at: str | None
    host: str | None = Field(description="null where its files were damaged, so that it was not restored")
    ok: bool
    why: str = Field(description="What was wrong; empty when all was well")


class RehearsalPoint(Part):
    """How long ago a checkpoint of a workload was restored for trial."""

    age_s: float | None = Field(description="Since the last that came up; null without one")
    oldest_s: float = Field(description="What the policy promises")
    late: bool = Field(description="It is longer ago than promised")
    why: str = Field(description="Why the last one did not come up; empty when it did")


def rehearsed_part(done: KeptRehearsal | None) -> RehearsedCheckpoint | None:
    if done is None:
        return None
    return RehearsedCheckpoint(at=moment(done.at), host=done.host or None, ok=done.ok, why=done.why)


def practice_part(one: Practice | None) -> RehearsalPoint | None:
    if one is None:
        return None
    return RehearsalPoint(age_s=rounded(one.age_s), oldest_s=known(one.oldest_s), late=one.late, why=one.why)
