"""Checkpoints as policy: how often, where to, how long they are kept."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, Strict, model_validator

from reconciler.model.base import Duration, Model, Name, parse_duration

DEFAULT_FOLDER = "/var/lib/reconciler/checkpoints"
"""Where a host keeps checkpoints unless told otherwise."""
FOLDER = r"^(/[A-Za-z0-9_][A-Za-z0-9._-]*){1,20}$"
Count = Annotated[int, Strict(), Field(ge=0, le=100_000)]


class Retention(Model):
    """How many checkpoints of a workload are kept: the newest ones, and the newest one of each of the last so
    many hours, days, weeks (from Monday), months and years that have one, by UTC. What is pinned is kept beside
    these."""

    last: Annotated[int, Strict(), Field(ge=1, le=100_000)] = 3
    hourly: Count = 0
    daily: Count = 0
    weekly: Count = 0
    monthly: Count = 0
    yearly: Count = 0


class CheckpointPolicySpec(Model):
    """When checkpoints of workloads that name it are taken, where they go, and which are kept."""

    every: Duration = Field("1h", description="A checkpoint is due when the newest one is older")
    store: Name | None = Field(None, description="The CheckpointStore; without one on the workload's own host")
    freeze_limit: Duration = Field("1m", description="The longest a workload may be frozen for it")
    recovery_point: Duration | None = Field(
        None,
        description="How old the newest checkpoint may become before that is an error; twice `every` if unset",
    )
    keep: Retention | None = Field(None, description="Others are removed when one was taken; without it none is")

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.recovery_point and parse_duration(self.recovery_point) < parse_duration(self.every):
            raise ValueError(f"`recoveryPoint` {self.recovery_point} is shorter than `every` {self.every}")
        return self

    @property
    def oldest(self) -> float:
        """Seconds."""
        return parse_duration(self.recovery_point) if self.recovery_point else 2 * parse_duration(self.every)


class DirectoryStore(Model):
    """A folder on a host of the specs."""

    host: Name
    folder: Annotated[str, Field(pattern=FOLDER)] = DEFAULT_FOLDER


class CheckpointStoreSpec(Model):
    """Where checkpoints are kept."""

    directory: DirectoryStore


class CheckpointRefs(Model):
    """How this workload is saved."""

    policy: Name
