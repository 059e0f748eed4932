"""Checkpoints as policy: how often, where to, how long they are kept."""

from __future__ import annotations

from typing import Annotated, Literal, Protocol, Self

from pydantic import Field, Strict, model_validator

from reconciler.model.base import Duration, Model, Name, parse_duration
from reconciler.model.fields import OneLine
from reconciler.model.restic import ResticStore

DEFAULT_FOLDER = "/var/lib/reconciler/checkpoints"
"""Where a host keeps checkpoints unless told otherwise."""
FOLDER = r"^(/[A-Za-z0-9_][A-Za-z0-9._-]*){1,20}$"
Count = Annotated[int, Strict(), Field(ge=0, le=100_000)]


Occasion = Literal["update", "move", "drain"]
"""What plans do to a workload, before which it is saved."""


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


class CheckpointTime(Model):
    """A time that comes again. `jitter`: each workload has its own, up to so much later."""

    cron: OneLine = Field(description="Five fields: minute, hour, day of the month, month, day of the week")
    time_zone: OneLine = Field("UTC", description="As in the IANA time zone database, such as Europe/Berlin")
    jitter: Duration | None = None


class Recurring(Protocol):
    """What comes again: after `interval` seconds, where that is said, and `at` times. `oldest`: how long ago, in
    seconds, the last one may be."""

    @property
    def at(self) -> list[CheckpointTime]: ...

    @property
    def interval(self) -> float | None: ...

    @property
    def oldest(self) -> float: ...


class RehearsalSpec(Model):
    """When the newest checkpoint of a workload is restored for trial: as a copy of another name, without network,
    which is asked for its health and removed again."""

    on: Name | None = Field(None, description="The host; without one where the workload's own spec places it")
    every: Duration | None = Field(
        None,
        description="One is due when the last one is longer ago; 7d without this and without `at`",
    )
    at: Annotated[list[CheckpointTime], Field(max_length=20)] = Field(
        [], description="Times at which one is due; one that was missed is made up for"
    )
    within: Duration | None = Field(
        None,
        description="How long ago the last good one may be before that is an error; twice `every` if unset",
    )

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        _keepable("within", self.within, self.every or "7d", self.interval, "how long ago the last one may be")
        return self

    @property
    def interval(self) -> float | None:
        """Seconds; None where only times are said."""
        return _interval(self.every, self.at, "7d")

    @property
    def oldest(self) -> float:
        """Seconds."""
        return _oldest(self.within, self.interval)


def _interval(every: str | None, at: list[CheckpointTime], unless_said: str) -> float | None:
    return None if every is None and at else parse_duration(every or unless_said)


def _oldest(promised: str | None, interval: float | None) -> float:
    return parse_duration(promised) if promised else 2 * (interval or 0.0)


def _keepable(field: str, promised: str | None, every: str, interval: float | None, says: str) -> None:
    """ValueError for a promise that cannot be kept, or where there is none and nothing to make one of."""
    if promised and interval and parse_duration(promised) < interval:
        raise ValueError(f"`{field}` {promised} is shorter than `every` {every}")
    if interval is None and promised is None:
        raise ValueError(f"give `{field}` with `at`: nothing else says {says}")


class CheckpointPolicySpec(Model):
    """When checkpoints of workloads that name it are taken, where they go, which are kept, and when one is
    rehearsed."""

    every: Duration | None = Field(
        None,
        description="A checkpoint is due when the newest one is older; 1h without this and without `at`",
    )
    at: Annotated[list[CheckpointTime], Field(max_length=20)] = Field(
        [], description="Times at which one is due; one that was missed is made up for"
    )
    before: Annotated[list[Occasion], Field(max_length=3)] = Field(
        [],
        description="Also right before it is made anew (`update`), before any move (`move`), or only before one "
        "off a host that takes nothing new (`drain`)",
    )
    store: Name | None = Field(None, description="The CheckpointStore; without one on the workload's own host")
    freeze_limit: Duration = Field("1m", description="The longest a workload may be frozen for it")
    recovery_point: Duration | None = Field(
        None,
        description="How old the newest checkpoint may become before that is an error; twice `every` if unset",
    )
    keep: Retention | None = Field(None, description="Others are removed when one was taken; without it none is")
    rehearse: RehearsalSpec | None = Field(None, description="Without it none is restored for trial by itself")

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        says = "how old a checkpoint may become"
        _keepable("recoveryPoint", self.recovery_point, self.every or "1h", self.interval, says)
        return self

    @property
    def interval(self) -> float | None:
        """Seconds; None where only times are said."""
        return _interval(self.every, self.at, "1h")

    @property
    def oldest(self) -> float:
        """Seconds."""
        return _oldest(self.recovery_point, self.interval)


class DirectoryStore(Model):
    """A folder on a host of the specs."""

    host: Name
    folder: Annotated[str, Field(pattern=FOLDER)] = DEFAULT_FOLDER


class CheckpointStoreSpec(Model):
    """Where checkpoints are kept."""

    directory: DirectoryStore | None = None
    restic: ResticStore | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.directory is None) == (self.restic is None):
            raise ValueError("give exactly one of `directory` and `restic`")
        return self

    @property
    def host(self) -> str:
        """The one that works on it."""
        return self.directory.host if self.directory else self.restic.on if self.restic else ""


class CheckpointRefs(Model):
    """How this workload is saved."""

    policy: Name
