"""The journal: every intent before its effect, every outcome after it. Append-only and durable on return.

It never holds secrets: plans have references only, and records hold what steps pass on purpose. What its calls
promise, and which errors may be retried, is said in `reconciler.state.store`.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import ValidationError

from reconciler.core.accuracy import RECENT, Measured, measured_moves
from reconciler.errors import JournalError
from reconciler.model.plan import Plan
from reconciler.model.record import Mark, Record, Run, RunState
from reconciler.model.result import EMPTY, StepResult, decode, encode
from reconciler.model.spec import Strategy
from reconciler.resources import state_folder
from reconciler.state.formats import TYPED_SINCE, upgraded
from reconciler.state.locks import Locks, beating
from reconciler.state.schema import connect, connect_memory, keep_it, transaction, translated
from reconciler.state.store import UNFINISHED, replaced, workloads_of

MEMORY = ":memory:"
log = logging.getLogger("reconciler.state")
MEASURED_SINCE = 2
"""The format that has a table of what moves took."""
LATEST_MOVES = """
    SELECT run, workload, source, destination, strategy, memory, copied, hold_s, copy_s, restore_s, frozen_s,
        predicted_s, most_s
    FROM (
        SELECT measured_moves.*, runs.started_at, row_number() OVER (
            PARTITION BY source, destination ORDER BY runs.started_at DESC, runs.id DESC
        ) AS place FROM measured_moves JOIN runs ON runs.id = measured_moves.run
    )
    WHERE place <= ? ORDER BY started_at DESC, run DESC, workload
"""
MEASURED = """
    REPLACE INTO measured_moves (run, workload, source, destination, strategy, memory, copied, hold_s, copy_s,
        restore_s, frozen_s, predicted_s, most_s)
    VALUES (:run, :workload, :source, :destination, :strategy, :memory, :copied, :hold_s, :copy_s, :restore_s,
        :frozen_s, :predicted_s, :most_s)
"""


def default_path() -> Path:
    """RECONCILE_JOURNAL, else in XDG_STATE_HOME, else in the home folder."""
    if chosen := os.environ.get("RECONCILE_JOURNAL"):
        return Path(chosen)
    return state_folder() / "journal.db"


class Journal:
    """An open journal. Every method raises JournalError when the file cannot be used."""

    def __init__(self, connection: sqlite3.Connection, path: Path | None) -> None:
        self._connection = connection
        self.path = path
        self._where = str(path or MEMORY)
        self._turn = threading.Lock()
        self.locks = Locks(connection, self._where, self._turn)

    @classmethod
    def open(cls, path: Path | str | None = None, *, write: bool = True) -> Self:
        """Open or make the journal at `path` (None: `default_path()`; `:memory:`: kept nowhere). Fails before any
        effect when it is damaged, too new, read-only or its disk full. `write=False` only reads; there a missing
        file is an empty journal."""
        if path == MEMORY:
            return cls(connect_memory(), None)
        file = Path(path) if path is not None else default_path()
        if not write and not file.exists():
            return cls(connect_memory(), None)
        journal = cls(connect(file, write=write), file)
        if write:
            journal._measure_old()
        return journal

    @property
    def waits(self) -> bool:
        """For the disk, and for other processes that write; not where it is kept nowhere."""
        return self.path is not None

    def begin(self, run: Run) -> None:
        """Write down a run and its plan, before its first step."""
        plan = run.plan.model_dump_json(by_alias=True)
        row = (run.id, plan, run.started_at, run.actor, run.commit, run.state.value, run.ended_at)
        with self._turn, translated(self._where), transaction(self._connection):
            self._connection.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            pairs = [(name, run.id) for name in sorted(workloads_of(run))]
            self._connection.executemany("INSERT INTO run_workloads VALUES (?, ?)", pairs)

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
        """Add a record; it is on disk when this returns. `after`: number of the last record the writer knows
        (0: none); Locked when there are later ones or the run has ended, so that a controller which was replaced
        while it stood still does nothing more."""
        with self._turn, translated(self._where), transaction(self._connection):
            last = self._connection.execute("SELECT max(seq) FROM records WHERE run = ?", (run_id,)).fetchone()[0]
            if after is not None and ((last or 0) != after or self._has_ended(run_id)):
                raise replaced(run_id)
            seq = (last or 0) + 1
            row = (run_id, seq, step, mark.value, at, note, encode(result))
            self._connection.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        log.debug("record %d: %s %s", seq, mark, note, extra={"run": run_id, "step": step})
        return Record(seq=seq, step=step, mark=mark, at=at, note=note, result=result)

    def end(self, run_id: str, state: RunState, at: float) -> None:
        """Write down how a run stands, and what its moves took; a run in doubt may be ended again later."""
        with self._turn, translated(self._where), transaction(self._connection):
            done = self._connection.execute(
                "UPDATE runs SET state = ?, ended_at = ? WHERE id = ?", (state.value, at, run_id)
            )
            if done.rowcount != 1:
                raise self._unknown(run_id)
            self._measure(run_id)

    def run(self, run_id: str) -> Run:
        """One run with its records."""
        with translated(self._where):
            row = self._connection.execute("SELECT * FROM runs WHERE id = ?", (run_id,)).fetchone()
            if row is None:
                raise self._unknown(run_id)
            return self._run(row)

    def knows(self, run_id: str) -> bool:
        """Whether a run is in here, whatever became of it."""
        with translated(self._where):
            query = "SELECT 1 FROM runs WHERE id = ?"
            return self._connection.execute(query, (run_id,)).fetchone() is not None

    def open_runs(self) -> list[Run]:
        """Runs that are not finished, oldest first: open (perhaps their controller died) or in doubt."""
        query = "SELECT * FROM runs WHERE state IN (?, ?) ORDER BY started_at, id"
        return self._runs(query, tuple(state.value for state in UNFINISHED))

    def runs(self, workload: str | None = None, limit: int = 50) -> list[Run]:
        """The latest runs, newest first; of one workload, or of all."""
        if workload is None:
            return self._runs("SELECT * FROM runs ORDER BY started_at DESC, id DESC LIMIT ?", (limit,))
        query = "SELECT * FROM runs WHERE id IN (SELECT run FROM run_workloads WHERE workload = ?)"
        return self._runs(f"{query} ORDER BY started_at DESC, id DESC LIMIT ?", (workload, limit))

    def measured(self) -> list[Measured]:
        """The latest moves between each two hosts, newest first: what predictions are learned from."""
        with translated(self._where):
            if self._format() < MEASURED_SINCE:
                return self._measured_by_hand()  # an older release's, and this one may only read
            rows = self._connection.execute(LATEST_MOVES, (RECENT,)).fetchall()
        return [
            Measured(run, workload, source, destination, Strategy(strategy), *took)
            for run, workload, source, destination, strategy, *took in rows
        ]

    @contextmanager
    def locked(self, names: str | Iterable[str], owner: str) -> Iterator[None]:
        """Hold locks and keep them alive; Locked when another controller has one of them."""
        wanted = (names,) if isinstance(names, str) else tuple(names)
        self.locks.take(wanted, owner, time.time())
        try:
            with beating(self.path, owner):
                yield
        finally:
            # On a full disk that fails too; this process is about to end, and a dead owner's locks are taken over.
            with suppress(JournalError):
                self.locks.release(wanted, owner)

    def close(self) -> None:
        with suppress(sqlite3.Error):  # every record is on disk already
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _runs(self, query: str, arguments: tuple[object, ...]) -> list[Run]:
        with translated(self._where):
            return [self._run(row) for row in self._connection.execute(query, arguments).fetchall()]

    def _run(self, row: tuple[str, str, float, str, str | None, str, float | None]) -> Run:
        typed = self._format() >= TYPED_SINCE
        rows = self._connection.execute(
            "SELECT seq, step, mark, at, note, data FROM records WHERE run = ? ORDER BY seq", (row[0],)
        ).fetchall()
        try:
            plan = Plan.model_validate_json(row[1])
            kinds = {step.id: step.kind for step in plan.steps}
            read = decode if typed else upgraded
            records = tuple(
                Record(
                    seq=seq,
                    step=step,
                    mark=Mark(mark),
                    at=at,
                    note=note,
                    result=None if data == EMPTY else read(kinds[step], mark == Mark.UNDONE, data),
                )
                for seq, step, mark, at, note, data in rows
            )
            return Run(
                id=row[0],
                plan=plan,
                started_at=row[2],
                actor=row[3],
                commit=row[4],
                state=RunState(row[5]),
                ended_at=row[6],
                records=records,
            )
        except (ValidationError, ValueError, KeyError, RecursionError) as error:
            raise JournalError(
                f"run {row[0]} cannot be read",
                where=self._where,
                why=str(error).splitlines()[0],
                fix=f"use the version of reconciler that wrote it, or {keep_it(self._where)}",
            ) from error

    def _measured_by_hand(self) -> list[Measured]:
        query = "SELECT id FROM runs WHERE ended_at IS NOT NULL ORDER BY started_at DESC, id DESC LIMIT 40"
        found: list[Measured] = []
        for (run_id,) in self._connection.execute(query).fetchall():
            with suppress(JournalError, ValueError):
                found += measured_moves([self.run(run_id)])
        return found

    def _measure(self, run_id: str) -> None:
        """Keep what the moves of a run took. One that cannot be read has nothing to say."""
        with suppress(JournalError, ValueError):
            moves = measured_moves([self.run(run_id)])
            self._connection.executemany(MEASURED, [asdict(move) for move in moves])

    def _measure_old(self) -> None:
        """Once, what an older release has kept; the migration has listed it."""
        with translated(self._where):
            if not self._connection.execute("SELECT 1 FROM unmeasured").fetchone():
                return
            with transaction(self._connection):
                for (run_id,) in self._connection.execute("SELECT run FROM unmeasured").fetchall():
                    self._measure(run_id)
                self._connection.execute("DELETE FROM unmeasured")

    def _format(self) -> int:
        version: int = self._connection.execute("PRAGMA user_version").fetchone()[0]
        return version

    def _has_ended(self, run_id: str) -> bool:
        row = self._connection.execute("SELECT state FROM runs WHERE id = ?", (run_id,)).fetchone()
        return row is not None and RunState(row[0]) not in UNFINISHED

    def _unknown(self, run_id: str) -> JournalError:
        return JournalError(f"there is no run {run_id}", where=self._where, fix="see `reconcile history`")
