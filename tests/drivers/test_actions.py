"""Actions of a move: run once, undone once, whatever is repeated. Real: the script and its shells. No hosts."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from pydantic import ValidationError

from reconciler.guard import actions
from reconciler.model.action import Action, MoveActions

SHELLS = [s for s in (("sh",), ("dash",), ("busybox", "sh")) if shutil.which(s[0])]


@pytest.fixture(params=SHELLS, ids=lambda s: s[0])
def run(request, tmp_path):
    """Runs the script for one action; answers its status and what its commands have written so far."""
    log = tmp_path / "log"
    log.touch()

    def call(how: str, *, do: str = "true", undo: str = "true", index: int = 0, within: str = "5s"):
        made = Action(
            do=["sh", "-c", f'echo "do $0" >> {log}; {do}', "a b"],
            undo=["sh", "-c", f"echo undo >> {log}; {undo}"],
            within=within,
        )
        argv = list(actions._argv(how, "web", actions.BEFORE_HOLD, 3, index, made))
        argv[argv.index(actions._record("web", actions.BEFORE_HOLD, 3))] = str(tmp_path / "record")
        done = subprocess.run([*request.param, *argv[1:]], capture_output=True, text=True, timeout=30)
        return done.returncode, log.read_text().splitlines()

    return call


def test_a_repeated_step_runs_it_once(run):
    assert run("do") == (0, ["do a b"])
    assert run("do") == (0, ["do a b"])


def test_it_is_undone_once(run):
    run("do")
    assert run("undo") == (0, ["do a b", "undo"])
    assert run("undo") == (0, ["do a b", "undo"])


def test_what_was_not_begun_is_not_undone(run):
    assert run("undo") == (0, [])


def test_what_failed_is_taken_back_at_once(run):
    assert run("do", do="exit 7") == (7, ["do a b", "undo"])
    assert run("undo") == (0, ["do a b", "undo"])


def test_a_failed_undo_is_said_and_tried_again(run):
    run("do")
    assert run("undo", undo="exit 3") == (3, ["do a b", "undo"])
    assert run("undo") == (0, ["do a b", "undo", "undo"])


def test_one_that_was_cut_off_is_taken_back_before_it_is_done_again(run, tmp_path):
    (tmp_path / "record").write_text("0 begun\n")
    assert run("do", undo="exit 1") == (0, ["undo", "do a b"])


def test_one_that_was_cut_off_is_undone_and_may_fail(run, tmp_path):
    (tmp_path / "record").write_text("0 begun\n")
    assert run("undo", undo="exit 1")[0] == 0


def test_it_is_ended_at_its_limit(run):
    status, seen = run("do", do="sleep 30", within="200ms")
    assert status in (124, 143) and seen == ["do a b", "undo"]


def test_actions_are_told_apart(run):
    run("do", index=1)
    assert run("undo", index=0) == (0, ["do a b"])


@pytest.mark.parametrize("words", [[], [""], ["-x"], ["a b"], ["ip", "x\ny"], ["ip", "\0"], ["./here"], ["../x"]])
def test_what_is_no_argument_list_is_refused(words):
    with pytest.raises(ValidationError):
        Action(do=words, undo=["true"])


def test_undo_is_required_and_there_are_few():
    with pytest.raises(ValidationError):
        MoveActions.model_validate({"beforeHold": [{"do": ["ip"]}]})
    with pytest.raises(ValidationError):
        MoveActions.model_validate({"beforeHold": [{"do": ["ip"], "undo": ["ip"]}] * 9})
