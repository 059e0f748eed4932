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


def test_a_pull_request_from_its_branch_to_the_history(tmp_path: Path, clean_lab: Lab) -> None:
    """What is reviewed is the plan of the branch; after the merge (fast-forward) that very plan is applied."""
    work, bare = tmp_path / "work", tmp_path / "fleet.git"
    work.mkdir()
    author, ci = Repo(work, clean_lab), Repo(tmp_path / "ci", clean_lab)
    (ci.folder / "specs" / "hosts.yaml").unlink()
    git(tmp_path, "init", "-q", "--bare", "-b", "main", str(bare))
    git(work, "init", "-q", "-b", "main")
    git(work, "remote", "add", "origin", str(bare))

    def commit(on: str, branch: str) -> str:
        author.counter(on=on)
        git(work, "add", "specs")
        git(work, "commit", "-q", "-m", f"to {on}")
        git(work, "push", "-q", "origin", branch)
        return git(work, "rev-parse", "HEAD")

    commit("h1", "main")
    main = ("--repo", str(bare), "--ref", "main")
    ci.apply(*main)
    git(work, "checkout", "-q", "-b", "closer-to-users")
    proposed = commit("h2", "closer-to-users")
    branch = ("--repo", str(bare), "--ref", "closer-to-users")
    comment = ci.run("plan", *branch, "--format", "markdown", "--out", "plan.json").stdout
    page = ci.run("plan", *branch, "--format", "html").stdout
    for report in (comment, page):
        assert "counter" in report and proposed[:7] in report and "h1" in report and "h2" in report
    assert len(comment) < 65_000 and page.startswith("<!doctype html>") and "<svg" in page
    assert "running on h1" in ci.run("get", *main).stdout, "a plan changes nothing"
    git(work, "checkout", "-q", "main")
    git(work, "merge", "-q", "--ff-only", "closer-to-users")
    git(work, "push", "-q", "origin", "main")
    ci.run("apply", "plan.json", *main)
    assert "running on h2" in ci.run("get", *main).stdout
    assert f"at {proposed[:7]}" in ci.run("history").stdout
