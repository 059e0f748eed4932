"""`update: {strategy: side-by-side}`: the old version comes up beside the new one, as it was, and nobody takes it
for the workload. Real: hosts, SSH, Podman, CRIU, the processes, clients that connect again."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.lab import Lab
from tests.lab.clients import Coming
from tests.lab.repo import RECONCILE, Repo
from tests.lab.test_checkpoints import on
from tests.lab.test_copies import LEFT, begun

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

COPY = "counter-before--copy"
ALLOWED = ("--allow-interruptions", "1")
WHOLE = """use IO::Socket::INET; my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:9000")
 or die; print $s "sum\\n"; print scalar <$s>;"""
"""Asks for the checksum of all memory, which no other process has."""


@pytest.fixture
def repo(tmp_path: Path, clean_lab: Lab) -> Iterator[Repo]:
    made = Repo(tmp_path, clean_lab, patience=300)
    for host in ("h1", "h2", "h3"):
        on(made, host, "rm -rf /var/lib/reconciler/checkpoints/counter")
    wants(made)
    made.apply()
    yield made
    made.run("resume", expect=None)
    made.run("discard", "counter-before", expect=None)
    for host in ("h1", "h2", "h3"):
        assert on(made, host, LEFT) == "", host


def wants(repo: Repo, *, memory: int = 16, health: str = "[ -e /data/count ]", **update: str) -> None:
    """Another size of its memory is another version."""
    command = ["/bin/counter", "--memory", str(memory), "--port", "9000", "--file", "/data/count"]
    repo.counter(
        container={"volumes": [{"name": "counter-data", "target": "/data"}], "command": command},
        health={"command": ["sh", "-c", health], "within": "5s"},
        update={"strategy": "side-by-side", "ttl": "30m", **update},
    )


def checksum(repo: Repo) -> str:
    with socket.create_connection((repo.address(), 9000), timeout=10) as one:
        one.sendall(b"sum\n")
        return one.recv(64).decode().strip()


def of_copy(repo: Repo) -> str:
    inside = f"nsenter -t $(podman inspect {COPY} --format '{{{{.State.Pid}}}}') -n"
    return on(repo, "h1", f"{inside} perl -e '{WHOLE}'")


def counts(repo: Repo, name: str) -> list[int]:
    return [int(line) for line in repo.run("exec", name, "cat", "/data/count").stdout.split()]


def test_the_old_version_is_beside_the_new_one(repo: Repo) -> None:
    time.sleep(3)
    was = checksum(repo)
    wants(repo, memory=17)
    shown = repo.run("plan").stdout
    assert "counter-before on h1, without network, for 30m" in shown, shown
    (planned,) = repo.json("plan")["changes"]
    assert planned["outlook"]["saved"]["beside"]["copyName"] == COPY
    with Coming(repo.address()) as client:
        time.sleep(1)
        (done,) = repo.json("apply", "--yes", *ALLOWED)["changes"]
        time.sleep(1)
        client.stop()
    made = done["beside"]
    assert (done["state"], made["copyName"], made["host"], made["message"]) == ("done", COPY, "h1", "")
    # The new one counts from the beginning, in the workload's volume; the old one knows what it knew, and goes on.
    assert client.counts[-1] < max(client.counts)
    now, then = counts(repo, "counter"), counts(repo, "counter-before")
    assert now[:2] == then[:2] and now[-1] != then[-1] and then[-1] > 0, (now, then)
    assert checksum(repo) != was
    assert of_copy(repo) == was
    time.sleep(2)
    later = counts(repo, "counter-before")
    assert later[: len(then)] == then and later[-1] > then[-1] and later == sorted(set(later)), later
    # It is no second workload.
    assert repo.run("exec", "counter-before", "ls", "/sys/class/net").stdout.split() == ["lo"]
    (row,) = repo.json("get")["copies"]
    assert (row["name"], row["host"], row["state"], row["checkpoint"]) == (
        COPY,
        "h1",
        "running",
        made["checkpoint"],
    )
    assert repo.json("status")["exitCode"] == 0 and repo.json("plan")["changes"] == []
    assert repo.running_on() == ["h1"]
    print(f"a client that connects again waited {client.longest_gap_seconds:.2f} s; stoppedS {done['stoppedS']}")
    # The next update's takes its place, and goes when its time is over.
    second = checksum(repo)
    wants(repo, memory=18, ttl="1s")
    assert made["checkpoint"] in repo.run("plan").stdout
    (done,) = repo.json("apply", "--yes", *ALLOWED)["changes"]
    assert done["beside"]["checkpoint"] != made["checkpoint"] and done["beside"]["message"] == ""
    assert of_copy(repo) == second
    repo.apply()
    assert repo.json("get")["copies"] == [] and on(repo, "h1", LEFT) == ""


def test_one_that_is_not_healthy_goes_back_and_leaves_no_copy(repo: Repo) -> None:
    time.sleep(2)
    was = checksum(repo)
    wants(repo, memory=17, health="false")
    with Coming(repo.address()) as client:
        time.sleep(1)
        (done,) = repo.json("apply", "--yes", *ALLOWED, expect=1)["changes"]
        time.sleep(1)
        client.stop()
    assert done["state"] == "put-back" and done["beside"] is None, done
    assert checksum(repo) == was
    print(f"a client that connects again waited {client.longest_gap_seconds:.2f} s at most; {done['became']}")
    assert repo.json("get")["copies"] == [] and repo.json("status")["exitCode"] == 0
    assert repo.running_on() == ["h1"]


def test_a_copy_that_cannot_be_made_is_a_warning_and_can_be_made_later(repo: Repo) -> None:
    """Its checkpoint is damaged as soon as it is whole, and mended afterwards."""
    time.sleep(2)
    was = checksum(repo)
    spoil = """at=/var/lib/reconciler/checkpoints/counter
        for i in $(seq 900); do f=$(ls $at/*/manifest.json 2>/dev/null) && break; sleep 0.05; done
        cd "${f%/manifest.json}" && cp images.tar* /root/ && truncate -s -1 images.tar*"""
    wants(repo, memory=17)
    job = repo.start("apply", "--yes", *ALLOWED, "--json")
    on(repo, "h1", spoil)
    output, _ = job.communicate(timeout=200)
    document = json.loads(output)
    (done,), (warned,) = document["changes"], document["untidied"]
    assert (job.returncode, done["state"], done["beside"]["until"]) == (0, "done", None), document
    assert "damaged" in done["beside"]["message"] and warned["code"] == "C387", document
    again = warned["message"].partition("to try again: reconcile ")[2].split()
    assert again[:1] == ["restore"], warned
    on(repo, "h1", "cp /root/images.tar* /var/lib/reconciler/checkpoints/counter/*/; rm /root/images.tar*")
    assert checksum(repo) != was and repo.running_on() == ["h1"]
    assert repo.json(*again)["copyName"] == COPY
    assert of_copy(repo) == was
    # From another machine nobody knows the spec of then.
    repo.run("discard", "counter-before")
    repo.journal = "other.db"
    assert "P452" in repo.run(*again, expect=1).stderr


@pytest.mark.nightly
@pytest.mark.parametrize("kind", ["remove", "stage", "unpack", "restore", "retire"])
def test_a_controller_that_dies_while_it_is_made(repo: Repo, kind: str) -> None:
    time.sleep(2)
    was = checksum(repo)
    wants(repo, memory=17)
    job = subprocess.Popen(
        [RECONCILE, "apply", "--yes", *ALLOWED],
        cwd=repo.folder,
        env=repo.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while job.poll() is None and time.monotonic() < deadline and kind not in begun(repo):
        time.sleep(0.01)
    job.kill()
    job.wait()
    if repo.run("status", expect=None).returncode or not repo.json("get")["copies"]:
        repo.run("resume")
    assert repo.json("status")["exitCode"] == 0 and repo.running_on() == ["h1"]
    (row,) = repo.json("get")["copies"]
    assert (row["state"], row["settled"]) == ("running", True) and of_copy(repo) == was
