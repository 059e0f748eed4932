"""What a controller needs of the place where runs are kept. `Journal` (SQLite) is one, `MemoryStore` another; all
of them are held to tests/state/test_store.py.

What may wait is awaited: writes and locks (`Awaited`), for the disk, for another process, or for a server. A watch
has other workloads frozen meanwhile, whose sources want to hear that their controller lives. A
store that waits is asked in a thread. A write that has begun is never cut short. Reads
wait for nobody, and are plain calls.

Errors:

- JournalError: nothing was written, or what was asked for cannot be read. To ask again is never wrong: `append`
  with `after` is refused where the first try was kept after all. It helps where another process was writing, or
  after room was made on the disk; a damaged, newer or unknown one stays so.
- Locked: another controller has the workload or the run. Taking locks may be tried again later; a refused `append`
  never: that run belongs to another controller by now.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, TypeVar

from reconciler.core.accuracy import Measured
from reconciler.errors import Locked
from reconciler.model.record import Lock, Mark, Record, Run, RunState
from reconciler.model.result import StepResult

T = TypeVar("T")


class Claims(Protocol):
    """Locks between controllers: one owner a name; what a dead owner held is taken over within 60 s."""

    def take(self, names: Iterable[str], owner: str, now: float) -> tuple[Lock, ...]:
        """All of the names or none. Locked tells who holds one of them and since when. Taking what one holds
        already is fine."""

    def beat(self, owner: str, now: float) -> int:
        """The owner lives; returns how many locks it still holds."""

    def release(self, names: Iterable[str], owner: str) -> None:
        """Give back what is held; what is somebody else's by now stays. Idempotent."""

    def all(self) -> tuple[Lock, ...]:
        """Every lock by name, also those of dead owners."""


class Writer(Protocol):
    """Where records become durable before effects, and the end of a run after them: what carries out a plan. One
    write at a time; the next one knows of the last."""

    async def append(
        self,
        run_id: str,
        step: str,
        mark: Mark,
        at: float,
        note: str = "",
        result: StepResult | None = None,
        *,
        after: int | None = None,
    ) -> Record:
        """Add a record; it is durable when this returns. `after`: number of the last record the writer knows
        (0: none); Locked when there are later ones or the run has ended, so that a controller which was replaced
        while it stood still does nothing more."""

    async def end(self, run_id: str, state: RunState, at: float) -> None:
        """Write down how a run stands, and what its moves took; a run in doubt may be ended again later."""

    async def begin(self, run: Run) -> None:
        """Write down a run that another one leads to. JournalError when it is known already."""

    def known(self, run_id: str) -> Run | None:
        """One run with its records; None where there is none of that name."""


class Store(Protocol):
    """Runs, their records, and who works on what. What it writes is as a `Writer`'s."""

    @property
    def waits(self) -> bool:
        """Whether a write may take time. Then it may be asked in another thread, one write after the other."""

    def append(
        self,
        run_id: str,
        step: str,
        mark: Mark,
        at: float,
        note: str = "",
        result: StepResult | None = None,
        *,
        after: int | None = None,
    ) -> Record: ...

    def end(self, run_id: str, state: RunState, at: float) -> None: ...

    @property
    def locks(self) -> Claims: ...

    def begin(self, run: Run) -> None:
        """Write down a run and its plan, before its first step; its records are not. JournalError when it is known
        already."""

    def run(self, run_id: str) -> Run:
        """One run with its records."""

    def knows(self, run_id: str) -> bool:
        """Whether a run is in here, whatever became of it."""

    def open_runs(self) -> list[Run]:
        """Runs that are not finished, oldest first: open (perhaps their controller died) or in doubt."""

    def runs(self, workload: str | None = None, limit: int = 50) -> list[Run]:
        """The latest runs, newest first; of one workload, or of all."""

    def measured(self) -> list[Measured]:
        """The latest moves between each two hosts, newest first: what predictions are learned from."""

    def locked(self, names: str | Iterable[str], owner: str) -> AbstractContextManager[None]:
        """Hold locks and keep them alive; Locked when another controller has one of them."""

    def close(self) -> None:
        """Let go of it; every record is durable already."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


async def aside(call: Callable[[], T]) -> T:
    """Call it in a thread; who is cancelled meanwhile goes when it has ended."""
    work = asyncio.ensure_future(asyncio.to_thread(call))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise


@dataclass(frozen=True)
class Awaited:
    """The writer of a store, and all else of it that may wait."""

    store: Store

    async def begin(self, run: Run) -> None:
        await self._ask(lambda: self.store.begin(run))

    def known(self, run_id: str) -> Run | None:
        return self.store.run(run_id) if self.store.knows(run_id) else None

    async def append(
        self,
        run_id: str,
        step: str,
        mark: Mark,
        at: float,
        note: str = "",
        result: StepResult | None = None,
        *,
        after: int | None = None,
    ) -> Record:
        return await self._ask(lambda: self.store.append(run_id, step, mark, at, note, result, after=after))

    async def end(self, run_id: str, state: RunState, at: float) -> None:
        await self._ask(lambda: self.store.end(run_id, state, at))

    @asynccontextmanager
    async def locked(self, names: str | Iterable[str], owner: str) -> AsyncIterator[None]:
        locks, taken = self.store.locked(names, owner), False

        def take() -> None:
            nonlocal taken
            locks.__enter__()
            taken = True

        try:
            await self._ask(take)
            yield
        finally:
            if taken:
                await self._ask(lambda: locks.__exit__(None, None, None))

    async def _ask(self, call: Callable[[], T]) -> T:
        return await aside(call) if self.store.waits else call()


UNFINISHED = (RunState.OPEN, RunState.IN_DOUBT)


def workloads_of(run: Run) -> set[str]:
    """The workloads under whose names a run is found."""
    return {step.workload for step in run.plan.steps} | {change.workload for change in run.plan.changes}


def replaced(run_id: str) -> Locked:
    """Why a record was refused."""
    return Locked(
        "another controller has taken over this run", where=run_id, fix="see how it stands: reconcile status"
    )
