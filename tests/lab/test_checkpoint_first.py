"""`update: {strategy: checkpoint-first}`: what fails goes back to the memory, the root filesystem and the volume
of the checkpoint that was taken first. Real: hosts, SSH, Podman, CRIU, the processes."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from reconciler.lab import DEMO_IMAGE, Lab
from tests.lab.repo import RECONCILE, Repo

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]

COUNTS = "i=0; while :; do i=$((i + 1)); echo $i >/data/n; echo $i >/n; sleep 0.01; done"
"""One number in memory, in the volume and in the root filesystem."""
SPOILS = "touch /data/spoiled; echo 0 >/data/n; sleep 1000"
STORE = """
apiVersion: reconciler/v1alpha1
kind: CheckpointStore
metadata: {name: vault}
spec: {directory: {host: h2, folder: /srv/checkpoints}}
"""
ALLOWED = ("--allow-interruptions", "1")


@pytest.fixture
def repo(tmp_path: Path, clean_lab: Lab) -> Repo:
    made = Repo(tmp_path, clean_lab, patience=600)
    (made.folder / "specs" / "store.yaml").write_text(STORE)
    wants(made, COUNTS)
    made.apply()
    return made


def wants(repo: Repo, program: str, host: str = "h1", **update: str) -> None:
    repo.workloads["web"] = {
        "container": {
            "image": DEMO_IMAGE,
            "command": ["/bin/sh", "-c", program],
            "stopTimeout": "1s",
            "volumes": [{"name": "web-data", "target": "/data"}],
        },
        "placement": {"host": host},
        "health": {"command": ["sh", "-c", "[ ! -e /data/spoiled ] && [ -e /data/n ]"], "within": "5s"},
        "update": {"strategy": "checkpoint-first", **update},
    }
    repo.write()


def on(repo: Repo, host: str, script: str) -> str:
    return repo.lab.exec(host, ["sh", "-c", script], check=False, timeout_seconds=60).stdout.strip()


def numbers(repo: Repo, host: str = "h1") -> list[int]:
    """Of the volume and the root filesystem; a little later than in memory. A file is empty right before it is
    written to again."""
    for _ in range(20):
        found = [int(text) for text in on(repo, host, "podman exec web cat /data/n /n").split()]
        if len(found) == 2:
            break
    return found


def it_counts_on(repo: Repo, since: int) -> None:
    """It runs on h1 with what it knew: a container that was started anew counts from 1."""
    assert repo.json("status")["exitCode"] == 0
    here = on(repo, "h1", "podman ps -a --format '{{.Names}} {{.State}}'").split("\n")
    assert here == ["web running"], here
    before = numbers(repo)
    time.sleep(0.5)
    after = numbers(repo)
    assert since <= before[0] < after[0] and abs(after[0] - after[1]) <= 1, (since, before, after)
    assert on(repo, "h1", "podman exec web ls /data") == "n"


def test_what_is_not_healthy_goes_back_to_what_it_was(repo: Repo) -> None:
    time.sleep(3)
    since = numbers(repo)[0]
    wants(repo, SPOILS)
    shown = repo.run("plan").stdout
    assert "frozen for at most 1m" in shown and "way back" in shown and "the checkpoint" in shown
    (done,) = repo.json("apply", "--yes", *ALLOWED, expect=1)["changes"]
    assert done["state"] == "put-back" and "it runs again as it was at web@" in done["became"], done
    assert 0 < done["stoppedS"] < 120
    print(f"did not run for {done['stoppedS']} s: {done['became']}")
    it_counts_on(repo, since)
    assert "put back" in repo.run("plan").stdout
    wants(repo, COUNTS.replace("0.01", "0.02"))
    (done,) = repo.json("apply", "--yes", *ALLOWED)["changes"]
    assert done["state"] == "done"
    print(f"made anew: did not run for {done['stoppedS']} s")
    assert on(repo, "h1", "podman ps -a --format '{{.Names}}'") == "web"


def test_a_checkpoint_in_a_store_brings_it_back_from_another_host(repo: Repo) -> None:
    time.sleep(3)
    since = numbers(repo)[0]
    wants(repo, SPOILS, "h2", store="vault")
    (done,) = repo.json("apply", "--yes", *ALLOWED, expect=1)["changes"]
    assert done["state"] == "put-back" and "it runs again as it was at web@" in done["became"], done
    it_counts_on(repo, since)
    assert on(repo, "h2", "podman ps -aq; podman volume ls -q; ls -A /srv/checkpoints/web | grep part") == ""
    on(repo, "h2", "rm -rf /srv/checkpoints")


@pytest.mark.parametrize("wait", [0.0, 0.6, 1.5])
def test_a_controller_that_dies_while_it_goes_back(repo: Repo, wait: float) -> None:
    """`wait`: seconds after its successor was taken away."""
    time.sleep(2)
    since = numbers(repo)[0]
    wants(repo, SPOILS)
    job = subprocess.Popen(
        [RECONCILE, "apply", "--yes", *ALLOWED], cwd=repo.folder, env=repo.environment(), text=True
    )
    gone = "for i in $(seq 500); do [ -e /proc/1/root{path}/spoiled ] && exit 0; sleep 0.1; done; exit 1"
    path = "$(podman volume inspect --format '{{.Mountpoint}}' web-data)"
    repo.lab.exec("h1", ["sh", "-c", gone.replace("{path}", path)], timeout_seconds=90)
    script = "for i in $(seq 500); do podman container exists web || exit 0; sleep 0.05; done; exit 1"
    repo.lab.exec("h1", ["sh", "-c", script], timeout_seconds=90)
    time.sleep(wait)
    job.kill()
    job.wait()
    if repo.run("status", expect=None).returncode:
        repo.run("resume", expect=0)
    it_counts_on(repo, since)


def test_a_damaged_checkpoint_is_said_and_nothing_is_removed(repo: Repo) -> None:
    wants(repo, SPOILS)
    spoil = """for i in $(seq 600); do f=$(ls /var/lib/reconciler/checkpoints/web/*/manifest.json) && break
        sleep 0.05; done
        for x in "${f%/manifest.json}"/images*; do printf X | dd of="$x" bs=1 seek=9 conv=notrunc; done"""
    job = repo.start("apply", "--yes", *ALLOWED, "--json")
    on(repo, "h1", spoil)
    output, _ = job.communicate(timeout=120)
    assert job.returncode == 1 and "is damaged" in output and "was started anew on h1" in output, output
    assert repo.json("status")["exitCode"] == 0
    assert on(repo, "h1", "podman ps -a --format '{{.Names}} {{.State}}'") == "web running"
    assert on(repo, "h1", "podman exec web ls /data/spoiled") == "/data/spoiled"


def test_a_store_without_room_makes_no_update(repo: Repo) -> None:
    on(repo, "h2", "mkdir -p /srv/checkpoints && mount -t tmpfs -o size=8k tmpfs /srv/checkpoints")
    since = numbers(repo)[0]
    try:
        wants(repo, SPOILS, store="vault")
        (done,) = repo.json("apply", "--yes", *ALLOWED, expect=1)["changes"]
    finally:
        on(repo, "h2", "umount /srv/checkpoints")
    assert done["state"] == "put-back" and done["stoppedS"] is None, done
    it_counts_on(repo, since)
