"""Copies of checkpoints beside their workload: `restore --as`, `discard`. Real: hosts, SSH, Podman, CRIU, the
processes and a client that stays connected to the workload."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.commands.compose import open_store
from reconciler.lab import Lab, Probe
from tests.lab.repo import RECONCILE, Repo
from tests.lab.test_checkpoints import on

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

COPY = "then--copy"
LEFT = (
    "podman ps -a --format '{{.Names}}' | grep -e --copy; podman volume ls -q | grep -e --copy;"
    " ls /run/netns | grep reconciler; ls -A /var/lib/reconciler/checkpoints | grep -e --copy"
)
"""What a host has of copies."""
COUNTS = "i=0; while :; do i=$((i + 1)); echo $i >/data/n; echo $i >/n; sleep 0.02; done"


@pytest.fixture
def repo(tmp_path: Path, clean_lab: Lab) -> Iterator[Repo]:
    made = Repo(tmp_path, clean_lab, patience=300)
    made.counter(
        container={
            "volumes": [{"name": "counter-data", "target": "/data"}],
            "command": ["/bin/counter", "--memory", "16", "--port", "9000", "--file", "/data/count"],
        }
    )
    made.apply()
    yield made
    made.run("resume", expect=None)
    for host in ("h1", "h2", "h3"):
        assert on(made, host, LEFT) == "", host


def copied(repo: Repo) -> list[dict[str, object]]:
    found: list[dict[str, object]] = repo.json("get")["copies"]
    return found


def test_a_copy_goes_on_from_the_checkpoint_beside_its_workload(repo: Repo) -> None:
    with Probe(repo.address(), checksums=True) as probe:
        kept = repo.json("checkpoint", "counter", "--to", "h3")["checkpoint"]
        repo.lab.exec("h1", ["podman", "exec", "counter", "sh", "-c", "echo later >/data/later"])
        before = repo.run("plan").stdout
        planned = repo.json("restore", "counter", "--as", "then", "--to", "h2", "--plan")
        assert [step["kind"] for step in planned["steps"]][-3:] == ["restore", "confirm", "retire"]
        assert copied(repo) == []
        began = time.monotonic()
        made = repo.json("restore", "counter", "--as", "then", "--to", "h2", "--ttl", "30m")
        print(f"a copy of {kept['memoryBytes']} bytes in {time.monotonic() - began:.1f} s")
        assert (made["copyName"], made["host"], made["checkpoint"]["id"]) == (COPY, "h2", kept["id"])
        # It is the process of then, with files of then, and nothing else of the workload's.
        assert repo.run("exec", "then", "cat", "/data/later", expect=None).returncode == 1
        of_then = [int(line) for line in repo.run("exec", "then", "cat", "/data/count").stdout.split()]
        time.sleep(3)
        now = [int(line) for line in repo.run("exec", COPY, "cat", "/data/count").stdout.split()]
        assert now[: len(of_then)] == of_then and now[-1] > of_then[-1] and now == sorted(set(now)), (of_then, now)
        cards = repo.run("exec", "then", "ls", "/sys/class/net").stdout.split()
        assert cards == ["lo"], cards
        form = "{{.HostConfig.PortBindings}} {{.HostConfig.RestartPolicy.Name}}"
        inspected = on(repo, "h2", f"podman inspect {COPY} --format '{form}'")
        assert inspected == "map[] no"
        sockets = on(repo, "h2", f"nsenter -t $(podman inspect {COPY} --format '{{{{.State.Pid}}}}') -n ss -Htn")
        assert sockets == "", sockets
        # Nobody takes it for the workload, nor for a stranger.
        assert repo.run("plan").stdout == before and repo.json("status")["exitCode"] == 0
        got = repo.json("get")
        assert got["orphans"] == [] and [w["foundHost"] for w in got["workloads"]] == ["h1"]
        (row,) = got["copies"]
        assert (row["name"], row["host"], row["state"]) == (COPY, "h2", "running")
        assert row["checkpoint"] == f"counter@{kept['id']}" and row["until"]
        assert f"{COPY} on h2: running, of counter@{kept['id']}" in repo.run("get").stdout
        assert repo.run("logs", "then").returncode == 0
        # The same name again is refused, another is not needed: it goes, with its volume.
        assert "P452" in repo.run("restore", "counter", "--as", "then", "--to", "h3", expect=1).stderr
        (gone,) = repo.json("discard", "then")["copies"]
        assert gone["name"] == COPY and len(gone["volumes"]) == 1
        assert repo.run("discard", "then", expect=4).returncode == 4
        seen = probe.stop()
    assert seen.survived and seen.memory_intact, seen
    assert repo.lab.exec("h1", ["podman", "exec", "counter", "cat", "/data/later"]).stdout == "later\n"
    assert repo.running_on() == ["h1"]


def counted(repo: Repo, name: str) -> list[str]:
    """What it has written to its volume and its root file system; a file that is just written anew is empty."""
    for _ in range(50):
        if len(found := on(repo, "h1", f"podman exec {name} cat /data/n /n").split()) == 2:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{name} writes nothing")


def test_memory_and_files_are_of_one_instant_on_the_very_host_of_the_workload(repo: Repo) -> None:
    repo.workloads["counter"]["container"] |= {"command": ["/bin/sh", "-c", COUNTS], "restart": "always"}
    repo.workloads["counter"].pop("health", None)
    repo.write()
    repo.apply("--allow-interruptions", "1")
    time.sleep(2)
    kept = repo.json("checkpoint", "counter")["checkpoint"]
    time.sleep(2)
    repo.json("restore", "counter", "--from", kept["takenAt"], "--as", "then", "--to", "h1")
    theirs, its = (counted(repo, name) for name in ("counter", COPY))
    assert int(its[0]) < int(theirs[0]) and abs(int(its[0]) - int(its[1])) <= 1, (its, theirs)
    time.sleep(1)
    assert int(counted(repo, COPY)[0]) > int(its[0])
    # Its time is over: the next command that changes something there removes it.
    repo.run("discard", COPY)
    repo.json("restore", f"counter@{kept['id']}", "--as", "then", "--to", "h1", "--ttl", "1s")
    time.sleep(1.5)
    assert len(copied(repo)) == 1
    repo.run("apply", "--yes")
    assert copied(repo) == [] and repo.running_on() == ["h1"]


def begun(repo: Repo) -> set[str]:
    """Kinds of the steps that runs which have not ended have begun."""
    with open_store(repo.folder / repo.journal, write=False) as journal:
        return {run.plan.step(record.step).kind.value for run in journal.open_runs() for record in run.records}


@pytest.mark.nightly
@pytest.mark.parametrize("kind", ["stage", "unpack", "restore", "confirm"])
def test_a_controller_that_dies_in_the_middle(repo: Repo, kind: str) -> None:
    repo.run("checkpoint", "counter")
    job = subprocess.Popen(
        [RECONCILE, "restore", "counter", "--as", "then", "--to", "h2"],
        cwd=repo.folder,
        env=repo.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while job.poll() is None and time.monotonic() < deadline and kind not in begun(repo):
        time.sleep(0.01)
    job.kill()
    job.wait()
    assert repo.run("plan").returncode == 0
    if repo.run("status", expect=None).returncode:
        assert COPY in repo.run("status", expect=None).stdout
        assert repo.run("discard", "then", expect=None).returncode in (1, 4)
        repo.run("resume")
    if not copied(repo):  # it was undone, and can be given again
        assert on(repo, "h2", LEFT) == ""
        repo.run("restore", "counter", "--as", "then", "--to", "h2")
    (row,) = copied(repo)
    assert (row["state"], row["settled"]) == ("running", True)
    assert repo.run("exec", "then", "cat", "/data/count").stdout
    repo.run("discard", "then")
    assert repo.running_on() == ["h1"]


def test_what_is_damaged_or_edited_is_refused_and_nothing_is_left(repo: Repo) -> None:
    good = repo.json("checkpoint", "counter", "--to", "h2")["checkpoint"]
    bad = repo.json("checkpoint", "counter", "--to", "h2")["checkpoint"]
    on(repo, "h2", f"truncate -s -1 {bad['folder']}/images.tar*")
    refused = repo.run("restore", f"counter@{bad['id']}", "--as", "then", "--to", "h3", expect=1).stderr
    assert "C373" in refused
    assert on(repo, "h3", LEFT) == ""
    made = repo.json("restore", "counter", "--as", "then", "--to", "h3")
    assert made["checkpoint"]["id"] == good["id"] and bad["id"] in made["skipped"][0]
    repo.run("discard", "then")
    on(repo, "h2", f'sed -i \'s/"epoch":[0-9]*/"epoch":1/\' {good["folder"]}/manifest.json')
    assert "P452" in repo.run("restore", f"counter@{good['id']}", "--as", "then", "--to", "h3", expect=1).stderr
    repo.workloads["counter"]["container"]["capAdd"] = ["NET_ADMIN"]  # the spec of now decides
    repo.write()
    assert "another one by now" in repo.run("restore", "counter", "--as", "then", "--to", "h3", expect=1).stderr


def policies(repo: Repo, **rehearse: object) -> None:
    """One by which the workload is saved on h3, and rehearsed."""
    head = {"apiVersion": "reconciler/v1alpha1", "metadata": {"name": "often"}}
    store = {"directory": {"host": "h3", "folder": "/var/lib/reconciler/checkpoints"}}
    policy = head | {"kind": "CheckpointPolicy", "spec": {"every": "1h", "store": "often", "rehearse": rehearse}}
    more = [policy, head | {"kind": "CheckpointStore", "spec": store}]
    text = "".join(f"---\n{json.dumps(document)}\n" for document in more)
    (repo.folder / "specs" / "policy.yaml").write_text(text)
    repo.workloads["counter"]["checkpoints"] = {"policy": "often"}
    repo.write()


def rehearsed(repo: Repo, *words: str, expect: int) -> dict[str, object]:
    (found,) = repo.json("checkpoints", "verify", *words, "--rehearse", "--on", "h2", expect=expect)["checkpoints"]
    told: dict[str, object] = found["checkpoint"]["rehearsed"]
    return told


def test_a_rehearsal_tells_good_from_bad_and_leaves_nothing(repo: Repo) -> None:
    policies(repo, on="h2", every="1d")
    with Probe(repo.address(), checksums=True) as probe:
        began = time.monotonic()
        (due,) = repo.json("checkpoint", "--due")["workloads"]
        print(f"saved and rehearsed in {time.monotonic() - began:.1f} s")
        good, first = due["taken"], due["rehearsed"]["rehearsed"]
        assert first["ok"] and first["host"] == "h2" and first["at"]
        assert on(repo, "h2", LEFT) == "" and copied(repo) == []
        (point,) = (row["recoveryPoint"]["rehearsal"] for row in repo.json("get")["workloads"])
        assert point["why"] == "" and not point["late"] and point["ageS"] < 300
        assert "rehearsed on h2" in repo.run("checkpoints", "list").stdout
        assert repo.json("checkpoints", "show", f"counter@{good['id']}")["rehearsed"] == first
        assert repo.json("plan")["findings"] == []
        bad = repo.json("checkpoint", "counter", "--to", "often")["checkpoint"]
        on(repo, "h3", f"truncate -s -1 {bad['folder']}/images.tar*")
        damaged = rehearsed(repo, f"counter@{bad['id']}", expect=1)
        assert not damaged["ok"] and damaged["host"] is None and "is damaged" in str(damaged["why"])
        assert on(repo, "h2", LEFT) == ""
        (said,) = repo.json("plan")["findings"]
        assert said["code"] == "rehearsal" and bad["id"] in said["message"]
        # One that is whole and does not pass its health check is undone.
        repo.run("checkpoints", "rm", f"counter@{bad['id']}")
        repo.workloads["counter"]["health"] = {"command": ["test", "-e", "/nowhere"], "within": "2s"}
        repo.write()
        ill = rehearsed(repo, "counter@latest", expect=1)
        assert not ill["ok"] and ill["host"] == "h2" and "not healthy" in str(ill["why"]), ill
        assert on(repo, "h2", LEFT) == "" and copied(repo) == []
        seen = probe.stop()
    assert seen.survived and seen.memory_intact, seen
    assert repo.running_on() == ["h1"]
