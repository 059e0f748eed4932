"""Specs straight from a bare repository: planned, applied, moved and told by commit. Real hosts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.lab import Lab
from reconciler.model.labels import LABEL_COMMIT
from tests.lab.repo import Repo
from tests.load.test_git import git

pytestmark = pytest.mark.lab


def test_what_is_pushed_is_planned_and_carried_out(tmp_path: Path, clean_lab: Lab) -> None:
    work, bare = tmp_path / "work", tmp_path / "fleet.git"
    work.mkdir()
    repo = Repo(work, clean_lab)
    git(tmp_path, "init", "-q", "--bare", "-b", "main", str(bare))
    git(work, "init", "-q", "-b", "main")
    git(work, "remote", "add", "origin", str(bare))

    def push(on: str) -> str:
        repo.counter(on=on)
        git(work, "add", "specs")
        git(work, "commit", "-q", "-m", on)
        git(work, "push", "-q", "origin", "main")
        return git(work, "rev-parse", "HEAD")

    elsewhere = Repo(tmp_path / "elsewhere", clean_lab)
    (elsewhere.folder / "specs" / "hosts.yaml").unlink()
    at = ("--repo", str(bare), "--ref", "main")
    first = push("h1")
    elsewhere.apply(*at)
    second = push("h2")
    assert f"specs at {second[:7]}" in elsewhere.run("plan", *at, "--out", "plan.json").stdout
    (elsewhere.folder / "specs").rmdir()
    elsewhere.run("apply", "plan.json", *at)
    assert "running on h2" in elsewhere.run("get", *at).stdout
    label = clean_lab.exec("h2", ["podman", "inspect", "--format", "{{json .Config.Labels}}", "counter"]).stdout
    assert json.loads(label)[LABEL_COMMIT] == second
    elsewhere.run("plan", *at, "--out", "plan.json")
    third = push("h1")
    assert third[:7] in elsewhere.run("apply", "plan.json", *at, expect=8).stderr
    told = elsewhere.run("history").stdout
    assert f"at {second[:7]}" in told and f"at {first[:7]}" in told
