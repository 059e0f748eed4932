"""Writes that wait keep nothing else waiting. Real: SQLite, its locks, threads."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from reconciler.commands.compose import kept_runs
from reconciler.commands.interruptible import Interruptible
from reconciler.errors import Locked
from reconciler.model.plan import Plan
from reconciler.model.record import Mark, RunState
from reconciler.state.journal import Journal
from reconciler.state.store import Awaited
from tests.state.test_journal import a_run

ME = "anna@ci-7/12-345-4026531836-aaaaaaaa"
OTHER = "bert@ci-8/9-99-4026531836-bbbbbbbb"


@contextmanager
def somebody_writes(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


async def goes_on(work: asyncio.Task[object], other: sqlite3.Connection) -> None:
    """The loop turns while the work waits, which ends once the other one has written."""
    for _ in range(20):
        await asyncio.sleep(0.005)
    assert not work.done()
    other.execute("ROLLBACK")
    await asyncio.wait_for(asyncio.wait([work]), 5)


async def test_who_waits_for_another_process_keeps_the_loop_free(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal.open(path) as journal:
        writer = Awaited(journal)
        await writer.begin(a_run())
        with somebody_writes(path) as other:
            work = asyncio.ensure_future(writer.append("r1", "s1", Mark.INTENT, 1.0))
            await goes_on(work, other)
        assert journal.run("r1").records == (work.result(),)
        with somebody_writes(path) as other:
            ended = asyncio.ensure_future(writer.end("r1", RunState.DONE, 2.0))
            await goes_on(ended, other)
        assert journal.run("r1").state is RunState.DONE


async def test_a_journal_is_opened_aside_too(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    Journal.open(path).close()

    async def look() -> int:
        async with kept_runs(path) as journal:
            return len(journal.runs())

    with somebody_writes(path) as other:
        work = asyncio.ensure_future(look())
        await goes_on(work, other)
    assert work.result() == 0


async def test_locks_are_held_while_the_block_lasts_and_given_back_whatever_ends_it(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "journal.db") as journal:
        writer = Awaited(journal)

        async def fail_under_lock() -> None:
            async with writer.locked(["web", "db"], ME):
                with pytest.raises(Locked):
                    await writer.locked("web", OTHER).__aenter__()
                assert {lock.owner for lock in journal.locks.all()} == {ME}
                raise RuntimeError

        with pytest.raises(RuntimeError):
            await fail_under_lock()
        assert journal.locks.all() == ()


async def test_who_is_stopped_while_a_lock_is_taken_keeps_none(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"

    async def hold() -> None:
        async with Awaited(journal).locked("web", ME):
            raise AssertionError("it was stopped before")

    with Journal.open(path) as journal:
        with somebody_writes(path) as other:
            work = asyncio.ensure_future(hold())
            await asyncio.sleep(0.02)
            work.cancel()
            await goes_on(work, other)
        assert work.cancelled() and journal.locks.all() == ()


async def test_who_is_stopped_while_a_run_is_written_down_leaves_none_to_resume(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal.open(path) as journal:
        with somebody_writes(path) as other:
            work = asyncio.ensure_future(Interruptible().begin(Plan(), journal))
            await asyncio.sleep(0.02)
            work.cancel()
            await goes_on(work, other)
        assert work.cancelled() and [run.state for run in journal.runs()] == [RunState.FAILED]
