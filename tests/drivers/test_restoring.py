"""CRIU's action script of a restore, where its network was put back early. Real: the script, and a task in a
network namespace of its own. Fake: what enters that, which writes down what it was asked."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
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
    if early is not None:
        (tmp_path / "early").write_text(early)
    at(tmp_path, "post-setup-namespaces", pid)
    asked, unlike = tmp_path / "asked", tmp_path / "unlike"
    return asked.read_text().split() if asked.exists() else [], unlike.read_text() if unlike.exists() else ""


def at(home: Path, point: str, pid: int) -> None:
    """Run the script as CRIU does there."""
    images, tools = home / "checkpoint", home / "tools"
    for folder in (images, tools):
        folder.mkdir(exist_ok=True)
    (tools / "nsenter").write_text(f'#!/bin/sh\necho "$1" >>{home}/asked\n')
    (tools / "nsenter").chmod(0o755)
    script = restoring_script().decode()
    assert WAIT in script
    (home / "restoring").write_text(script.replace(WAIT, "EARLY_WAIT=3"))
    told = {"CRTOOLS_SCRIPT_ACTION": point, "CRTOOLS_INIT_PID": str(pid)}
    told |= {"CRTOOLS_IMAGE_DIR": str(images), "PATH": f"{tools}:{os.environ['PATH']}"}
    subprocess.run(["sh", str(home / "restoring")], env=told, check=True, timeout=60)


def test_what_was_put_back_early_is_not_put_back_again(tmp_path: Path, task: int) -> None:
    assert restored(tmp_path, task, f"/proc/{task}/ns/net\n") == ([], "")


@pytest.mark.parametrize("early", [None, "/proc/self/ns/net\n", "/nowhere\n"])
def test_what_was_not_or_was_another_is_put_back_now(tmp_path: Path, task: int, early: str | None) -> None:
    assert restored(tmp_path, task, early) == ([f"--net=/proc/{task}/ns/net"], "")


def test_what_does_not_end_is_told_and_nobody_works_beside_it(tmp_path: Path, task: int) -> None:
    """The source is not let go then."""
    assert restored(tmp_path, task, "") == ([], LATE)


WAS = "127.0.0.1\tlocalhost\n10.0.0.5\tdb\n10.1.1.1\thost.containers.internal\n"
IS = "127.0.0.1\tlocalhost\n10.2.2.2\thost.containers.internal\n"
BECOMES = "127.0.0.1\tlocalhost\n10.0.0.5\tdb\n10.2.2.2\thost.containers.internal\n"


def engine_files(home: Path, network: str | None) -> Path:
    """What an engine has made for a container, and says of it; the file of names, which somebody has edited."""
    userdata = home / "run" / home.parent.name / home.name
    userdata.mkdir(parents=True)
    names = userdata / "hosts"
    names.write_text(IS)
    state = home / "checkpoint" / "state"
    state.mkdir(parents=True)
    (state / "hosts").write_text(WAS)
    (state / "hosts.time").write_text("1600000000.5\n")
    spaces = [{"type": "pid"}, *([{"type": "network", "path": network}] if network else [])]
    mounts = [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/etc/hosts", "type": "bind", "source": str(names), "options": ["bind"]},
    ]
    text = json.dumps({"mounts": mounts, "linux": {"namespaces": spaces}}, separators=(",", ":"))
    (home / "config.json").write_text(text)
    return names


def ends(path: Path, wanted: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20
    while not wanted():
        assert time.monotonic() < ends, f"{path} did not come to that"
        time.sleep(0.01)


def test_names_are_put_back_early_with_the_network_and_only_then(tmp_path: Path, task: int) -> None:
    """What was edited is as it was, what is this host's own stays, and who waits for the network waits for it."""
    network = f"/proc/{task}/ns/net"
    names, early = engine_files(tmp_path, network), tmp_path / "early"
    at(tmp_path, "pre-restore", task)
    ends(early, lambda: early.read_text() == f"{network}\n")
    assert names.read_text() == BECOMES
    assert names.stat().st_mtime_ns == 1600000000_500000000
    names.write_text(IS)
    at(tmp_path, "post-setup-namespaces", task)
    assert (names.read_text(), (tmp_path / "asked").read_text()) == (IS, f"--net={network}\n")


@pytest.mark.parametrize("other", ["another's", "a link"])
def test_a_file_that_is_not_the_containers_own_is_left_alone(tmp_path: Path, task: int, other: str) -> None:
    names, early = engine_files(tmp_path, f"/proc/{task}/ns/net"), tmp_path / "early"
    if other == "a link":
        kept = names.rename(tmp_path / "kept")
        names.symlink_to(kept)
    else:
        (tmp_path / "other").mkdir()
        kept = names.rename(tmp_path / "other" / "hosts")
        config = tmp_path / "config.json"
        config.write_text(config.read_text().replace(str(names), str(kept)))
    at(tmp_path, "pre-restore", task)
    ends(early, lambda: early.read_text() != "")
    assert kept.read_text() == IS


def test_who_finds_nothing_to_do_early_leaves_it_to_who_comes_later(tmp_path: Path, task: int) -> None:
    names, early = engine_files(tmp_path, None), tmp_path / "early"
    at(tmp_path, "pre-restore", task)
    ends(early, lambda: not early.exists())
    assert names.read_text() == IS
    at(tmp_path, "post-setup-namespaces", task)
    assert (tmp_path / "asked").read_text() == f"--net=/proc/{task}/ns/net\n"
