"""The time of a cluster. Leases and time-outs are compared by several controllers, whose own clocks may be minutes
apart: so the one clock that counts is the API server's, which each of its answers tells to the second."""

from __future__ import annotations

import time

from reconciler.model.command import Seconds

SAME: Seconds = 2.0
"""Clocks that differ by less are the same: a `Date` has no parts of seconds."""


class ServerClock:
    """As far as it has been heard of; until then, and where a server tells no time, our own."""

    def __init__(self) -> None:
        self._ahead: Seconds = 0.0

    def heard(self, at: Seconds | None, asked: Seconds) -> None:
        """An answer is here that was given at that time, to what we asked at `asked` by our own clock: it may have
        been long on its way."""
        here = time.time()
        if at is not None:
            self._ahead = 0.0 if asked - SAME <= at <= here + SAME else at - here

    def now(self) -> Seconds:
        return time.time() + self._ahead
