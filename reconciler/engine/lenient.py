"""Clean-up after an outcome: its failure is told beside the outcome, and never takes its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from reconciler.model.event import Untidied

Warn = Callable[[Untidied], None]
"""Told what could not be tidied."""


def unsaid(warning: Untidied) -> None:
    """Nobody wants to know."""


@contextmanager
def lenient(code: str, what: str, warn: Warn, host: str = "") -> Iterator[None]:
    """Run clean-up; `what` is true when it fails, and `code` has a page."""
    try:
        yield
    except Exception as error:
        warn(Untidied(code, f"{what} ({str(error) or type(error).__name__})", host))
