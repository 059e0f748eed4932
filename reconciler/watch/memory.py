"""What a watch keeps for long, specs and its last look, is not searched for garbage over and over: with thousands
of workloads one search stops everything in the process for up to a second, and finds next to nothing.

Garbage that has to be searched for are circles: connections, tasks, exceptions. A look makes few things that stay
(`core.sharing`): it is enough to set apart what there is after the first one, and now and then what came since."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from reconciler.core.tending import Postponed
from reconciler.model.command import Seconds
from reconciler.model.spec import Spec
from reconciler.watch.observers import Unmoved

YOUNG, OLDER, ALL_AGES = 10_000, 3, 300
"""Objects that are made before the young ones are searched, instead of 700: a look makes hundreds of thousands,
which go by themselves. How many searches of one age there are to one of the next: a search stops everything, that
of 100,000 objects for up to a tenth of a second, so there are many small ones rather than few large ones."""
TURN: Seconds = 0.0002
"""How long a thread that computes keeps others waiting, instead of 5 ms: a page that reads from the journal gives
the interpreter up some hundred times, and would wait for as long as a plan takes."""
AGAIN: Seconds = 3600.0
"""After which what came since is set apart, too."""
ALL: Seconds = 86_400.0
"""After which all is searched: circles that were set apart may have become garbage since. With 5,000 workloads
that takes half a second, once."""


def share_the_interpreter() -> None:
    """For the whole process: before anything is served."""
    gc.set_threshold(YOUNG, OLDER, ALL_AGES)
    sys.setswitchinterval(TURN)


@contextmanager
def set_apart() -> Iterator[None]:
    """What is made in the block stays for long. Nothing is searched while it is made."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if was_enabled:
            gc.enable()


@dataclass
class Keeping(Unmoved):
    """Sets apart what there is after the first look, and every hour."""

    clock: Callable[[], float] = time.monotonic
    _apart_at: Seconds | None = None
    _searched_at: Seconds = 0.0

    def looked(self, spec: Spec, waits: tuple[Postponed, ...], unknown: tuple[str, ...], seconds: Seconds) -> None:
        now = self.clock()
        if self._apart_at is None:  # nearly all of it stays: a search would keep pages waiting, and find nothing
            self._searched_at = now
        elif now - self._apart_at < AGAIN:
            return
        else:
            if now - self._searched_at >= ALL:
                self._searched_at = now
                gc.unfreeze()
            gc.collect()
        self._apart_at = now
        gc.freeze()
