"""A store that ends with its process: for simulations, which ask it a million times."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from reconciler.core.accuracy import RECENT, Measured, measured_moves
from reconciler.errors import JournalError
from reconciler.model.record import Lock, Mark, Record, Run, RunState
from reconciler.model.result import StepResult
from reconciler.state.locks import claimed
from reconciler.state.store import UNFINISHED, replaced, workloads_of


@dataclass
class MemoryLocks:
    """The locks of a MemoryStore."""

    _held: dict[str, Lock] = field(default_factory=dict)

    def take(self, names: Iterable[str], owner: str, now: float) -> tuple[Lock, ...]:
        wanted = sorted(set(names))
        taken = {name: claimed(self._held.get(name), name, owner, now) for name in wanted}
        self._held |= taken
        return tuple(taken.values())

    def beat(self, owner: str, now: float) -> int:
        mine = [lock for lock in self._held.values() if lock.owner == owner]
        self._held |= {lock.name: lock.model_copy(update={"heartbeat": now}) for lock in mine}
        return len(mine)

    def release(self, names: Iterable[str], owner: str) -> None:
        for name in names:
            if name in self._held and self._held[name].owner == owner:
                del self._held[name]

    def all(self) -> tuple[Lock, ...]:
        return tuple(self._held[name] for name in sorted(self._held))


class MemoryStore:
    """Runs in a dictionary. See `Store`."""

    waits = False

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}
        self._records: dict[str, list[Record]] = {}
        self.locks = MemoryLocks()

    def begin(self, run: Run) -> None:
        if run.id in self._runs:
            raise JournalError(f"run {run.id} is there already", where="memory")
        self._runs[run.id], self._records[run.id] = run.model_copy(update={"records": ()}), []

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
    ) -> Record:
        records, run = self._records.get(run_id), self._runs.get(run_id)
        if records is None or run is None:
            raise self._unknown(run_id)
        if after is not None and (len(records) != after or run.state not in UNFINISHED):
            raise replaced(run_id)
        record = Record(seq=len(records) + 1, step=step, mark=mark, at=at, note=note, result=result)
        records.append(record)
        return record

    def end(self, run_id: str, state: RunState, at: float) -> None:
        run = self._runs.get(run_id)
        if run is None:
            raise self._unknown(run_id)
        self._runs[run_id] = run.model_copy(update={"state": state, "ended_at": at})

    def run(self, run_id: str) -> Run:
        run = self._runs.get(run_id)
        if run is None:
            raise self._unknown(run_id)
        return run.model_copy(update={"records": tuple(self._records[run_id])})

    def knows(self, run_id: str) -> bool:
        return run_id in self._runs

    def open_runs(self) -> list[Run]:
        return [self.run(run.id) for run in reversed(self._newest()) if run.state in UNFINISHED]

    def runs(self, workload: str | None = None, limit: int = 50) -> list[Run]:
        found = [run for run in self._newest() if workload is None or workload in workloads_of(run)]
        return [self.run(run.id) for run in found[:limit]]

    def measured(self) -> list[Measured]:
        seen: Counter[tuple[str, str]] = Counter()
        found = []
        for move in measured_moves(self.run(run.id) for run in self._newest() if run.ended_at is not None):
            seen[move.source, move.destination] += 1
            if seen[move.source, move.destination] <= RECENT:
                found.append(move)
        return found

    @contextmanager
    def locked(self, names: str | Iterable[str], owner: str) -> Iterator[None]:
        wanted = (names,) if isinstance(names, str) else tuple(names)
        self.locks.take(wanted, owner, time.time())
        try:
            yield
        finally:
            self.locks.release(wanted, owner)

    def close(self) -> None:
        """Nothing to let go of."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _newest(self) -> list[Run]:
        return sorted(self._runs.values(), key=lambda run: (run.started_at, run.id), reverse=True)

    def _unknown(self, run_id: str) -> JournalError:
        return JournalError(f"there is no run {run_id}", where="memory", fix="see `reconcile history`")
