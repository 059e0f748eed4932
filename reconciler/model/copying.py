"""Copies of checkpoints beside what they were taken of: what a copy is called on hosts, and what it tells of
itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.model.base import NAME_PATTERN, digest

ENDING = "--copy"
"""Ends the names of copies on hosts, so that whoever looks there tells one by its name; workloads' names end
otherwise."""
LABEL_COPY = "io.reconciler.copy"
"""On copies: the checkpoint, as WORKLOAD@ID."""
LABEL_UNTIL = "io.reconciler.until"
"""On copies: until when each is kept, in seconds since the epoch."""

ROOM = 2
"""How often the memory of a copy is there while it is restored: as images, and as its processes'."""

LONGEST = 58
"""Of such a name: its volumes are called after it, with a number."""

_NAME = re.compile(NAME_PATTERN)
_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)


def is_copy(name: str) -> bool:
    return name.endswith(ENDING)


def copy_name(name: str) -> str:
    """As hosts know a copy that people call so, with the ending or without it."""
    return name if is_copy(name) else f"{name}{ENDING}"


def can_be_called(name: str) -> bool:
    """Whether hosts can have a copy of that name."""
    return len(copy_name(name)) <= LONGEST and _NAME.fullmatch(name) is not None


def before_name(workload: str) -> str:
    """What people call the copy of the old version that a side-by-side update leaves beside the new one."""
    name = f"{workload}-before"
    return name if can_be_called(name) else f"{workload[:24].rstrip('-.')}-{digest(workload)[:8]}-before"


@dataclass(frozen=True)
class CopyLabels:
    """What a copy tells of itself. `of`: the checkpoint, as WORKLOAD@ID; `until`: in seconds since the epoch."""

    of: str
    until: float

    @property
    def labels(self) -> dict[str, str]:
        return {LABEL_COPY: self.of, LABEL_UNTIL: f"{self.until:.0f}"}

    @classmethod
    def read(cls, labels: Mapping[str, str]) -> CopyLabels:
        """What labels say; of none, that it has expired."""
        until = labels.get(LABEL_UNTIL, "")
        return cls(labels.get(LABEL_COPY, ""), float(until) if _SECONDS.fullmatch(until) else 0.0)
