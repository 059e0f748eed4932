"""`reconcile checkpoints verify --rehearse`, and what is told of rehearsals. Fake: the rehearsal itself."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.cli import main
from reconciler.cli.views.rehearsed import practice_text, rehearsed_text
from reconciler.commands.kept import Verified
from reconciler.commands.practising import RehearseKept
from reconciler.core.rehearsing import Practice, practice
from reconciler.model.checkpoint import KeptRehearsal
from reconciler.model.checkpointing import RehearsalSpec
from reconciler.model.event import Untidied
from reconciler.stores import noting
from tests.cli.checkpoint_scene import kept
from tests.cli.memory_fleet import two_hosts, want

BAD = KeptRehearsal(1795657700.0, "h1", "web is not healthy")
LEFT = Untidied("C385", "the copy is to go, and stays", "h1")


@pytest.fixture(autouse=True)
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two_hosts(tmp_path, monkeypatch)
    want(tmp_path, web="h1")


def comes_out(patch: pytest.MonkeyPatch, done: KeptRehearsal) -> list[RehearseKept]:
    asked: list[RehearseKept] = []

    async def rehearse(job: RehearseKept) -> Verified:
        asked.append(job)
        job.untidied.append(LEFT)
        return Verified(replace(kept(), rehearsed=done))

    patch.setattr(RehearseKept, "__call__", rehearse)
    return asked


def test_one_that_comes_up(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked = comes_out(monkeypatch, KeptRehearsal(1795657700.0, "h2"))
    assert main.run(["checkpoints", "verify", "web@latest", "--rehearse", "--on", "h2", "--in", "h1"]) == 0
    assert [(job.reference, job.on, job.where) for job in asked] == [("web@latest", "h2", "h1")]
    said = capsys.readouterr().out
    assert "all is as it was packed; rehearsed on h2 at 2026-11-" in said and "note: " in said


def test_one_that_does_not(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    comes_out(monkeypatch, BAD)
    assert main.run(["checkpoints", "verify", "web@latest", "--rehearse", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    (row,) = told["checkpoints"]
    assert row["whole"] and row["checkpoint"]["rehearsed"] | {"at": ""} == {
        "at": "",
        "host": "h1",
        "ok": False,
        "why": "web is not healthy",
    }
    assert [left["code"] for left in told["untidied"]] == ["C385"]


@pytest.mark.parametrize("words", [["web", "--rehearse"], ["web@latest", "--on", "h2"]])
def test_what_is_meant_must_be_clear(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = comes_out(monkeypatch, BAD)
    assert main.run(["checkpoints", "verify", *words]) == 4 and not asked


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (None, ", never rehearsed"),
        (KeptRehearsal(1795657700.0, "h1"), ", rehearsed 40.0 s ago"),
        (KeptRehearsal(1795457700.0, "h1"), ", too long"),
        (BAD, ", does not come up"),
    ],
)
def test_how_tables_say_it(done: KeptRehearsal | None, said: str) -> None:
    stands: Practice = practice(RehearsalSpec(every="1d"), [replace(kept(), rehearsed=done)], 1795657740.0)
    assert practice_text(stands).endswith(said)
    assert practice_text(None) == "" == practice_text(replace(stands, newest=None))


def test_the_rule_has_a_page() -> None:
    assert main.run(["explain", "rehearsal"]) == 0


@pytest.mark.parametrize("at", ["999999999999", "253402300800"])
def test_a_time_that_no_date_has_is_told_nevertheless(at: str) -> None:
    """Of a note that a host has; a copy's label may say so, too."""
    noted = noting.rehearsal_of(f"ok:{at}:h1")
    assert noted is not None and rehearsed_text(noted) == f"rehearsed on h1 at second {at}"
