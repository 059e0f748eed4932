"""When a watch may change workloads, said in git: windows, and what is suspended."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from reconciler.model.base import Duration, Model, Name
from reconciler.model.fields import Labels, OneLine


class Window(Model):
    """A time that comes again: it begins when `cron` says (in `timeZone`) and lasts for `duration`."""

    kind: Literal["allow", "deny"]
    cron: OneLine = Field(description="Five fields: minute, hour, day of the month, month, day of the week")
    time_zone: OneLine = Field("UTC", description="As in the IANA time zone database, such as Europe/Berlin")
    duration: Duration


class SyncPolicySpec(Model):
    """Which workloads this is about: those with all of these labels, on or to one of these hosts; all where
    neither is said. Outside every `allow` window (where there are any), and inside any `deny` window, a watch
    leaves them as they are; so it does while they are suspended. `apply` does not ask."""

    labels: Labels | None = None
    hosts: Annotated[list[Name], Field(min_length=1)] | None = None
    suspend: OneLine | None = Field(None, description="Suspended for as long as this is here, and why")
    windows: Annotated[list[Window], Field(max_length=50)] = []

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.suspend is None and not self.windows:
            raise ValueError("give `suspend`, `windows` or both")
        return self
