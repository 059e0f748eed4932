"""What every store promises (`reconciler.state.store`). Real: all of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.core.accuracy import measured_moves
from reconciler.errors import JournalError, Locked
from reconciler.model.record import Mark, Run, RunState
from reconciler.model.result import InstanceMade
from reconciler.state.journal import Journal
from reconciler.state.memory import MemoryStore
from reconciler.state.store import Store
from tests.core.test_accuracy import planned, run_of
from tests.state.test_journal import a_run

ELSEWHERE = "anna@ci-7/12-345-4026531836-aaaaaaaa"
OTHER = "bert@ci-8/9-99-4026531836-bbbbbbbb"


@pytest.fixture(params=["file", "sqlite-memory", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: dict[str, Store] = {
        "file": Journal.open(tmp_path / "journal.db"),
        "sqlite-memory": Journal.open(":memory:"),
        "memory": MemoryStore(),
    }
    with made[request.param] as opened:
        yield opened


def test_a_run_and_its_records_come_back_as_they_were_written(store: Store) -> None:
    run = a_run()
    assert not store.knows("r1")
    store.begin(run)
    first = store.append("r1", "s1", Mark.INTENT, 1001.0)
    second = store.append("r1", "s1", Mark.DONE, 1002.5, "made ü", InstanceMade(instance="c0ffee"), after=1)
    assert (first.seq, second.seq) == (1, 2)
    assert store.knows("r1")
    assert store.run("r1") == run.model_copy(update={"records": (first, second)})
    store.end("r1", RunState.DONE, 1003.0)
    assert (store.run("r1").state, store.run("r1").ended_at) == (RunState.DONE, 1003.0)


def test_records_are_those_that_were_appended_not_those_a_run_began_with(store: Store) -> None:
    record = MemoryStore()
    record.begin(a_run())
    store.begin(a_run().model_copy(update={"records": (record.append("r1", "s1", Mark.INTENT, 1.0),)}))
    assert store.run("r1").records == ()


def test_runs_newest_first_by_workload_and_open_ones_oldest_first(store: Store) -> None:
    for n in range(6):
        store.begin(a_run(f"r{n}", "web" if n % 2 else "db", 1000.0 + n))
    assert [run.id for run in store.runs(limit=3)] == ["r5", "r4", "r3"]
    assert [run.id for run in store.runs("db")] == ["r4", "r2", "r0"]
    assert store.runs("nothing") == []
    store.end("r3", RunState.IN_DOUBT, 2000.0)
    store.end("r1", RunState.FAILED, 2000.0)
    assert [run.id for run in store.open_runs()] == ["r0", "r2", "r3", "r4", "r5"]


def test_a_controller_that_was_replaced_writes_nothing(store: Store) -> None:
    store.begin(a_run())
    store.append("r1", "s1", Mark.INTENT, 1.0, after=0)
    with pytest.raises(Locked, match="taken over"):
        store.append("r1", "s1", Mark.DONE, 2.0, after=0)
    store.end("r1", RunState.DONE, 3.0)
    with pytest.raises(Locked, match="taken over"):
        store.append("r1", "s1", Mark.DONE, 4.0, after=1)
    assert len(store.run("r1").records) == 1


def test_a_run_in_doubt_goes_on_and_ends_again(store: Store) -> None:
    store.begin(a_run())
    store.end("r1", RunState.IN_DOUBT, 1.0)
    store.append("r1", "s1", Mark.DONE, 2.0, after=0)
    store.end("r1", RunState.DONE, 3.0)
    assert store.open_runs() == []


def test_unknown_and_repeated_runs_are_errors_and_change_nothing(store: Store) -> None:
    store.begin(a_run())
    for wrong in (
        lambda: store.begin(a_run()),
        lambda: store.run("none"),
        lambda: store.append("none", "s", Mark.INTENT, 1.0),
        lambda: store.end("none", RunState.DONE, 1.0),
    ):
        with pytest.raises(JournalError):
            wrong()
    assert [run.id for run in store.runs()] == ["r1"]
    assert store.append("r1", "s1", Mark.INTENT, 1.0).seq == 1


def test_claims_are_all_or_none_and_name_their_holder(store: Store) -> None:
    store.locks.take(["b"], ELSEWHERE, 1000.0)
    with pytest.raises(Locked, match=r"anna@ci-7.* works on b since") as caught:
        store.locks.take(["a", "b", "c"], OTHER, 1001.0)
    assert caught.value.exit_code == 6
    assert [lock.name for lock in store.locks.all()] == ["b"]
    store.locks.release(["b", "unknown"], OTHER)
    (again,) = store.locks.take(["b"], ELSEWHERE, 1050.0)
    assert (again.since, again.heartbeat) == (1000.0, 1050.0)
    store.locks.release(["b"], ELSEWHERE)
    assert [lock.owner for lock in store.locks.take(["c", "a", "b"], OTHER, 1003.0)] == [OTHER] * 3


def test_claims_of_a_silent_owner_end_after_a_minute(store: Store) -> None:
    store.locks.take(["a"], ELSEWHERE, 1000.0)
    assert store.locks.beat(ELSEWHERE, 1050.0) == 1
    with pytest.raises(Locked):
        store.locks.take(["a"], OTHER, 1110.0)
    store.locks.take(["a"], OTHER, 1110.1)
    assert store.locks.beat(ELSEWHERE, 1111.0) == 0


def test_locked_excludes_others_from_its_names_only_and_lets_go(store: Store) -> None:
    with pytest.raises(RuntimeError), store.locked(["db", "web"], ELSEWHERE):  # noqa: PT012
        store.locks.take(["cache"], OTHER, time.time())
        with pytest.raises(Locked), store.locked("web", OTHER):
            pass
        raise RuntimeError
    assert [lock.name for lock in store.locks.all()] == ["cache"]


def moved(run_id: str, at: float, copy_s: float = 1.0) -> Run:
    run: Run = run_of(planned(), copy=copy_s)
    return run.model_copy(update={"id": run_id, "started_at": at})


def keep(store: Store, run: Run, state: RunState = RunState.DONE) -> None:
    store.begin(run)
    for record in run.records:
        store.append(run.id, record.step, record.mark, record.at, record.note, record.result)
    store.end(run.id, state, run.started_at + 60)


def test_what_moves_took_is_known_when_their_run_has_ended(store: Store) -> None:
    run = moved("r1", 1000.0)
    store.begin(run)
    assert store.measured() == []
    for record in run.records:
        store.append(run.id, record.step, record.mark, record.at, record.note, record.result)
    store.end("r1", RunState.IN_DOUBT, 1060.0)
    store.end("r1", RunState.DONE, 1061.0)
    assert store.measured() == measured_moves([run])
    keep(store, a_run("r2"))
    assert len(store.measured()) == 1


def test_the_latest_moves_between_two_hosts_are_learned_from(store: Store) -> None:
    for n in range(11):
        keep(store, moved(f"r{n:02}", 1000.0 + n, copy_s=1.0 + n))
    assert [move.run for move in store.measured()] == [f"r{n:02}" for n in range(10, 2, -1)]
