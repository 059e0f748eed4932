"""What a controller needs of the place where runs are kept. `Journal` (SQLite) is one, `MemoryStore` another; all
of them are held to tests/state/test_store.py.

A store's calls are synchronous: before and after a run nothing else goes on. What is written while workloads move
is awaited (`Writer`), so that one that has to be asked over a network keeps neither other steps nor the beats of
a frozen source waiting; `Awaited` makes a writer of a store. Nobody cancels a write: the loop cuts only effects
short.

Errors:

- JournalError: nothing was written, or what was asked for cannot be read. To ask again is never wrong: `append`
  with `after` is refused where the first try was kept after all. It helps where another process was writing, or
  after room was made on the disk; a damaged, newer or unknown one stays so.
- Locked: another controller has the workload or the run. Taking locks may be tried again later; a refused `append`
  never: that run belongs to another controller by now.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from reconciler.core.accuracy import Measured
from reconciler.errors import Locked
from reconciler.model.record import Lock, Mark, Record, Run, RunState
from reconciler.model.result import StepResult


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


class Store(Protocol):
    """Runs, their records, and who works on what. `append` and `end` are as a `Writer`'s."""

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


@dataclass(frozen=True)
class Awaited:
    """The writer of a store that answers at once."""

    store: Store

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
        return self.store.append(run_id, step, mark, at, note, result, after=after)

    async def end(self, run_id: str, state: RunState, at: float) -> None:
        self.store.end(run_id, state, at)


UNFINISHED = (RunState.OPEN, RunState.IN_DOUBT)


def workloads_of(run: Run) -> set[str]:
    """The workloads under whose names a run is found."""
    return {step.workload for step in run.plan.steps} | {change.workload for change in run.plan.changes}


def replaced(run_id: str) -> Locked:
    """Why a record was refused."""
    return Locked(
        "another controller has taken over this run", where=run_id, fix="see how it stands: reconcile status"
    )
