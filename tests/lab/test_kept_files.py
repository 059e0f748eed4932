"""Files that belong to no volume and no image are there after a move as they were: names that somebody has added,
the log, what is in /dev/shm. Real: hosts, Podman, runc and crun, CRIU."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.lab import Lab
from tests.lab.repo import Repo

pytestmark = pytest.mark.lab

WRITES = """
    echo 10.1.2.3 db.internal >>/etc/hosts
    echo options timeout:3 >>/etc/resolv.conf
    mkdir /dev/shm/folder
    dd if=/dev/zero of=/dev/shm/folder/segment bs=1 count=1 seek=1073741823 2>/dev/null
    chmod 640 /dev/shm/folder/segment
    echo said before; echo and complained >&2
    exec 3</etc/hosts 4</dev/shm/folder/segment
    while :; do sleep 1; done
"""
LOOK = """
    cat /etc/resolv.conf; grep -c . /etc/hosts; grep db.internal /etc/hosts
    cd /dev/shm/folder; stat -c '%n %a %u:%g %s %y' . segment; [ $(stat -c %b segment) -lt 100 ]; ls /run
"""


@pytest.fixture
def repo(tmp_path: Path, clean_lab: Lab) -> Repo:
    return Repo(tmp_path, clean_lab)


def seen(repo: Repo, host: str) -> str:
    lab = repo.lab
    logs = lab.exec(host, ["podman", "logs", "counter"])
    files = lab.exec(host, ["podman", "exec", "counter", "sh", "-ec", LOOK])
    return f"{logs.stdout}{logs.stderr}{files.stdout}"


@pytest.mark.parametrize("runtime", ["runc", "crun"])
def test_there_and_back(repo: Repo, runtime: str) -> None:
    """/dev/shm is 64 MB, and the segment 1 GiB of which there are 4 KiB. A crun that has CRIU run no script puts
    neither that back nor /etc/hosts before CRIU opens them, which plans and CRIU refuse."""
    writes = WRITES
    if runtime == "crun":
        writes = writes.replace("seek=1073741823", "seek=100").replace("3</etc/hosts ", "")
    repo.counter(container={"ociRuntime": runtime, "command": ["sh", "-c", writes]})
    del repo.workloads["counter"]["health"]
    repo.write()
    repo.apply()
    before = seen(repo, "h1")
    for line in ("10.1.2.3 db.internal", "options timeout:3", "said before", "and complained", "segment 640 0:0"):
        assert line in before
    for host in ("h2", "h1"):
        repo.place("counter", host)
        repo.apply()
        assert repo.running_on() == [host]
        assert seen(repo, host) == before
