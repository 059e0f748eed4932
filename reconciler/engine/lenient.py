"""Clean-up after an outcome: its failure is told beside the outcome, and never takes its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Warn = Callable[[str], None]
"""Told in a sentence what could not be tidied."""


def unsaid(warning: str) -> None:
    """Nobody wants to know."""


@contextmanager
def lenient(what: str, warn: Warn) -> Iterator[None]:
    """Run clean-up; `what` is true when it fails."""
    try:
        yield
    except Exception as error:
        warn(f"{what} ({str(error) or type(error).__name__})")
