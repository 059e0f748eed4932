"""Who looks on while a watch works: metrics, webhooks, a command. None of them has a say in what happens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from reconciler.commands.app import Applied
from reconciler.core.points import Point
from reconciler.core.tending import Postponed
from reconciler.model.command import Seconds
from reconciler.model.event import Event
from reconciler.model.spec import Spec
from reconciler.watch.told import Told


class Onlooker(Protocol):
    def told(self, told: Told) -> None:
        """Something happened."""

    def stepped(self, event: Event) -> None:
        """A step began, went on or ended."""

    def applied(self, applied: Applied) -> None:
        """A run has ended, or was taken up again and has."""

    def looked(self, spec: Spec, waits: tuple[Postponed, ...], unknown: tuple[str, ...], seconds: Seconds) -> None:
        """A pass was made: what is not as the specs want it, and which hosts were not seen."""

    def drifted(self, number: int) -> None:
        """So many workloads were not as the specs want them in that pass: those that wait, and those whose change
        is under way or begins."""

    def points(self, points: Mapping[str, Point]) -> None:
        """How old what would be left of each workload is that is saved by policy."""


class Unmoved:
    """One that does nothing; others override what they need."""

    def told(self, told: Told) -> None:
        return None

    def stepped(self, event: Event) -> None:
        return None

    def applied(self, applied: Applied) -> None:
        return None

    def looked(self, spec: Spec, waits: tuple[Postponed, ...], unknown: tuple[str, ...], seconds: Seconds) -> None:
        return None

    def drifted(self, number: int) -> None:
        return None

    def points(self, points: Mapping[str, Point]) -> None:
        return None
