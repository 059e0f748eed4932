"""Journals of earlier formats. Real: SQLite and the files. Recorded: journals that earlier releases have written,
of hosts in memory: four runs that ended, and a move in rounds that stands before its commit."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.engine.effects import EFFECTS
from reconciler.errors import JournalError
from reconciler.model.checkpoint import KeptFile, Manifest, TakenFrom
from reconciler.model.command import Tree
from reconciler.model.handover import Located
from reconciler.model.plan import StepKind
from reconciler.model.record import Mark, RunState
from reconciler.model.result import (
    RESULTS,
    CopyMade,
    ImagesWritten,
    InstanceMade,
    MemoryRestored,
    RoundsMade,
    Staged,
    StepResult,
    WentBack,
    decode,
    encode,
)
from reconciler.state.formats import upgraded
from reconciler.state.journal import Journal
from reconciler.state.schema import VERSION
from tests.state.test_journal import a_run

RECORDED = Path(__file__).parent / "recorded"
FORMATS = [int(path.stem.removeprefix("format")) for path in sorted(RECORDED.glob("*.sql"))]


def recorded(number: int, path: Path) -> Path:
    """A journal as the last release of a format has left it."""
    with sqlite3.connect(path) as file:
        file.executescript((RECORDED / f"format{number}.sql").read_text())
    file.close()
    return path


def version(path: Path) -> int:
    with sqlite3.connect(path) as file:
        found: int = file.execute("PRAGMA user_version").fetchone()[0]
    file.close()
    return found


def test_all_earlier_formats_are_recorded() -> None:
    assert list(range(1, VERSION)) == FORMATS


@pytest.mark.parametrize("number", FORMATS)
def test_an_earlier_format_is_read_and_migrated(tmp_path: Path, number: int) -> None:
    path = recorded(number, tmp_path / "journal.db")
    before = path.read_bytes()
    with Journal.open(path, write=False) as journal:
        read = journal.runs()
        learned = journal.measured()
    assert path.read_bytes() == before, "reading changes nothing"
    assert [(run.id, run.state) for run in read] == [
        ("run5", RunState.OPEN),
        *((f"run{n}", RunState.DONE) for n in (4, 3, 2, 1)),
    ]
    assert [(move.run, move.copied) for move in learned] == [("run4", 64 * 2**20), ("run3", 64 * 2**20)]
    for _ in range(2):
        with Journal.open(path) as journal:
            assert journal.runs() == read and journal.measured() == learned
    assert version(path) == VERSION


@pytest.mark.parametrize("number", FORMATS)
def test_what_steps_have_left_is_typed(tmp_path: Path, number: int) -> None:
    with Journal.open(recorded(number, tmp_path / "journal.db")) as journal:
        run = journal.run("run5")
        left = {run.plan.step(r.step).kind: r.result for r in run.records if r.result}
        actions = {
            run.plan.step(r.step).kind: r.result
            for run in [journal.run("run4")]
            for r in run.records
            if isinstance(r.result, ImagesWritten | MemoryRestored)
        }
        (made,) = (r.result for r in journal.run("run1").records if isinstance(r.result, InstanceMade))
    staged = left[StepKind.STAGE]
    assert isinstance(staged, Staged) and staged.destination.trees[0] == Tree("images", "/images/web", "web")
    assert left[StepKind.PRECOPY] == RoundsMade(rounds_bytes=(2**20,), why="the last round was small")
    assert left[StepKind.HOLD] == ImagesWritten(image_bytes=2**20, freeze_s=0.0)
    assert left[StepKind.TRANSFER] == CopyMade(copied_bytes=64 * 2**20, seconds=0.4, how="direct")
    before, after = actions[StepKind.HOLD], actions[StepKind.RESTORE]
    assert isinstance(before, ImagesWritten) and before.actions == "effect on web-before-1; effect on web-before-2"
    assert isinstance(after, MemoryRestored) and after.actions == "effect on web-after-1; effect on web-after-2"
    assert made.instance


@pytest.mark.parametrize("number", FORMATS)
@pytest.mark.parametrize("write", [True, False])
@pytest.mark.parametrize(
    "data", ["[" * 200_000, '{"bytes": "many"', '{"bytes": 7}', '{"of": "somebody else"}', '{"source": "7"}', "7"]
)
def test_a_torn_or_foreign_record_is_its_run_s_affair(tmp_path: Path, number: int, write: bool, data: str) -> None:
    path = recorded(number, tmp_path / "a journal.db")
    with sqlite3.connect(path) as file:
        file.execute("UPDATE records SET data = ? WHERE run = 'run5' AND step LIKE '%/stage/%'", (data,))
    file.close()
    with Journal.open(path, write=write) as journal:
        with pytest.raises(JournalError, match="run5 cannot be read") as caught:
            journal.run("run5")
        assert f"mv '{path}' '{path}.kept'" in caught.value.fix
        assert journal.run("run4").records
        assert len(journal.measured()) == 2


@pytest.mark.parametrize("write", [True, False])
def test_a_plan_that_cannot_be_read_is_its_run_s_affair(tmp_path: Path, write: bool) -> None:
    path = recorded(1, tmp_path / "journal.db")
    with sqlite3.connect(path) as file:
        file.execute("""UPDATE runs SET plan = '{"of": "yore"}' WHERE id = 'run4'""")
    file.close()
    with Journal.open(path, write=write) as journal:
        assert [move.run for move in journal.measured()] == ["run3"]
        with pytest.raises(JournalError, match="run4 cannot be read"):
            journal.run("run4")


def test_a_record_of_a_step_that_the_plan_does_not_have(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "journal.db") as journal:
        journal.begin(a_run())
        journal.append("r1", "another", Mark.DONE, 1.0, "", InstanceMade(instance="c"))
        with pytest.raises(JournalError, match="r1 cannot be read"):
            journal.run("r1")


TREES = st.builds(Tree, st.sampled_from(["images", "volume"]), st.text(), st.text(), st.integers(0, 2**62))
PLACES = st.builds(Located, st.text(), st.lists(TREES, max_size=3).map(tuple))


MANIFESTS = st.builds(
    Manifest,
    id=st.just("20261126-014639-8584"),
    workload=st.just("web"),
    epoch=st.integers(0, 2**31),
    takenAt=st.floats(0, 2**33),
    frozenS=st.floats(0, 600),
    cameFrom=st.builds(TakenFrom, host=st.text(), runtime=st.text(), image=st.text()),
    files=st.just((KeptFile(name="images.tar", bytes=1, sha256="ab" * 32),)),
    seal=st.text(),
)


PARTS: dict[StepKind, dict[str, Any]] = {
    StepKind.STAGE: {"source": PLACES, "destination": PLACES},
    StepKind.CAPTURE: {"manifest": MANIFESTS},
}


@pytest.mark.parametrize("kind", RESULTS)
@given(data=st.data())
def test_what_is_written_is_read_again(kind: StepKind, data: st.DataObject) -> None:
    result = data.draw(st.builds(RESULTS[kind], **PARTS.get(kind, {})))
    read = decode(kind, False, encode(result))
    assert type(read) is type(result) and encode(read) == encode(result)


def test_an_undo_and_nothing_are_read_again() -> None:
    back = WentBack(became="it has ended: exit code 3")
    assert decode(StepKind.HOLD, True, encode(back)) == back
    assert decode(StepKind.COMMIT, False, encode(None)) is None
    assert upgraded(StepKind.HOLD, True, '{"became": "it has ended: exit code 3"}') == back
    with pytest.raises(ValueError, match="leaves nothing"):
        decode(StepKind.COMMIT, False, encode(back))


@pytest.mark.parametrize("kind", StepKind)
def test_an_effect_leaves_what_its_kind_does(kind: StepKind) -> None:
    """So that what is written can be read: by the annotations that mypy holds the effects to."""
    told = get_type_hints(EFFECTS[kind].do)["return"]
    left = set(get_args(told) or (told,)) - {type(None)}
    assert left == ({RESULTS[kind]} if kind in RESULTS else set())
    assert all(issubclass(one, StepResult) for one in left)
