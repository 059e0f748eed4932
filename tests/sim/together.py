"""Shapes in which several things are done at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.sim.shapes import Builder


def moves_together(b: Builder) -> None:
    """Two at once, between the same hosts."""
    b.hosts("h1", "h2")
    for name in ("a", "b"):
        b.want(name, "h2")
        b.have(name, "h1")


def moves_to_one(b: Builder) -> None:
    b.hosts("h1", "h2", "h3")
    b.want("a", "h2")
    b.want("b", "h2")
    b.have("a", "h1")
    b.have("b", "h3", epoch=1)


def swap(b: Builder) -> None:
    b.hosts("h1", "h2")
    b.want("a", "h2")
    b.want("b", "h1")
    b.have("a", "h1")
    b.have("b", "h2")


def move_and_more(b: Builder) -> None:
    """A move, with an eager restore, beside a removal and a creation on the same hosts."""
    b.strategy = "cold"
    b.hosts("h1", "h2")
    b.want("a", "h2")
    b.have("a", "h1")
    b.have("old", "h2")
    b.wanted["old"] = None
    b.want("fresh", "h1")
