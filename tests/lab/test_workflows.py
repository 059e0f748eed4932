"""The starter repository's CI on real hosts: its own shell steps, with keys as each forge gives them. Made here:
the runner, which starts each job in a fresh copy of the repository with what the job before has kept, and the
programs that an image would be given (`apt-get`, and `pip` of what runs here already)."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.lab import Lab
from tests.init.test_workflows import FORGEJO, GITHUB, GITLAB, lines_of, step_of
from tests.lab.repo import RECONCILE
from tests.load.test_git import git

pytestmark = pytest.mark.lab
AGENTS = """trap '[ -z "${SSH_AGENT_PID:-}" ] || kill "$SSH_AGENT_PID"' EXIT\n"""
"""GitLab ends a job's container, and its agent with it."""


@dataclass
class Runner:
    """One job after the other. `kept`: what a job leaves for the next one."""

    folder: Path
    lab: Lab
    kept: Path

    def __post_init__(self) -> None:
        self.key = self.lab.inventory_path.with_name("id_ed25519")
        given = self.folder / "bin"
        given.mkdir()
        (given / "apt-get").write_text("#!/bin/sh\nexit 0\n")
        (given / "apt-get").chmod(0o755)
        self.environment = os.environ | {
            "NO_COLOR": "1",
            "PATH": f"{given}:{RECONCILE.parent}:{os.environ['PATH']}",
            "RECONCILE_JOURNAL": str(self.folder / "job" / "journal.db"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            "GITHUB_OUTPUT": str(self.folder / "output"),
        }

    def job(self, script: str, *keys: str, expect: int = 0, keeps: str = "") -> str:
        """Run in a fresh copy; what it says. `keys`: variables with the key itself, or of type file."""
        copy = self.folder / "job"
        shutil.rmtree(copy, ignore_errors=True)
        git(self.folder, "clone", "-q", str(self.folder / "fleet"), str(copy))
        if self.kept.exists():
            shutil.copy(self.kept, copy / "plan.json")
        secrets = {name: self.key.read_text() if name == "SSH_KEY" else str(self._file(name)) for name in keys}
        argv = ["bash", "-eo", "pipefail", "-c", script]
        done = subprocess.run(
            argv, cwd=copy, env=self.environment | secrets, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == expect, done.stdout + done.stderr
        if keeps and (copy / keeps).exists():
            shutil.copy(copy / keeps, self.kept)
        return done.stdout + done.stderr

    def _file(self, name: str) -> Path:
        path = self.folder / name
        shutil.copy(self.key, path)
        path.chmod(0o644)
        return path


@pytest.fixture
def runner(tmp_path: Path, clean_lab: Lab) -> Runner:
    """A fleet's repository, whose hosts are reached with no key that is in it."""
    fleet = tmp_path / "fleet"
    made = Runner(tmp_path, clean_lab, tmp_path / "plan.json")
    for argv in (["init", "fleet", "--lab", clean_lab.name], ["init", "fleet"]):
        subprocess.run([RECONCILE, *argv], cwd=tmp_path, env=made.environment, check=True, capture_output=True)
    hosts = fleet / "specs" / "hosts.yaml"
    hosts.write_text("".join(line for line in hosts.read_text().splitlines(True) if "identityFile" not in line))
    git(fleet, "init", "-q", "-b", "main")
    git(fleet, "add", ".")
    git(fleet, "commit", "-q", "-m", "first")
    return made


def workflow(runner: Runner, name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((runner.folder / "fleet" / name).read_text()))


def is_put_right(runner: Runner, plan: Callable[[int], str], apply: Callable[[int], str]) -> None:
    """What was planned is applied, once."""
    assert "counter" in plan(0)
    assert "counter created on h1" in apply(0)
    apply(8)  # the hosts are not as they were when it was planned
    assert "othing to do" in plan(0)


def test_github(runner: Runner) -> None:
    jobs = workflow(runner, GITHUB)["jobs"]
    planning, applying = step_of(jobs["plan"], "Plan"), step_of(jobs["apply"], "Apply")
    said = runner.folder / "summary"

    def plan(expect: int) -> str:
        said.write_text("")
        runner.job(planning, "SSH_KEY", expect=expect, keeps="plan.json")
        return said.read_text()

    is_put_right(runner, plan, lambda expect: runner.job(applying, "SSH_KEY", expect=expect))
    assert (runner.folder / "output").read_text() == "changes=yes\nchanges=no\n"


def test_gitlab(runner: Runner) -> None:
    jobs = workflow(runner, GITLAB)
    planning, applying = lines_of(jobs["plan"]), lines_of(jobs["apply"])

    def plan(expect: int) -> str:
        return runner.job(AGENTS + planning, "RECONCILE_PLAN_KEY", expect=expect, keeps="plan.json")

    def apply(expect: int) -> str:
        return runner.job(AGENTS + applying, "RECONCILE_SSH_KEY", expect=expect)

    is_put_right(runner, plan, apply)


def test_forgejo(runner: Runner) -> None:
    """Its one job plans and applies, so what it applies is never stale."""
    jobs = workflow(runner, FORGEJO)["jobs"]
    planning, applying = step_of(jobs["review"], "Plan"), step_of(jobs["apply"], "Apply")
    assert "counter" in runner.job(planning, "SSH_KEY")
    assert "counter created on h1" in runner.job(applying, "SSH_KEY")
    assert "othing to do" in runner.job(applying, "SSH_KEY")
    assert "othing to do" in runner.job(planning, "SSH_KEY")
