"""CRIU's action script of a restore, where its network was put back early. Real: the script, and a task in a
network namespace of its own. Fake: what enters that, which writes down what it was asked."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.criu.tasks import restoring_script

WAIT = "EARLY_WAIT=10000"
LATE = "its network is another: it was not put back in time\n"


@pytest.fixture
def task() -> Iterator[int]:
    """The PID of one whose network is not ours."""
    words = ["unshare", "--user", "--map-root-user", "--net", "sh", "-c", "echo there; read go"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as job:
        assert job.stdout is not None
        if job.stdout.readline() != "there\n":
            pytest.skip("no namespaces can be made here")
        yield job.pid
        job.communicate("go\n", timeout=60)


def restored(tmp_path: Path, pid: int, early: str | None) -> tuple[list[str], str]:
    """What was entered, and what is told to be another, after the namespaces of the task are there. `early`: what
    the note of who began early says by then."""
    images, tools, asked = tmp_path / "checkpoint", tmp_path / "tools", tmp_path / "asked"
    for folder in (images, tools):
        folder.mkdir()
    (tools / "nsenter").write_text(f'#!/bin/sh\necho "$1" >>{asked}\n')
    (tools / "nsenter").chmod(0o755)
    if early is not None:
        (tmp_path / "early").write_text(early)
    script = restoring_script().decode()
    assert WAIT in script
    (tmp_path / "restoring").write_text(script.replace(WAIT, "EARLY_WAIT=3"))
    told = {"CRTOOLS_SCRIPT_ACTION": "post-setup-namespaces", "CRTOOLS_INIT_PID": str(pid)}
    told |= {"CRTOOLS_IMAGE_DIR": str(images), "PATH": f"{tools}:{os.environ['PATH']}"}
    subprocess.run(["sh", str(tmp_path / "restoring")], env=told, check=True, timeout=60)
    unlike = tmp_path / "unlike"
    return asked.read_text().split() if asked.exists() else [], unlike.read_text() if unlike.exists() else ""


def test_what_was_put_back_early_is_not_put_back_again(tmp_path: Path, task: int) -> None:
    assert restored(tmp_path, task, f"/proc/{task}/ns/net\n") == ([], "")


@pytest.mark.parametrize("early", [None, "/proc/self/ns/net\n", "/nowhere\n"])
def test_what_was_not_or_was_another_is_put_back_now(tmp_path: Path, task: int, early: str | None) -> None:
    assert restored(tmp_path, task, early) == ([f"--net=/proc/{task}/ns/net"], "")


def test_what_does_not_end_is_told_and_nobody_works_beside_it(tmp_path: Path, task: int) -> None:
    """The source is not let go then."""
    assert restored(tmp_path, task, "") == ([], LATE)
