"""Checkpoints of what runs: memory and files of one instant, and it runs on, whatever happens meanwhile."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from reconciler.lab import Lab, Probe
from reconciler.stores import directory
from tests.lab.repo import RECONCILE, Repo

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

VOLUME = {"volumes": [{"name": "counter-data", "target": "/data"}]}
WRITER = "i=0; while :; do i=$((i + 1)); printf '%09d' $i 1<>/data/n; printf '%09d' $i 1<>/n; done"
"""The same number into the volume and then into the root filesystem, as fast as it can."""


@pytest.fixture
def repo(tmp_path: Path, clean_lab: Lab) -> Repo:
    made = Repo(tmp_path, clean_lab)
    made.counter(container=VOLUME)
    made.apply()
    return made


def on(repo: Repo, host: str, script: str) -> str:
    return repo.lab.exec(host, ["sh", "-c", script], check=False, timeout_seconds=60).stdout.strip()


def left_behind(repo: Repo, host: str) -> str:
    """Halves of checkpoints, and memory that is kept for images."""
    return on(repo, host, "ls -d /var/lib/reconciler/checkpoints/*/.*.part; grep userdata/checkpoint /proc/mounts")


def test_all_files_are_of_one_instant(repo: Repo) -> None:
    repo.workloads["counter"] = {
        "container": {"image": "localhost/reconciler-demo:1", "command": ["/bin/sh", "-c", WRITER], **VOLUME},
        "placement": {"host": "h1"},
    }
    repo.write()
    repo.apply("--allow-interruptions", "1")
    last = 0
    for _ in range(3):
        kept = repo.json("checkpoint", "counter")["checkpoint"]
        found = []
        for number in ("1", "2"):
            on(repo, "h1", "rm -rf /tmp/out && mkdir /tmp/out")
            argv = directory.shell("unpack", kept["folder"], "/tmp/out", "tree", number)
            repo.lab.exec("h1", list(argv))
            found.append(int(on(repo, "h1", "cat /tmp/out/n")))
        rootfs, volume = found
        assert rootfs <= volume <= rootfs + 1 and rootfs > last, found
        last = rootfs
    assert int(repo.lab.exec("h1", ["podman", "exec", "counter", "cat", "/n"]).stdout) > last
    on(repo, "h1", "rm -rf /tmp/out")


def test_clients_keep_their_connections_wherever_it_is_kept(repo: Repo) -> None:
    with Probe(repo.address(), checksums=True) as probe:
        here = repo.json("checkpoint", "counter")["checkpoint"]
        there = repo.json("checkpoint", "counter", "--to", "h2:/srv/checkpoints")["checkpoint"]
        seen = probe.stop()
    assert seen.survived and seen.memory_intact, seen
    assert (here["host"], there["host"]) == ("h1", "h2") and here["epoch"] < there["epoch"]
    assert there["memoryBytes"] > 16 << 20
    assert on(repo, "h1", "ls /var/lib/reconciler/checkpoints/counter") == here["id"]
    assert on(repo, "h2", "ls /srv/checkpoints/counter") == there["id"]
    assert left_behind(repo, "h1") == left_behind(repo, "h2") == ""
    assert "Nothing to do" in repo.run("plan").stdout
    on(repo, "h2", "rm -rf /srv/checkpoints")


def test_a_controller_that_dies_leaves_a_workload_that_runs(repo: Repo) -> None:
    with Probe(repo.address(), checksums=True) as probe:
        job = subprocess.Popen([RECONCILE, "checkpoint", "counter"], cwd=repo.folder, env=repo.environment())
        deadline = time.monotonic() + 60
        while not left_behind(repo, "h1"):
            assert time.monotonic() < deadline and job.poll() is None
            time.sleep(0.02)
        job.kill()
        job.wait()
        refused = repo.run("plan", expect=1).stdout
        assert "an earlier run that changes it has not ended" in refused
        repo.run("checkpoint", "counter")  # it may be frozen, and a half is there: both are ended first
        assert repo.json("status")["exitCode"] == 0
        seen = probe.stop()
    assert seen.survived and seen.memory_intact, seen
    assert repo.running_on() == ["h1"] and left_behind(repo, "h1") == ""
    assert len(on(repo, "h1", "ls /var/lib/reconciler/checkpoints/counter").split()) == 1


def test_without_room_nothing_happens(repo: Repo) -> None:
    on(repo, "h1", "mkdir -p /mnt/small && mount -t tmpfs -o size=24m tmpfs /mnt/small")
    script = "head -c 20000000 /dev/urandom >/data/much"
    repo.lab.exec("h1", ["podman", "exec", "counter", "sh", "-c", script])
    try:
        with Probe(repo.address()) as probe:
            full = repo.run("checkpoint", "counter", "--to", "h1:/mnt/small/checkpoints", expect=1)
            nowhere = repo.run("checkpoint", "counter", "--to", "h2:/proc/checkpoints", expect=1)
            seen = probe.stop()
        assert on(repo, "h1", "ls /mnt/small/checkpoints/counter") == ""
    finally:
        on(repo, "h1", "umount /mnt/small && rmdir /mnt/small")
    assert seen.survived, seen
    assert "error" in full.stderr
    assert "C372" in nowhere.stderr and "kept on h1 for now" in nowhere.stderr
    assert left_behind(repo, "h1") == left_behind(repo, "h2") == ""
    repo.run("checkpoint", "counter", "--to", "h9", expect=4)
    repo.run("checkpoint", "nothing", expect=4)
    repo.place("counter", "h2")
    repo.apply()
    assert repo.running_on() == ["h2"]


POLICY = """
apiVersion: reconciler/v1alpha1
kind: CheckpointPolicy
metadata: {name: often}
spec: {every: EVERY, recoveryPoint: 1d, store: vault, keep: {last: 1}}
---
apiVersion: reconciler/v1alpha1
kind: CheckpointStore
metadata: {name: vault}
spec: {directory: {host: h2, folder: /srv/checkpoints}}
"""


def test_a_policy_says_when_and_what_is_kept(repo: Repo) -> None:
    repo.workloads["counter"]["checkpoints"] = {"policy": "often"}
    repo.write()
    specs = repo.folder / "specs" / "often.yaml"
    specs.write_text(POLICY.replace("EVERY", "1ms"))
    taken = []
    try:
        for _ in range(2):
            (done,) = repo.json("checkpoint", "--due")["workloads"]
            taken.append(done["taken"]["id"])
            assert 0.005 < done["taken"]["frozenS"] < 60
        assert [kept["id"] for kept in done["removed"]] == taken[:1]
        assert sorted(on(repo, "h2", "ls /srv/checkpoints/counter").split()) == taken[1:]
        listed = repo.json("checkpoints", "list", "counter")["checkpoints"]
        assert [(kept["id"], kept["store"]) for kept in listed] == [(taken[1], "vault")]
        specs.write_text(POLICY.replace("EVERY", "1d"))
        (done,) = repo.json("checkpoint", "--due")["workloads"]
        assert done["taken"] is None and not done["late"] and done["newestAgeS"] < 3600
        assert "Nothing to do" in repo.run("plan").stdout
        repo.lab.exec("h1", ["podman", "kill", "counter"])
        specs.write_text(POLICY.replace("EVERY", "1ms"))
        (done,) = repo.json("checkpoint", "--due", expect=1)["workloads"]
        assert not done["late"] and done["failure"]["code"] == "P450"
    finally:
        on(repo, "h2", "rm -rf /srv/checkpoints")


@pytest.mark.nightly
def test_a_plan_saves_it_before_it_is_made_anew_and_before_it_moves(repo: Repo) -> None:
    repo.workloads["counter"]["checkpoints"] = {"policy": "often"}
    repo.write()
    text = POLICY.replace("EVERY", "1d").replace("keep: {last: 1}", "before: [update, move]")
    (repo.folder / "specs" / "often.yaml").write_text(text)
    try:
        repo.place("counter", "h2")
        assert "first, on vault" in repo.run("plan").stdout
        with Probe(repo.address(), checksums=True) as probe:
            repo.apply()
            seen = probe.stop()
        assert seen.survived and seen.memory_intact, seen
        (moved,) = repo.json("checkpoints", "list", "counter")["checkpoints"]
        assert (moved["takenOn"], repo.running_on()) == ("h1", ["h2"])
        repo.workloads["counter"]["container"]["env"] = {"NEW": "1"}
        repo.write()
        repo.apply("--allow-interruptions", "1")
        made_anew, _ = repo.json("checkpoints", "list", "counter")["checkpoints"]
        assert (made_anew["takenOn"], made_anew["host"]) == ("h2", "h2")
        assert (
            "Nothing to do" in repo.run("plan").stdout and left_behind(repo, "h1") == left_behind(repo, "h2") == ""
        )
        repo.lab.exec("h2", ["podman", "kill", "counter"])
        refused = repo.run("restore", "counter", "--replace", expect=1).stderr
        assert "its spec is another one by now: env changed" in refused
        del repo.workloads["counter"]["container"]["env"]
        repo.write()
        repo.run("restore", "counter", "--replace")
        assert repo.running_on() == ["h2"]
    finally:
        on(repo, "h2", "rm -rf /srv/checkpoints")


APPENDING = "i=0; while :; do i=$((i + 1)); echo $i >>/data/log; echo $i >>/log; sleep 0.02; done"
"""Counts in memory, and writes each number into the volume and into the root filesystem. Files of another
instant than the memory's leave a number out, or have one twice, however it goes on."""
TIMES = 50


def unbroken(repo: Repo, host: str) -> int:
    """The last number in the volume's file. Both files have every number before their last, once and in order."""
    said = repo.lab.exec(
        host, ["podman", "exec", "counter", "sh", "-c", "cat /data/log; echo and; cat /log"]
    ).stdout
    volume, rootfs = (part.split() for part in said.split("and"))
    for found in (volume, rootfs):
        assert found == [str(number) for number in range(1, len(found) + 1)], found[-5:]
    assert len(rootfs) >= len(volume) - 1  # it was read later
    return len(volume)


@pytest.mark.nightly
@pytest.mark.timeout(7200)
def test_every_checkpoint_under_load_is_of_one_instant(repo: Repo) -> None:
    """Each is restored where its workload was killed, on one host and the other in turn, and has to go on
    counting."""
    repo.workloads["counter"] = {
        "container": {"image": "localhost/reconciler-demo:1", "command": ["/bin/sh", "-c", APPENDING], **VOLUME},
        "placement": {"host": "h1"},
    }
    repo.write()
    repo.apply("--allow-interruptions", "1")
    here, there, last = "h1", "h2", 0
    for _ in range(TIMES):
        kept = repo.json("checkpoint", "counter")["checkpoint"]
        repo.lab.exec(here, ["podman", "kill", "counter"])
        repo.run("restore", f"counter@{kept['id']}", "--on", there, "--replace")
        begun = unbroken(repo, there)
        time.sleep(0.2)
        assert last < begun < unbroken(repo, there)
        last, here, there = begun, there, here
        repo.run("checkpoints", "rm", f"counter@{kept['id']}", "--last")
