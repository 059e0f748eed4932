"""A program that ends at once: said at once, with its exit code and its last words. Real hosts."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from reconciler.lab import Lab
from tests.lab.repo import Repo

pytestmark = pytest.mark.lab
WITHIN = 300
"""Seconds the health check would wait; a test that takes as long has waited for it."""
TCP = {"tcp": {"port": 9000}, "within": f"{WITHIN}s"}
COMMAND = {"command": ["false"], "within": f"{WITHIN}s"}


@pytest.fixture
def repo(tmp_path: Path, clean_lab: Lab) -> Repo:
    return Repo(tmp_path, clean_lab, patience=WITHIN)


@pytest.mark.parametrize("check", [TCP, COMMAND, None])
def test_a_created_container_that_ends(repo: Repo, check: dict | None) -> None:
    command = ["sh", "-c", "echo starting; sleep 0.2; echo 'cannot open the database' >&2; exit 3"]
    repo.counter(container={"command": command}, health=check)
    begun = time.monotonic()
    shown = repo.apply(expect=1)
    assert time.monotonic() - begun < WITHIN / 2
    for text in (shown.stdout, repo.run("history").stdout):
        assert "counter ended (exit code 3)" in text
    assert "cannot open the database" in shown.stdout and "nsenter" not in shown.stdout
    assert "failed, put back" in shown.stdout
    noted = repo.json("history")["runs"][0]["notes"]
    assert any("cannot open the database" in note["text"] for note in noted)


def test_a_container_that_ends_after_its_restore_goes_back(repo: Repo) -> None:
    for host in ("h1", "h2"):
        repo.lab.exec(host, ["mkdir", "-p", "/srv/flag"])
    repo.lab.exec("h1", ["rm", "-f", "/srv/flag/there"])
    repo.lab.exec("h2", ["touch", "/srv/flag/there"])
    command = ["sh", "-c", "until [ -e /flag/there ]; do sleep 0.02; done; echo 'a flag was seen'; exit 7"]
    mounts = [{"source": "/srv/flag", "target": "/flag"}]
    repo.counter(container={"command": command, "mounts": mounts}, health=COMMAND | {"command": ["true"]})
    repo.apply()
    repo.place("counter", "h2")
    begun = time.monotonic()
    shown = repo.apply(expect=1).stdout
    assert time.monotonic() - begun < WITHIN / 2
    assert "counter ended (exit code 7)" in shown and "a flag was seen" in shown
    assert repo.running_on() == ["h1"]
