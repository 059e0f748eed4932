"""Abilities that are for people: to look at an instance, and at a copy of a checkpoint beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from reconciler.model.spec import Workload


@dataclass(frozen=True)
class LogWish:
    """Which part of a log: the last `tail` lines, what came `since` a time or for a duration, what will come."""

    tail: int | None = None
    since: str = ""
    follow: bool = False
    timestamps: bool = False


@runtime_checkable
class Attends(Protocol):
    """Lets a person look at an instance: argument lists for its host, whose streams are the person's."""

    def logs(self, workload: str, wish: LogWish) -> tuple[str, ...]:
        """Print what it has printed."""
        ...

    def enter(
        self, workload: str, words: Sequence[str], *, stdin: bool, terminal: bool, user: str
    ) -> tuple[str, ...]:
        """Run a command beside its processes, in all their namespaces; ends with that command's status."""
        ...


@runtime_checkable
class Secludes(Protocol):
    """Restores into a place of its own, without a network: what a copy beside its workload needs."""

    def secluded(self, workload: Workload, name: str) -> Workload:
        """What a copy of it under that name is made from: nothing by which anybody knows the workload, no network,
        volumes of its own, and nothing of the host to write to. Refused where that cannot be. Asks no host."""
        ...
