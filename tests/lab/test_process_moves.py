"""Trees of processes without a container engine, through the real program and real specs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconciler.lab import Lab
from reconciler.lab.probe import Probe
from tests.lab import trees
from tests.lab.repo import Repo
from tests.lab.trees import PROGRAM, built, put, segment

pytestmark = pytest.mark.lab

INDEX = 105


@pytest.fixture
def repo(tmp_path: Path, clean_lab: Lab) -> Repo:
    put(clean_lab, built())
    repo = Repo(tmp_path, clean_lab)
    segment(repo)
    return repo


def tree(repo: Repo, memory: int = 64, **fields: object) -> str:
    address = str(repo.lab.subnet[INDEX])
    repo.workloads["counter"] = trees.tree(address, memory, "h1", **fields)
    repo.write()
    return address


def running_on(repo: Repo) -> list[str]:
    """The hosts whose kernel runs the program, whatever anybody noted."""
    found = []
    for host in ("h1", "h2", "h3"):
        if repo.lab.exec(host, ["pgrep", "-x", "counter"], check=False).returncode == 0:
            found.append(host)
    return found


def test_there_and_back_on_one_connection_and_then_there_is_nothing_to_do(repo: Repo) -> None:
    address = tree(repo)
    repo.apply()
    assert running_on(repo) == ["h1"]
    assert "Nothing to do" in repo.apply().stdout
    with Probe(address, checksums=True) as probe:
        for host in ("h2", "h1"):
            repo.place("counter", host)
            planned = repo.run("plan").stdout
            repo.apply()
            assert running_on(repo) == [host]
        seen = probe.stop()
    print(planned)
    print(f"longest wait {seen.longest_wait_seconds:.2f} s")
    assert seen.survived and seen.memory_intact, seen
    assert "Nothing to do" in repo.apply().stdout
    assert repo.lab.exec("h2", ["ls", "/var/lib/reconciler/processes"]).stdout == "", "nothing is left there"


@contextmanager
def no_podman(repo: Repo, host: str) -> Iterator[None]:
    """The program is gone from a host."""
    path = repo.lab.exec(host, ["sh", "-c", "command -v podman"]).stdout.strip()
    repo.lab.exec(host, ["mount", "--bind", "/dev/null", path])
    try:
        assert repo.lab.exec(host, ["podman", "--version"], check=False).returncode == 126
        yield
    finally:
        repo.lab.exec(host, ["umount", path])


def test_a_host_without_podman_is_a_host(repo: Repo) -> None:
    """A tree moves there and back; what wants Podman there is refused, and nothing else."""
    address = tree(repo)
    repo.apply()
    with no_podman(repo, "h2"), Probe(address, checksums=True) as probe:
        report = repo.json("doctor", "h2")["hosts"][0]
        assert report["health"] == "ready" and "podman" not in {p["name"] for p in report["programs"]}
        repo.counter("boxed", on="h2", number=6)
        repo.place("counter", "h2")
        refused = repo.json("plan", expect=None)
        assert {f["where"]["workload"] for f in refused["findings"] if f["code"] == "runtime.missing"} == {"boxed"}
        del repo.workloads["boxed"]
        repo.write()
        repo.apply()
        assert running_on(repo) == ["h2"]
        assert "running on h2" in repo.run("get").stdout
        repo.place("counter", "h1")
        repo.apply()
        seen = probe.stop()
    assert seen.survived and seen.memory_intact, seen
    assert running_on(repo) == ["h1"]


def test_containers_of_a_podman_that_is_gone_are_not_taken_for_absent(repo: Repo) -> None:
    repo.counter(on="h2")
    repo.apply()
    repo.place("counter", "h1")
    with no_podman(repo, "h2"):
        told = repo.json("plan", expect=None)
        assert [(h["host"], h["code"]) for h in told["unknownHosts"]] == [("h2", "H210")]
        assert told["changes"] == []
    assert repo.running_on() == ["h2"]


def test_another_program_or_library_there_is_refused_before_anything_stops(repo: Repo) -> None:
    tree(repo)
    repo.apply()
    before = repo.lab.exec("h1", ["pgrep", "-x", "counter"]).stdout
    repo.place("counter", "h2")
    library = repo.lab.exec(
        "h1", ["sh", "-c", "ldd /bin/sh | sed -n 's/.*=> \\([^ ]*\\) .*/\\1/p'"]
    ).stdout.split()[0]
    for change, undo in (
        (f"printf x >> {PROGRAM}", f"truncate -s -1 {PROGRAM}"),
        (f"mv {PROGRAM} {PROGRAM}.away", f"mv {PROGRAM}.away {PROGRAM}"),
    ):
        repo.lab.exec("h2", ["sh", "-c", change])
        said = repo.apply(expect=1)
        assert PROGRAM in said.stdout and library not in said.stdout, said.stdout
        assert "tree.files" in repo.run("plan", "--json", expect=None).stdout
        repo.lab.exec("h2", ["sh", "-c", undo])
    assert repo.lab.exec("h1", ["pgrep", "-x", "counter"]).stdout == before
    repo.run("plan")


@contextmanager
def another_library(repo: Repo) -> Iterator[None]:
    """h2 has a libc of its own."""
    find = "$(ldd /bin/sh | sed -n 's/.*=> \\([^ ]*libc[^ ]*\\) .*/\\1/p')"
    repo.lab.exec("h2", ["sh", "-c", f"printf x >> $(readlink -f {find})"])
    try:
        yield
    finally:
        repo.lab.exec("h2", ["sh", "-c", f"truncate -s -1 $(readlink -f {find})"])


def test_a_library_is_carried_while_all_others_use_their_hosts(repo: Repo) -> None:
    tree(repo, files="carry")
    repo.apply()
    with another_library(repo):
        repo.place("counter", "h2")
        repo.apply()
        mounted = "cat /proc/$(pgrep -x counter)/mountinfo | grep -c libc"
        assert repo.lab.exec("h2", ["sh", "-c", mounted]).stdout == "1\n"
        repo.place("counter", "h1")
        repo.apply()
        assert running_on(repo) == ["h1"]


def differ(repo: Repo, how: str) -> None:
    """Another program on h2 than on h1."""
    changes = {"other": f"printf x >> {PROGRAM}", "none": f"rm {PROGRAM}"}
    repo.lab.exec("h2", ["sh", "-c", changes[how]])


@pytest.mark.parametrize("how", ["other", "none"])
def test_what_differs_is_carried_there_and_back_and_on(repo: Repo, how: str) -> None:
    """Its new host has another program under that name, or none: the tree sees its own, and nobody else does."""
    address = tree(repo, files="carry")
    repo.apply()
    differ(repo, how)
    theirs = repo.lab.exec("h2", ["sh", "-c", f"sha256sum {PROGRAM}"], check=False).stdout
    own = repo.lab.exec("h1", ["sha256sum", PROGRAM]).stdout
    with Probe(address, checksums=True) as probe:
        for host in ("h2", "h1", "h2"):
            repo.place("counter", host)
            repo.apply()
            assert running_on(repo) == [host]
            seen_by_it = f"nsenter --mount=/proc/$(pgrep -x counter)/ns/mnt sha256sum {PROGRAM}"
            assert repo.lab.exec(host, ["sh", "-c", seen_by_it]).stdout == own
        seen = probe.stop()
    print(f"longest wait {seen.longest_wait_seconds:.2f} s")
    assert seen.survived and seen.memory_intact, seen
    assert "Nothing to do" in repo.apply().stdout
    if how == "other":
        assert repo.lab.exec("h2", ["sha256sum", PROGRAM]).stdout == theirs
    # Started anew it is still the program that it was.
    repo.lab.exec("h2", ["pkill", "-KILL", "-x", "counter"])
    repo.apply()
    assert running_on(repo) == ["h2"]
    repo.place("counter", "h1")
    repo.apply()
    left = f"ls {PROGRAM} /var/lib/reconciler/processes/counter"
    assert PROGRAM not in repo.lab.exec("h2", ["sh", "-c", left], check=False).stdout or how == "other"


def test_what_was_carried_is_gone_when_the_move_was_put_back(repo: Repo) -> None:
    address = tree(repo, files="carry")
    repo.apply()
    differ(repo, "none")
    fake = "cat > /usr/local/sbin/criu && chmod 755 /usr/local/sbin/criu"
    repo.lab.exec("h2", ["sh", "-c", fake], input=FAILS)
    try:
        with Probe(address, checksums=True) as probe:
            repo.place("counter", "h2")
            repo.apply(expect=1)
            assert running_on(repo) == ["h1"]
            assert repo.lab.exec("h2", ["test", "-e", PROGRAM], check=False).returncode == 1
            repo.lab.exec("h2", ["rm", "/usr/local/sbin/criu"])
            repo.apply()
            assert running_on(repo) == ["h2"]
            seen = probe.stop()
    finally:
        repo.lab.exec("h2", ["rm", "-f", "/usr/local/sbin/criu"])
    assert seen.survived and seen.memory_intact, seen


FAILS = """#!/bin/sh
[ "$1" != restore ] || { echo 'Error (fake.c:1): it cannot be restored' >&2; exit 1; }
exec /usr/sbin/criu "$@"
"""


def test_it_runs_on_with_its_connection_when_the_restore_fails_after_the_commit(repo: Repo) -> None:
    address = tree(repo)
    repo.apply()
    fake = "cat > /usr/local/sbin/criu && chmod 755 /usr/local/sbin/criu"
    repo.lab.exec("h2", ["sh", "-c", fake], input=FAILS)
    try:
        with Probe(address, checksums=True) as probe:
            repo.place("counter", "h2")
            said = repo.apply(expect=1)
            assert running_on(repo) == ["h1"]
            seen = probe.stop()
    finally:
        repo.lab.exec("h2", ["rm", "/usr/local/sbin/criu"])
    print(said.stdout, said.stderr)
    assert seen.survived and seen.memory_intact, seen
    left = repo.lab.exec(
        "h2",
        ["sh", "-c", "ls /var/lib/reconciler/processes /run/netns; ls -d /sys/fs/cgroup/reconciler-*"],
        check=False,
    )
    assert left.stdout.split() == ["/run/netns:", "/var/lib/reconciler/processes:"], left.stdout
    repo.apply()
    assert running_on(repo) == ["h2"]


def test_how_it_ended_is_known_wherever_it_went(repo: Repo) -> None:
    tree(repo)
    repo.apply()
    repo.place("counter", "h2")
    repo.apply()
    repo.lab.exec("h2", ["pkill", "-KILL", "-x", "counter"])
    made = json.loads(repo.run("get", "--json").stdout)
    print(made)
    home = "/var/lib/reconciler/processes/counter/own"
    assert repo.lab.exec("h2", ["cat", f"{home}/exit"]).stdout == "137\n"
    assert "ready" in repo.lab.exec("h2", ["cat", f"{home}/output"]).stdout
    repo.apply()
    assert running_on(repo) == ["h2"]
    repo.workloads["counter"]["state"] = "absent"
    repo.write()
    repo.apply("--allow-removals", "1")
    assert running_on(repo) == []


def test_limits_are_kept_or_refused(repo: Repo) -> None:
    tree(repo, limits={"pids": 20})
    able = "pids" in repo.lab.exec("h1", ["cat", "/sys/fs/cgroup/cgroup.controllers"]).stdout.split()
    said = repo.apply(expect=0 if able else 1)
    if able:
        assert repo.lab.exec("h1", ["sh", "-c", "cat /sys/fs/cgroup/reconciler-*/pids.max"]).stdout == "20\n"
    else:
        assert "pids.max cannot be set: its controller is not available" in said.stdout
        assert running_on(repo) == []


def may_limit_others(repo: Repo) -> bool:
    """Whether root has CAP_SYS_RESOURCE. Without it CRIU cannot read the limits of another user's processes."""
    bits = repo.lab.exec("h1", ["sed", "-n", "s/^CapBnd:\\s*//p", "/proc/1/status"]).stdout
    return bool(int(bits, 16) >> 24 & 1)


def test_a_user_has_no_rights_and_can_gain_none(repo: Repo) -> None:
    tree(repo, user="nobody:nogroup", env={"WORDS": "two words\nand a line"})
    repo.apply()
    look = """
        pid=$(pgrep -x counter)
        grep -E '^(Uid|Gid|Groups|CapEff|NoNewPrivs):' /proc/$pid/status
        tr '\\0' '\\n' </proc/$pid/environ
    """
    seen = repo.lab.exec("h1", ["sh", "-c", look]).stdout
    assert "Uid:\t65534\t65534" in seen and "Gid:\t65534\t65534" in seen and "Groups:\t \n" in seen, seen
    assert "CapEff:\t0000000000000000" in seen and "NoNewPrivs:\t1" in seen, seen
    assert "WORDS=two words\nand a line" in seen, seen
    repo.place("counter", "h2")
    if may_limit_others(repo):
        repo.apply()
        assert "CapEff:\t0000000000000000" in repo.lab.exec("h2", ["sh", "-c", look]).stdout
    else:
        assert "CRIU lacks a right it needs" in repo.apply(expect=1).stdout
        assert running_on(repo) == ["h1"]


def test_volumes_move_along_and_its_first_process_starts_it_again(repo: Repo) -> None:
    for host in ("h1", "h2"):
        repo.lab.exec(host, ["mkdir", "-p", "/data"])
    command = [PROGRAM, "--memory", "8", "--file", "/data/count"]
    tree(repo, command=command, volumes=[{"name": "counter-data", "target": "/data"}], restart="on-failure")
    repo.apply()
    repo.place("counter", "h2")
    repo.apply()
    assert running_on(repo) == ["h2"]
    volumes = "/var/lib/reconciler/volumes"
    assert repo.lab.exec("h2", ["ls", f"{volumes}/counter-data/data"]).stdout == "count\n"
    assert repo.lab.exec("h1", ["ls", volumes]).stdout == ""
    repo.lab.exec("h2", ["pkill", "-KILL", "-x", "counter"])
    again = "for _ in $(seq 100); do pgrep -x counter && exit; sleep 0.1; done; exit 1"
    repo.lab.exec("h2", ["sh", "-c", again])
    assert "Nothing to do" in repo.apply().stdout
