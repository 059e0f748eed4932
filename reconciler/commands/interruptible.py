"""A command that carries out a plan: what ends it early, and the run that it writes down."""

from __future__ import annotations

import asyncio
import secrets as randomness
import time
from contextlib import suppress
from dataclasses import dataclass, field

from reconciler.engine.execute import Executor, Outcome
from reconciler.errors import JournalError, Locked
from reconciler.model.plan import Plan
from reconciler.model.record import Run, RunState
from reconciler.state.identity import owner
from reconciler.state.store import Awaited, Store


def new_run_id() -> str:
    """Sortable by time and unique: `20261123-140501-3fa9`."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{randomness.token_hex(2)}"


def last_id(now: float) -> str:
    """No ID of a run that began until then sorts after it."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}~"


@dataclass
class Interruptible:
    """What a command knows of its executor. `_lost`: why it must not go on, when another controller has taken a
    lease of it."""

    _executor: Executor | None = field(default=None, init=False)
    _lost: Locked | None = field(default=None, init=False)

    def cancel(self) -> None:
        """Ctrl-C or SIGTERM: stop as soon as that is safe. What is under way goes back before the commit, and on
        after it; where nothing is, at once."""
        if self._executor is None:
            raise asyncio.CancelledError
        self._executor.cancel()

    def lose(self, error: Locked) -> None:
        """Another controller has the lease of a host by now: go on as after Ctrl-C, and say so at the end."""
        self._lost = self._lost or error
        if self._executor:
            self._executor.cancel()

    async def begin(self, plan: Plan, journal: Store) -> str:
        """Write down a new run of the plan; its id. Locked when a lease was lost before. Who is stopped meanwhile
        leaves none that waits for a resume."""
        if self._lost:
            raise self._lost
        run = new_run_id()
        new = Run(id=run, plan=plan, started_at=time.time(), actor=owner(), commit=plan.commit)
        writer = Awaited(journal)
        try:
            await writer.begin(new)
        except asyncio.CancelledError:
            with suppress(JournalError):
                await writer.end(run, RunState.FAILED, time.time())
            raise
        return run

    def say_lost(self, outcome: Outcome) -> None:
        """Locked, with how the workloads stand, when a lease was lost meanwhile."""
        if self._lost:
            stands = "; ".join(f"{name} is {state}" for name, state in outcome.groups.items())
            self._lost.why = f"{self._lost.why}; {stands}"
            raise self._lost
