"""What processes may do is not changed by a move: groups, capabilities, masked paths. Real: hosts, Podman, runc,
crun, CRIU, the kernel."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.lab import Lab
from tests.lab.repo import Repo

pytestmark = pytest.mark.lab

WITHOUT_EFFECT = "/usr/local/sbin/setpriv"
MASKED = """
    stat -c %d:%i /dev/null
    podman exec counter stat -c %d:%i /dev/null /proc/keys /proc/timer_list"""


@pytest.fixture
def repo(tmp_path: Path, clean_lab: Lab) -> Iterator[Repo]:
    program = tmp_path / "bare"
    subprocess.run(["gcc", "-static", "-O1", "-o", program, Path(__file__).with_name("bare.c")], check=True)
    for host in ("h1", "h2"):
        argv = clean_lab.exec_argv(host, ["sh", "-c", "cat >/srv/bare; chmod 755 /srv/bare"])
        subprocess.run(argv, stdin=program.open("rb"), check=True)
    yield Repo(tmp_path, clean_lab)
    for host in ("h1", "h2"):
        clean_lab.exec(host, ["rm", "-f", "/srv/bare", WITHOUT_EFFECT])


def bare(repo: Repo, runtime: str = "runc") -> str:
    """Start it; returns what its processes may do."""
    mount = {"source": "/srv/bare", "target": "/bare", "readOnly": True}
    section = {"command": ["/bare"], "mounts": [mount], "ociRuntime": runtime}
    repo.counter(container=section)
    del repo.workloads["counter"]["health"]
    repo.write()
    repo.apply()
    said = rights(repo, "h1")
    assert said.count("Groups:\t \n") == 2, said
    return said


def rights(repo: Repo, host: str) -> str:
    script = """
        pid=$(podman inspect --format '{{.State.Pid}}' counter)
        for task in $pid $(cat /proc/$pid/task/$pid/children); do
            grep -E '^(Uid|Gid|Groups|Cap...|NoNewPrivs|Seccomp):' /proc/$task/status
        done"""
    return repo.lab.exec(host, ["sh", "-ec", script]).stdout


@pytest.mark.parametrize("runtime", ["runc", "crun"])
def test_groups_and_masked_paths_there_and_back(repo: Repo, runtime: str) -> None:
    before = bare(repo, runtime)
    for host in ("h2", "h1"):
        repo.place("counter", host)
        repo.apply()
        assert repo.running_on() == [host]
        assert rights(repo, host) == before
        of_host, *inside = repo.lab.exec(host, ["sh", "-ec", MASKED]).stdout.split()
        assert len(inside) == 3
        assert len(set(inside)) == 1
        assert of_host not in inside, "root of the container could change who may use the host's /dev/null"


def test_one_that_would_come_back_with_more_groups_goes_back(repo: Repo) -> None:
    """A host where groups cannot be taken away."""
    before = bare(repo)
    broken = f"printf '#!/bin/sh\\nexit 1\\n' >{WITHOUT_EFFECT}; chmod 755 {WITHOUT_EFFECT}"
    repo.lab.exec("h2", ["sh", "-ec", broken])
    repo.place("counter", "h2")
    said = repo.apply(expect=1)
    assert "process 1 has Groups: 0 where it had none" in said.stdout + said.stderr
    assert repo.running_on() == ["h1"]
    assert rights(repo, "h1") == before
