"""What a watch keeps beside the journal, for itself and for those who tell it something."""

from __future__ import annotations

from reconciler.model.base import Model


class PutBack(Model):
    """A change that failed and was put back. It is not tried again until `wanted`, a digest of what the specs say
    of the workload, is another one, or somebody asks for it. `at` is seconds since the epoch."""

    wanted: str
    at: float
    run: str
    why: str
    commit: str | None = None


class Notes(Model):
    """All of it, by workload."""

    put_back: dict[str, PutBack] = {}
