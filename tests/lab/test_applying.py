"""Applying on real hosts: saved plans and what they are bound to, being asked, and what is said at the end."""

from __future__ import annotations

import os
import pty
import subprocess
import time
from pathlib import Path

import pytest

from reconciler.lab import Lab
from tests.lab.repo import RECONCILE, Repo, interrupt

pytestmark = pytest.mark.lab


@pytest.fixture
def repo(tmp_path: Path, clean_lab: Lab) -> Repo:
    made = Repo(tmp_path, clean_lab)
    made.counter()
    made.apply()
    made.place("counter", "h2")
    return made


def test_a_saved_plan_moves_nothing_when_its_specs_were_changed_back(repo: Repo) -> None:
    said = repo.run("plan", "--out", "plan.json").stdout
    assert "Saved to plan.json, for these specs" in said
    repo.place("counter", "h1")
    refused = repo.run("apply", "plan.json", expect=8)
    assert "bound to other specs" in refused.stderr and "the specs say something else" in refused.stderr
    assert repo.running_on() == ["h1"]
    repo.place("counter", "h2")
    repo.run("apply", "plan.json")
    assert repo.running_on() == ["h2"]


def test_a_saved_plan_is_refused_without_its_specs(repo: Repo, tmp_path: Path) -> None:
    repo.run("plan", "--out", "plan.json")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run(
        [RECONCILE, "apply", tmp_path / "plan.json"], cwd=elsewhere, env=repo.environment(), capture_output=True
    )
    assert done.returncode == 8 and repo.running_on() == ["h1"]
    done = subprocess.run(
        [RECONCILE, "apply", tmp_path / "plan.json", "--specs", tmp_path / "specs"],
        cwd=elsewhere,
        env=repo.environment(),
        capture_output=True,
    )
    assert done.returncode == 0 and repo.running_on() == ["h2"]


def test_what_is_refused_is_shown_with_its_reason(repo: Repo) -> None:
    repo.policy("quick", maxDowntime="1ms")
    repo.workloads["counter"]["migration"] = {"policy": "quick"}
    repo.write()
    done = repo.apply(expect=1)
    assert "downtime.limit" in done.stdout and "maxDowntime is 1ms" in done.stdout
    assert "Refused; nothing was changed." in done.stdout


def test_nothing_is_locked_while_a_person_is_asked(repo: Repo) -> None:
    """Another controller applies meanwhile; the answer is then no longer about what is there."""
    controller, terminal = pty.openpty()
    argv = [RECONCILE, "apply"]
    with subprocess.Popen(
        argv,
        cwd=repo.folder,
        env=repo.environment(),
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as job:
        os.close(terminal)
        assert job.stdout is not None and job.stderr is not None
        shown = ""
        while "1 to move" not in shown:
            shown += job.stdout.readline()
        repo.apply()
        assert repo.running_on() == ["h2"]
        os.write(controller, b"yes\n")
        errors = job.stderr.read()
    os.close(controller)
    assert job.returncode == 8 and "the hosts changed while the plan was looked at" in errors


def test_ctrl_c_while_a_person_is_asked_ends_it_at_once(repo: Repo) -> None:
    controller, terminal = pty.openpty()
    with subprocess.Popen(
        [RECONCILE, "apply"],
        cwd=repo.folder,
        env=repo.environment(),
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as job:
        os.close(terminal)
        assert job.stdout is not None and job.stderr is not None
        while b"1 to move" not in job.stdout.readline():
            continue
        time.sleep(0.3)
        interrupt(job)
        assert job.wait(20) == 130
        said = job.stderr.read()
        assert b"stopped as you asked; nothing was changed" in said and b"putting back" not in said, (
            "nothing was begun"
        )
    os.close(controller)
    assert repo.running_on() == ["h1"]


def test_a_first_move_is_predicted_as_a_range_and_measured(repo: Repo) -> None:
    assert "(first move between these hosts)" in repo.run("plan").stdout
    told = repo.json("apply", "--yes")["changes"][0]["move"]
    assert 0 < told["predictedDowntimeS"] < told["predictedMostS"] and told["frozenS"] > 0
    repo.place("counter", "h1")
    assert "counter moved h2 -> h1; frozen for" in repo.apply().stdout
    repo.place("counter", "h2")
    assert "learned from 1 earlier move" in repo.run("plan").stdout
    print(told, repo.run("history", "--accuracy").stdout)


def test_after_ones_own_ctrl_c_the_next_command_is_apply(repo: Repo) -> None:
    output, _ = repo.apply_until("hold", interrupt, expect=None)
    if repo.running_on() == ["h1"]:
        assert "stopped as you asked, put back; it runs on h1" in output and "mend" not in output
