"""Pods through the real program and real specs: made, looked at, changed, put back, saved with a connected client.
Real: containerd, CNI, runc, CRIU, Linux. Fake: the kubelet, a process of that name."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from reconciler.lab import DEMO_IMAGE, Lab, Probe
from tests.lab.dockers import running_on
from tests.lab.pods import address, pods
from tests.lab.repo import Repo

pytestmark = [pytest.mark.lab, pytest.mark.cri, pytest.mark.timeout(600)]

CHANGES = "--allow-interruptions", "1"


@pytest.fixture
def repo(tmp_path: Path, without_pods: Lab) -> Repo:
    return Repo(tmp_path, without_pods, patience=240)


def counter(repo: Repo, *command: str, memory: int = 16, **fields: object) -> None:
    container = {"image": DEMO_IMAGE, "command": [*command] or ["/bin/counter", "--memory", str(memory)], **fields}
    repo.workloads["counter"] = {
        "runtime": "cri",
        "container": container,
        "placement": {"host": "h1"},
        "health": {"tcp": {"port": 9000}, "within": "5s"},
    }
    repo.write()


def test_a_pods_life(repo: Repo) -> None:
    counter(repo, "/bin/sh", "-c", "echo first; echo $WHO >&2; exec /bin/counter", env={"WHO": "second"})
    repo.apply()
    assert running_on(repo.lab) == ["h1"]
    assert "Nothing to do" in repo.apply().stdout
    assert sorted(repo.run("logs", "counter").stdout.splitlines()[:2]) == ["first", "second"]  # two pipes
    assert len(repo.run("logs", "counter", "--tail", "1").stdout.splitlines()) == 1
    assert repo.run("exec", "counter", "sh", "-c", "echo in; exit 7", expect=7).stdout == "in\n"

    repo.workloads["counter"]["state"] = "stopped"
    repo.write()
    repo.apply(*CHANGES)
    assert running_on(repo.lab) == []
    del repo.workloads["counter"]["state"]
    repo.write()
    repo.apply()
    assert running_on(repo.lab) == ["h1"]

    repo.workloads["counter"]["state"] = "absent"
    repo.write()
    repo.apply("--allow-removals", "1")
    assert pods(repo.lab, "h1") == []
    assert repo.lab.exec("h1", ["ls", "/var/log/pods", "/var/lib/reconciler/cri"]).stdout.split() == [
        "/var/lib/reconciler/cri:",
        "/var/log/pods:",
    ]


def test_what_is_not_well_gives_way_to_what_was_before(repo: Repo) -> None:
    counter(repo)
    repo.apply()
    counter(repo, "/bin/sh", "-c", "echo no such thing; exit 3")
    said = repo.apply(*CHANGES, expect=1)
    assert "no such thing" in said.stderr + said.stdout and "put back" in said.stdout
    assert running_on(repo.lab) == ["h1"]
    counter(repo)
    assert "Nothing to do" in repo.apply().stdout
    assert len(pods(repo.lab, "h1")) == 1


def test_it_is_saved_and_its_client_notices_nothing(repo: Repo) -> None:
    counter(repo, memory=64)
    repo.apply()
    repo.run("exec", "counter", "sh", "-c", "echo changed > /etc/kept")
    with Probe(address(repo.lab, "h1"), checksums=True) as probe:
        said = repo.run("checkpoint", "counter").stdout
        seen = probe.stop()
    assert seen.survived and seen.memory_intact, seen
    print(said, f"longest wait {seen.longest_wait_seconds:.2f} s")
    (row,) = repo.json("checkpoints", "list")["checkpoints"]
    kept = repo.lab.folder / "hosts/h1/reconciler/checkpoints/counter" / row["id"]  # the host's disk
    assert "counter" in repo.run("checkpoints", "show", str(kept / "images.tar.zst")).stdout
    names = subprocess.run(["zstdcat", kept / "1.names.zst"], check=True, capture_output=True).stdout
    assert b"etc/kept" in names
    repo.run("checkpoints", "verify", "counter")
    assert "Nothing to do" in repo.apply().stdout
    assert repo.lab.exec("h1", ["sh", "-c", "grep checkpoint /proc/mounts"], check=False).stdout == ""


def test_a_place_is_refused_before_anything_is_made(repo: Repo) -> None:
    counter(repo)
    repo.lab.exec("h1", ["sh", "-c", "mkdir -p /var/lib/kubelet && : > /var/lib/kubelet/config.yaml"])
    said = repo.run("plan", expect=1).stdout
    assert "cri.kubelet" in said and "a kubelet owns the pods of h1" in said
    assert "cri.kubelet" in repo.run("doctor", "h1", expect=None).stdout
    repo.lab.exec("h1", ["rm", "-r", "/var/lib/kubelet"])
    repo.apply()
    assert running_on(repo.lab) == ["h1"]
