"""Locks between controllers. Real: SQLite, processes. Given: the time."""

from __future__ import annotations

import multiprocessing
import subprocess
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from reconciler.errors import Locked
from reconciler.state import locks as locks_module
from reconciler.state.identity import owner
from reconciler.state.journal import Journal

ELSEWHERE = "anna@ci-7/12-345-4026531836-aaaaaaaa"
OTHER = "bert@ci-8/9-99-4026531836-bbbbbbbb"


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal.open(tmp_path / "journal.db")


def test_a_clock_that_went_back_expires_nothing(journal: Journal) -> None:
    journal.locks.take(["a"], ELSEWHERE, 5000.0)
    with pytest.raises(Locked):
        journal.locks.take(["a"], OTHER, 1000.0)


def as_process(pid: int) -> str:
    """The owner string of another process here."""
    start = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    head, _, process = owner().rpartition("/")
    return f"{head}/{pid}-{start}-{process.split('-', 2)[2]}"


def test_a_process_here_counts_as_dead_when_it_is(journal: Journal) -> None:
    process = subprocess.Popen(["sleep", "60"])
    living = as_process(process.pid)
    journal.locks.take(["a"], living, 1000.0)
    with pytest.raises(Locked):  # silent, but it lives
        journal.locks.take(["a"], owner(), 9000.0)
    process.kill()
    process.wait()
    journal.locks.take(["a"], owner(), 1000.1)


def test_a_reused_process_number_is_not_the_owner(journal: Journal) -> None:
    head, _, process = owner().rpartition("/")
    pid, _, realm = process.split("-", 2)
    journal.locks.take(["a"], f"{head}/{pid}-1-{realm}", 1000.0)
    journal.locks.take(["a"], owner(), 1000.1)


def racer(path: Path, barrier: Barrier, name: str, wins: multiprocessing.SimpleQueue[str]) -> None:
    with Journal.open(path) as journal:
        barrier.wait()
        try:
            journal.locks.take(["web"], name, 1000.0)
        except Locked:
            return
        wins.put(name)


@pytest.mark.parametrize("stale", [False, True])
def test_of_racing_processes_one_wins(tmp_path: Path, stale: bool) -> None:
    context = multiprocessing.get_context("fork")
    for attempt in range(5):
        path = tmp_path / f"{attempt}.db"
        with Journal.open(path) as journal:
            if stale:
                journal.locks.take(["web"], ELSEWHERE, 100.0)
        barrier = context.Barrier(4)
        wins: multiprocessing.SimpleQueue[str] = context.SimpleQueue()
        names = [f"u@h/{n}" for n in range(4)]
        processes = [context.Process(target=racer, args=(path, barrier, name, wins)) for name in names]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
            assert process.exitcode == 0
        winner = wins.get()
        assert wins.empty()
        with Journal.open(path) as journal:
            assert [lock.owner for lock in journal.locks.all()] == [winner]


def test_locked_beats_and_lets_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks_module, "BEAT_EVERY", 0.02)
    with Journal.open(tmp_path / "j.db") as journal, Journal.open(tmp_path / "j.db") as other:
        with pytest.raises(RuntimeError), journal.locked(["apply", "web"], owner()):  # noqa: PT012
            began = other.locks.all()[0].heartbeat
            for _ in range(300):
                if other.locks.all()[0].heartbeat > began:
                    break
                time.sleep(0.01)
            else:
                raise AssertionError("no beat")
            with pytest.raises(Locked), other.locked("web", OTHER):
                pass
            raise RuntimeError
        assert other.locks.all() == ()


def test_two_writers_take_turns(tmp_path: Path) -> None:
    one, two = Journal.open(tmp_path / "j.db"), Journal.open(tmp_path / "j.db")
    for n in range(50):
        one.locks.take([f"a{n}"], ELSEWHERE, 1.0)
        two.locks.take([f"b{n}"], OTHER, 1.0)
    assert len(one.locks.all()) == 100
