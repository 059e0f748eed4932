"""What a watch keeps beside the journal, for itself and for those who tell it something."""

from __future__ import annotations

from reconciler.model.base import Model

ALL = "all"
"""The target that is everything; others are `workload/NAME` and `host/NAME`."""


class PutBack(Model):
    """A change that failed and was put back. It is not tried again until `wanted`, a digest of what the specs say
    of the workload, is another one, or somebody asks for it. `at` is seconds since the epoch."""

    wanted: str
    at: float
    run: str
    why: str
    commit: str | None = None


class Word(Model):
    """What a person told watches about a target, until it is taken back or `until` is over."""

    reason: str
    by: str
    since: float
    until: float | None = None

    def holds(self, now: float) -> bool:
        return self.until is None or now < self.until


class Notes(Model):
    """All of it. `suspended`: targets that are left alone. `opened`: targets that windows do not keep from being
    changed. `forgiven`: when somebody last asked to try what failed again, by target. `fenced`: hosts that a watch
    has cut off by itself, and when; until they answer again."""

    put_back: dict[str, PutBack] = {}
    suspended: dict[str, Word] = {}
    opened: dict[str, Word] = {}
    forgiven: dict[str, float] = {}
    fenced: dict[str, float] = {}


def without_expired(notes: Notes, now: float) -> Notes:
    """Less what is over."""
    kept = {
        field: {name: told for name, told in getattr(notes, field).items() if told.holds(now)}
        for field in ("suspended", "opened")
    }
    return notes.model_copy(update=kept)
