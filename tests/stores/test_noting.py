"""That a checkpoint was rehearsed is noted beside it. Real: the scripts; what is read back may be anybody's."""

from __future__ import annotations

import calendar
import contextlib
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.commands.interruptible import last_id
from reconciler.commands.kept import FoundKept, chosen
from reconciler.errors import InputError
from reconciler.model.checkpoint import Kept, KeptAt, KeptFile, KeptRehearsal, Manifest, TakenFrom
from reconciler.model.command import Result
from reconciler.stores import directory, noting, shelf
from tests.stores.conftest import here
from tests.stores.test_restic import KEYS, place

GOOD, BAD = KeptRehearsal(1.79e9, "h3"), KeptRehearsal(1.8e9, "h3", "h3: web is not healthy; it said:\n\tnö, no")


def test_what_is_noted_is_read_back() -> None:
    assert noting.rehearsal_of(noting.word_of(GOOD)) == GOOD and GOOD.ok
    found = noting.rehearsal_of(noting.word_of(BAD))
    assert found is not None and not found.ok and "not healthy" in found.why and "," not in noting.word_of(BAD)
    long = noting.rehearsal_of(noting.word_of(KeptRehearsal(1.0, "", "x" * 9000)))
    assert long is not None and long.why == "x" * 300 and long.host == ""


@pytest.mark.parametrize("why", ["\x1b[2J" + "x" * 400, "\udcff gone", "\u202e" * 90, BAD.why])
def test_what_was_read_is_written_the_same(why: str) -> None:
    """A repository's tag is removed by its name."""
    word = noting.word_of(KeptRehearsal(1.0, "h3", why))
    found = noting.rehearsal_of(word)
    assert found is not None and noting.word_of(found) == word


@pytest.mark.parametrize(
    "word", ["", "-", "ok", "ok:now:h3", "ok:1:../etc", "fine:1:h3", "ok:1:h3\x1b[2J", "ok:1:h3:!"]
)
def test_what_is_no_such_word_is_none(word: str) -> None:
    assert noting.rehearsal_of(word) is None


def test_a_reason_that_cannot_be_read_is_a_bad_rehearsal_all_the_same() -> None:
    for word in ("failed:1:h3", "failed:1:h3:_", "failed:1:h3:_____w=="):
        found = noting.rehearsal_of(word)
        assert found is not None and found.why == noting.UNSAID
    hostile = noting.rehearsal_of("failed:1:h3:G1sySg==")  # clears the screen
    assert hostile is not None and "\x1b" not in hostile.why


@pytest.mark.parametrize("at", ["-1.0", "1e18", "NaN", "Infinity"])
def test_a_checkpoint_of_no_time_cannot_be_used(tmp_path: Path, at: str) -> None:
    kept = put(tmp_path / "store", 1)
    assert kept.manifest is not None
    told = kept.manifest.model_copy(update={"taken_at": float(at)})
    Path(kept.folder, "manifest.json").write_text(json.dumps(told.sealed().model_dump(mode="json", by_alias=True)))
    (found,) = here(shelf.listed(kept.at, {}))
    assert found.manifest is None and found.broken


@pytest.mark.parametrize(
    "change",
    [
        {"epoch": 10**30},
        {"memory_bytes": 10**30},
        {"frozen_s": 1e300},
        {"frozen_s": float("inf")},
        {"commit": "\ud800"},
        {"spec": {"spec": "\ud800"}},
        {"tcp": "\udcff"},
    ],
)
def test_a_manifest_of_anybody_spoils_no_listing(tmp_path: Path, change: dict[str, Any]) -> None:
    """Also one that is sealed over what it says."""
    good, kept = put(tmp_path / "store", 1), put(tmp_path / "store", 2)
    assert kept.manifest is not None
    told = kept.manifest.model_copy(update=change)
    with contextlib.suppress(UnicodeEncodeError):
        told = told.sealed()
    raw = told.model_dump(mode="json", by_alias=True)
    Path(kept.folder, "manifest.json").write_text(json.dumps(raw))
    found = {one.id: one for one in here(shelf.listed(kept.at, {}))}
    assert found[good.id].manifest == good.manifest
    assert found[kept.id].manifest is None and found[kept.id].broken


@pytest.mark.parametrize("name", ["-x", "a b", "a\nb", "new\u2028line", "\x1b[2J", "*", "x" * 250, "web@1"])
@pytest.mark.parametrize("whose", [False, True], ids=["id", "workload"])
def test_a_folder_of_any_name_spoils_no_listing(tmp_path: Path, name: str, whose: bool) -> None:
    good = put(tmp_path / "store", 1)
    odd = tmp_path / "store" / name / good.id if whose else tmp_path / "store/web" / name
    odd.parent.mkdir(exist_ok=True)
    shutil.copytree(good.folder, odd)
    found = here(shelf.listed(good.at, {}))
    (bad,) = (one for one in found if one.manifest is None)
    assert len(found) == 2 and bad.broken and not set(f"{bad.workload}{bad.id}") & set(" \n\x1b*@\u2028")
    assert bad.named == (name in ("-x", "x" * 250))
    if not bad.named:
        with pytest.raises(InputError, match="there is no checkpoint"):
            chosen(f"{bad.workload}@{bad.id}", FoundKept(found, {}))


def test_a_snapshot_of_any_name_spoils_no_listing(tmp_path: Path) -> None:
    hashes = {"id": "a" * 64, "tree": "b" * 64}
    tags = (["workload=web", "id=-x"], ["workload=../..", "id=a b"], ["workload=web"], ["workload=\ud800", "id=1"])
    program = shelf.listed(place(tmp_path), KEYS)
    next(program)
    program.send(Result(0, json.dumps([hashes | {"tags": words} for words in tags]), ""))
    with pytest.raises(StopIteration) as ended:
        program.send(Result(0, f"{'b' * 64} {{}}\n", ""))
    assert [one.manifest for one in ended.value.value] == [None] * 4 and all(
        one.broken for one in ended.value.value
    )
    assert sorted(one.named for one in ended.value.value) == [False, False, False, True]


def test_a_manifest_is_one_line_whatever_its_spec_says(tmp_path: Path) -> None:
    kept = put(tmp_path / "store", 1)
    assert kept.manifest is not None
    told = kept.manifest.model_copy(update={"spec": {"note": "a\u2028b\x85c\x0cd"}}).sealed()
    Path(kept.folder, "manifest.json").write_text(told.text)
    assert [one.manifest for one in here(shelf.listed(kept.at, {}))] == [told]


def put(store: Path, number: int, workload: str = "web") -> Kept:
    at = KeptAt("h1", str(store))
    file = KeptFile(name="images.tar", bytes=1, sha256="ab" * 32)
    source = TakenFrom(host="h1", runtime="podman")
    manifest = Manifest(
        id=f"20261126-01{number:02}39-8584",
        workload=workload,
        epoch=3,
        taken_at=1e9 + number,
        frozen_s=0.1,
        came_from=source,
        files=(file,),
    ).sealed()
    folder = at.of(workload, manifest.id)
    here(directory.begin(directory.part_of(folder)))
    here(directory.seal(directory.part_of(folder), folder, manifest))
    return Kept(at, workload, manifest.id, manifest=manifest)


def test_a_folder_lists_the_newest_and_the_last_that_were_rehearsed(tmp_path: Path) -> None:
    rows = [put(tmp_path / "store", number) for number in range(1, 8)]
    other = put(tmp_path / "store", 1, "db")
    note: Callable[[Kept, KeptRehearsal], Any] = lambda kept, done: here(shelf.note(kept, {}, done))  # noqa: E731
    for kept in rows[:2]:
        note(kept, GOOD)
    note(rows[2], GOOD)
    note(rows[2], BAD)  # what was noted before is forgotten
    every = {(one.workload, one.id): one.rehearsed for one in here(shelf.listed(other.at, {}))}
    assert len(every) == 8 and every["web", rows[0].id] == GOOD and every["web", rows[6].id] is None
    assert every["web", rows[2].id] == noting.rehearsal_of(noting.word_of(BAD))
    few = [(one.workload, one.id) for one in here(shelf.listed(other.at, {}, newest=2))]
    assert sorted(few) == sorted((one.workload, one.id) for one in (other, rows[1], rows[2], rows[5], rows[6]))
    here(shelf.pin(rows[1], {}, on=True))
    found = next(one for one in here(shelf.listed(other.at, {}, "web")) if one.id == rows[1].id)
    assert found.pinned and found.rehearsed == GOOD and found.manifest == rows[1].manifest
    here(shelf.discard(other.at, {}, [rows[1]]))
    assert rows[1].id not in {one.id for one in here(shelf.listed(other.at, {}))}


def test_what_is_of_the_future_crowds_out_nothing(tmp_path: Path) -> None:
    rows = [put(tmp_path / "store", number) for number in range(1, 10)]
    here(shelf.note(rows[0], {}, GOOD))
    until = last_id(calendar.timegm(time.strptime(rows[4].id[:15], "%Y%m%d-%H%M%S")))
    asked: Callable[..., list[str]] = lambda **more: [one.id for one in here(shelf.listed(rows[0].at, {}, **more))]  # noqa: E731
    ids = [one.id for one in rows]
    assert asked(newest=2, until=until) == [ids[n] for n in (0, 3, 4, 5, 6)]
    assert asked(newest=2) == [ids[n] for n in (0, 7, 8)]
    assert asked(newest=7, until=until) == ids == asked(until=until)
    word: Callable[[Kept], KeptRehearsal | None] = lambda one: GOOD if one.id == ids[0] else None  # noqa: E731
    few = noting.newest_of(rows[::-1], 2, word, lambda one: one.id > until)
    assert sorted(one.id for one in few) == [ids[n] for n in (0, 3, 4, 5, 6)]


@pytest.mark.parametrize("text", ["", "\n", "ok:1:h3 x\n", "ok:1", "\x00\xff"])
def test_a_note_of_a_hand_spoils_no_listing(tmp_path: Path, text: str) -> None:
    kept = put(tmp_path / "store", 1)
    Path(kept.folder, "rehearsed").write_text(text)
    (found,) = here(shelf.listed(kept.at, {}))
    assert found.manifest == kept.manifest and found.rehearsed is None


def test_what_is_gone_meanwhile_is_not_noted(tmp_path: Path) -> None:
    kept = put(tmp_path / "store", 1)
    here(shelf.discard(kept.at, {}, [kept]))
    with pytest.raises(Exception, match="failed"):
        here(shelf.note(kept, {}, GOOD))
