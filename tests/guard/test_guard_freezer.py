"""The cgroup that the hook freezes before CRIU would: whatever ends a dump, what still runs is thawed and has its
network. Real: a cgroup of version 2, its freezer, a network namespace. Fake: CRIU."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Group:
    """A workload's own cgroup, with a process in it that has its own network namespace with one interface."""

    path: Path
    pid: int

    def file(self, name: str) -> str:
        return (self.path / name).read_text()

    def is_frozen(self) -> bool:
        return "frozen 1" in self.file("cgroup.events") or self.file("cgroup.freeze") != "0\n"

    def ip(self, *words: str) -> str:
        argv = ["nsenter", "-t", str(self.pid), "-n", "ip", *words]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout

    def is_up(self) -> bool:
        return "UP" in self.ip("-o", "link", "show", "eth0").split("<")[1].split(">")[0].split(",")

    def is_well(self) -> bool:
        return not self.is_frozen() and self.is_up()


@pytest.fixture
def group(host: Any, until: Any) -> Iterator[Group]:
    found = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if " cgroup2 " in line]
    own = Path("/proc/self/cgroup").read_text().splitlines()[-1].removeprefix("0::")
    if os.geteuid() != 0 or not found or not Path(found[0], "cgroup.controllers").exists():
        pytest.skip("needs root and cgroup version 2")
    name = f"tasks-{os.getpid()}"
    path = Path(found[0] + own.rstrip("/"), name)
    host("hook", "web", "hook-test.sh", name)
    try:
        path.mkdir()
    except OSError:
        pytest.skip("no cgroup can be made here")
    if not (path / "cgroup.freeze").exists():
        path.rmdir()
        pytest.skip("this kernel freezes no cgroup")
    pid = host.victim("unshare", "-n")
    mine = os.readlink("/proc/self/ns/net")
    until(lambda: os.readlink(f"/proc/{pid}/ns/net") != mine)
    group = Group(path, pid)
    group.ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
    group.ip("link", "set", "eth0", "up")
    (path / "cgroup.procs").write_text(str(pid))
    host.env |= {"RECONCILER_CGROUPS": found[0], "FAKE_CGROUP": str(path)}
    yield group
    (path / "cgroup.freeze").write_text("0")
    os.kill(pid, signal.SIGKILL)
    until(lambda: not group.file("cgroup.procs").strip())
    path.rmdir()


def criu_of(host: Any) -> int:
    """The fake CRIU: it is the script with the workload's folder as its argument."""
    found = subprocess.run(
        ["pgrep", "-f", f"sh [^ ]*fakecriu.sh {host.path('web')} "], capture_output=True, text=True, check=True
    )
    return int(found.stdout.split()[0])


def test_frozen_before_the_dump_and_thawed_after_it(host: Any, group: Group, until: Any) -> None:
    assert host.hold("web", 2, group.pid, fence=1)["outcome"] == "held"
    assert host.path("web", "hook", "cgroup").read_text().strip() == str(group.path)
    assert not group.is_up()
    host("resume", "web", 2)
    assert group.is_well(), "when resume has answered, it runs"
    until(lambda: not host.path("web", "hook", "net.fenced").exists())


def test_a_dump_that_fails_leaves_nothing_frozen_and_no_interface_down(host: Any, group: Group) -> None:
    host.env["FAKE_FAILS"] = "1"
    assert host.hold("web", 2, group.pid, fence=1)["outcome"] == "exited"
    assert host.path("web", "hook", "net.back").exists(), "they were down"
    assert group.is_well()


def test_a_killed_criu_leaves_nothing_frozen_and_no_interface_down(host: Any, group: Group, until: Any) -> None:
    waiting = host.start(*host.hold_words("web", 2, group.pid, fence=1, dump=5))
    until(host.path("web", "hook", "net.fenced").exists)
    os.kill(criu_of(host), signal.SIGKILL)
    assert until(group.is_well) < 2.0
    waiting.wait()
    host("resume", "web", 2)
    assert group.is_well()


@pytest.fixture
def unlocking(host: Any, group: Group, tmp_path: Path) -> Path:
    """A file with what the freezer was told when connections were unlocked; takes a moment, as Perl does."""
    seen, tools = tmp_path / "seen", tmp_path / "tools"
    tools.mkdir()
    perl = tools / "perl"
    perl.write_text(f"#!/bin/sh\nsleep 0.3\ncat {group.path}/cgroup.freeze >{seen}\n")
    perl.chmod(0o700)
    host.env["PATH"] = f"{tools}:{host.env['PATH']}"
    return seen


@pytest.mark.parametrize("hangs", [False, True])
def test_no_task_runs_before_its_connections_are_unlocked(
    host: Any, group: Group, until: Any, unlocking: Path, hangs: bool
) -> None:
    """A call on a socket in repair mode fails, and a program that closes it then is heard by nobody."""
    waiting = host.start(*host.hold_words("web", 2, group.pid, fence=1, dump=20, freeze=2 if hangs else 60))
    until(host.path("web", "hook", "net.fenced").exists)
    assert not group.is_frozen(), "CRIU has its tasks do things"
    if hangs:
        os.kill(criu_of(host), signal.SIGSTOP)
    else:
        os.kill(criu_of(host), signal.SIGKILL)
    waiting.wait()
    assert unlocking.read_text() == "1\n"
    assert group.is_well(), "when the guard has answered, it runs"


def test_a_killed_criu_and_a_killed_warden(host: Any, group: Group, until: Any, unlocking: Path) -> None:
    waiting = host.start(*host.hold_words("web", 2, group.pid, fence=1, dump=20))
    until(host.path("web", "hook", "net.fenced").exists)
    os.kill(criu_of(host), signal.SIGKILL)
    until(group.is_frozen)
    os.kill(int(host.path("web", "hook", "warden").read_text().split()[0]), signal.SIGKILL)
    waiting.wait()
    assert not group.is_frozen()


def test_a_killed_criu_and_a_killed_guard(host: Any, group: Group, until: Any) -> None:
    """What looks after the cgroup is in a session of its own."""
    waiting = host.start(*host.hold_words("web", 2, group.pid, fence=1, dump=5))
    until(host.path("web", "hook", "net.fenced").exists)
    os.kill(int(host.path("web", "hook", "runner").read_text().split()[0]), signal.SIGKILL)
    (group.path / "cgroup.freeze").write_text("1")  # as if CRIU had just put it back
    os.kill(criu_of(host), signal.SIGKILL)
    assert until(group.is_well) < 2.0
    waiting.wait()


def held_without_criu(host: Any, group: Group, until: Any) -> int:
    """A complete dump whose CRIU is killed; returns the hook that goes on."""
    host.hold("web", 2, group.pid, fence=1, silence=1)
    hook = int(host.path("web", "hook", "held").read_text().split()[1])
    os.kill(criu_of(host), signal.SIGKILL)
    os.kill(group.pid, signal.SIGCONT)  # as the kernel lets go of a dead tracer's tasks
    until(host.path("web", "hook", "status").exists)
    return hook


def test_a_complete_dump_outlives_its_criu(host: Any, group: Group, state_of: Any, until: Any) -> None:
    held_without_criu(host, group, until)
    time.sleep(2.0)  # longer than its controller may be silent: nobody here can unlock its connections
    row = host.show("web")
    assert (row["hook"], row["phase"], row["verdict"]) == ("held", "held", "")
    assert group.is_frozen() and not group.is_up()
    host("commit", "web", 2)
    until(lambda: state_of(group.pid) in ("Z", ""))
    host("release", "web", 2)
    host("resume", "web", 2, expect=85)
    host("mark", "web", 3, "verified", "source", "run-1", "h2")
    assert json.loads(host("resume", "web", 3).stdout.splitlines()[0])["outcome"] == "gone"


def test_going_back_without_criu_takes_the_images(host: Any, group: Group, state_of: Any, until: Any) -> None:
    held_without_criu(host, group, until)
    for _ in range(2):
        assert json.loads(host("resume", "web", 2).stdout.splitlines()[0])["outcome"] == "gone"
        assert state_of(group.pid) in ("Z", "")
        assert host.show("web")["phase"] == "held"
    assert host("run", "web", 2, "held", "--", "echo", "restored").stdout == "restored\n"
    host("commit", "web", 2, expect=79)


def test_neither_criu_nor_its_hook_is_left(host: Any, group: Group, state_of: Any, until: Any) -> None:
    os.kill(held_without_criu(host, group, until), signal.SIGKILL)
    trouble = host.path("web", "hook", "trouble")
    until(lambda: trouble.exists() and "stay frozen" in trouble.read_text())
    row = host.show("web")
    assert (row["hook"], row["phase"]) == ("ended", "held")
    assert group.is_frozen() and state_of(group.pid) not in ("Z", "")
    assert json.loads(host("resume", "web", 3).stdout.splitlines()[0])["outcome"] == "gone"
    assert state_of(group.pid) in ("Z", "")


def test_a_killed_hook_alone_lets_the_tasks_run(host: Any, group: Group, until: Any) -> None:
    host.hold("web", 2, group.pid, fence=1)
    os.kill(int(host.path("web", "hook", "held").read_text().split()[1]), signal.SIGKILL)
    assert until(group.is_well) < 2.0
    assert json.loads(host("resume", "web", 2).stdout.splitlines()[0])["outcome"] == "resumed"


def test_told_to_resume_while_it_is_dumped(host: Any, group: Group, until: Any) -> None:
    waiting = host.start(*host.hold_words("web", 2, group.pid, fence=1, dump=0.3))
    until(host.path("web", "hook", "net.fenced").exists)
    host("resume", "web", 2)
    assert group.is_well()
    waiting.wait()


def test_a_released_source_is_not_thawed_back_to_life(host: Any, group: Group, state_of: Any, until: Any) -> None:
    host.hold("web", 2, group.pid, fence=1)
    host("commit", "web", 2)
    host("release", "web", 2)
    until(lambda: state_of(group.pid) in ("Z", ""))


def test_a_paused_or_foreign_cgroup_is_left_alone(host: Any, group: Group, tmp_path: Path) -> None:
    host.env["RECONCILER_CGROUPS"] = str(tmp_path)
    host.hold("web", 2, group.pid, fence=1)
    assert not host.path("web", "hook", "cgroup").exists()
    assert not group.is_up()
    host("resume", "web", 2)
    assert group.is_well()


@pytest.mark.parametrize("given", ["", "another-one", "tasks"])
def test_a_hook_freezes_only_the_cgroup_it_was_given(host: Any, group: Group, given: str) -> None:
    host("hook", "web", "hook-test.sh", *([given] if given else []))
    host.hold("web", 2, group.pid, fence=1)
    assert not host.path("web", "hook", "cgroup").exists()
    host("resume", "web", 2)
    assert group.is_well()


@pytest.mark.parametrize(
    "given", ["", "..", "a/b", "system.slice", "init.scope", "ssh.service", "-x-y-z", "abc", "a b c d"]
)
def test_what_is_no_cgroup_of_its_own_is_refused(host: Any, given: str) -> None:
    host("hook", "web", "hook-test.sh", given, expect=82)


@pytest.fixture
def paused(host: Any, group: Group) -> Group:
    """An engine has paused it for its dump, and lets it run on when that has ended."""
    host("hook", "web", "hook-test.sh", group.path.name, "paused")
    (group.path / "cgroup.freeze").write_text("1")
    return group


def test_what_an_engine_paused_the_engine_lets_run(host: Any, paused: Group, until: Any) -> None:
    """Thawed by anybody else, it would be taken for paused by its engine from then on."""
    assert host.hold("web", 2, paused.pid, fence=1)["outcome"] == "held"
    assert host.path("web", "hook", "paused").exists() and not paused.is_up()
    (paused.path / "cgroup.freeze").write_text("1")  # as CRIU leaves it, which found it so
    host("resume", "web", 2)
    (paused.path / "cgroup.freeze").write_text("0")  # the engine
    assert until(paused.is_well) < 2.0
    assert not host.path("web", "hook", "kept").exists(), "it cannot be kept frozen"


def test_it_runs_on_also_where_its_engine_was_killed(host: Any, paused: Group, until: Any) -> None:
    waiting = host.start(*host.hold_words("web", 2, paused.pid, fence=1, dump=5))
    until(host.path("web", "hook", "net.fenced").exists)
    (paused.path / "cgroup.freeze").write_text("1")
    os.kill(criu_of(host), signal.SIGKILL)
    waiting.wait()
    assert until(paused.is_well, 10.0) < 10.0


def test_a_hold_goes_on_without_the_engine_that_asked_for_it(host: Any, paused: Group, until: Any) -> None:
    """Its checkpoint command has ended; CRIU and the hook know nothing of that."""
    assert host.hold("web", 2, paused.pid, fence=1)["outcome"] == "held"
    host.path("web", "hook", "status").write_text("1\n")
    assert host.show("web")["hook"] == "held"
    host("commit", "web", 2)
    host("resume", "web", 3, expect=85)
    host("mark", "web", 3, "verified", "source", "-", "-")
    host("resume", "web", 3)
    assert until(paused.is_up) < 5.0
