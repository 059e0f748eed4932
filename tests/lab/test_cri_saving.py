"""Pods whose checkpoint fails, is refused, or whose controller dies meanwhile: they run on, and their client keeps
its connection. Real: containerd, runc, CRIU, Linux. Fake: a CRIU that fails at once."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from reconciler.lab import DEMO_IMAGE, Lab, Probe
from tests.lab.dockers import running_on
from tests.lab.pods import address, pods
from tests.lab.repo import RECONCILE, Repo

pytestmark = [pytest.mark.lab, pytest.mark.cri, pytest.mark.timeout(600)]

FAKE = "/usr/local/sbin/criu"
"""Before the real one where runc looks for it."""
MOUNTED = "grep -c checkpoint /proc/mounts"
CONFIG = "/etc/containerd/config.toml"


@pytest.fixture
def repo(tmp_path: Path, without_pods: Lab) -> Repo:
    made = Repo(tmp_path, without_pods, patience=240)
    made.workloads["counter"] = {
        "runtime": "cri",
        "container": {"image": DEMO_IMAGE, "command": ["/bin/counter", "--memory", "64"]},
        "placement": {"host": "h1"},
        "health": {"tcp": {"port": 9000}, "within": "5s"},
    }
    made.write()
    made.apply()
    return made


def runs_on_alone(repo: Repo) -> None:
    """With nothing left of the checkpoint, and nothing to do."""
    assert running_on(repo.lab) == ["h1"] and len(pods(repo.lab, "h1")) == 1
    assert repo.lab.exec("h1", ["sh", "-c", MOUNTED], check=False).stdout.strip() == "0"
    assert "Nothing to do" in repo.run("plan").stdout


def test_a_dump_that_fails_leaves_a_pod_that_runs(repo: Repo) -> None:
    repo.lab.exec("h1", ["sh", "-c", f"printf '#!/bin/sh\\nexit 1\\n' > {FAKE}; chmod 755 {FAKE}"])
    try:
        with Probe(address(repo.lab, "h1"), checksums=True) as probe:
            said = repo.run("checkpoint", "counter", expect=1)
            seen = probe.stop()
    finally:
        repo.lab.exec("h1", ["rm", "-f", FAKE])
    assert "it runs on" in said.stderr + said.stdout
    assert seen.survived and seen.memory_intact, seen
    runs_on_alone(repo)


def test_a_controller_that_dies_leaves_a_pod_that_runs(repo: Repo) -> None:
    with Probe(address(repo.lab, "h1"), checksums=True) as probe:
        job = subprocess.Popen([RECONCILE, "checkpoint", "counter"], cwd=repo.folder, env=repo.environment())
        deadline = time.monotonic() + 60
        while repo.lab.exec("h1", ["sh", "-c", MOUNTED], check=False).stdout.strip() == "0":
            assert time.monotonic() < deadline and job.poll() is None
            time.sleep(0.02)
        job.kill()
        job.wait()
        repo.run("checkpoint", "counter")  # it may be frozen, and a half is there: both are ended first
        assert repo.json("status")["exitCode"] == 0
        seen = probe.stop()
    assert seen.survived and seen.memory_intact, seen
    runs_on_alone(repo)


def test_what_containerd_does_not_hand_on_is_said_before_anything_is_frozen(repo: Repo) -> None:
    lab = repo.lab
    boot = (lab.subnet, lab.controller_address, lab.spec.container_range("h1"))
    start = (
        f"sed -i 's/org.criu.config/org.example/' {CONFIG}; setsid --fork containerd >/dev/null 2>&1 </dev/null"
    )
    end = "pkill -x containerd; while pgrep -x containerd >/dev/null; do sleep 0.1; done"
    ready = "timeout 30 sh -c 'until ctr version >/dev/null 2>&1; do sleep 0.1; done'"
    try:
        lab.exec("h1", ["sh", "-c", f"{end}; {start}; {ready}"], timeout_seconds=60)
        assert running_on(lab) == ["h1"]  # pods outlive it
        repo.workloads["counter"]["container"]["command"] = ["/bin/counter", "--memory", "8"]
        repo.write()
        said = repo.apply("--allow-interruptions", "1").stdout
        assert "cri.annotation" in said
        with Probe(address(lab, "h1")) as probe:
            refused = repo.run("checkpoint", "counter", expect=1)
            seen = probe.stop()
        assert "container_annotations" in refused.stderr + refused.stdout
        assert seen.survived, seen
    finally:
        lab.exec(
            "h1", ["sh", "-c", f"{end}; sh /run/lab/containerd.sh {' '.join(map(str, boot))}"], timeout_seconds=90
        )
