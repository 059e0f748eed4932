"""Workloads that come back from checkpoints, memory and all, and never beside a copy that runs or may run."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from reconciler.lab import Lab, Probe
from tests.lab.repo import Repo
from tests.lab.test_checkpoints import left_behind, on

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

GONE = ("--gone", "h1", "--evidence", "its power was cut by the test")


@pytest.fixture
def repo(tmp_path: Path, clean_lab: Lab) -> Iterator[Repo]:
    made = Repo(tmp_path, clean_lab)
    made.counter(
        container={
            "volumes": [{"name": "counter-data", "target": "/data"}],
            "command": ["/bin/counter", "--memory", "16", "--port", "9000", "--file", "/data/count"],
        }
    )
    made.apply()
    yield made
    Lab.up(clean_lab.name)


def checksum(repo: Repo) -> str:
    """Of the workload's memory: another one for each start."""
    probe = Probe(repo.address(), checksums=True).start()
    return probe.stop().checksum_before


def counted(repo: Repo, host: str) -> list[int]:
    """What it has written into its volume, a line each second."""
    text = repo.lab.exec(host, ["podman", "exec", "counter", "cat", "/data/count"]).stdout
    return [int(line) for line in text.split()]


def test_a_host_dies_and_its_workload_comes_back_elsewhere(repo: Repo) -> None:
    before = checksum(repo)
    kept = repo.json("checkpoint", "counter", "--to", "h2")["checkpoint"]
    saved = counted(repo, "h1")
    repo.lab.kill_host("h1")
    refused = repo.run("restore", "counter", "--on", "h3", expect=1).stderr
    assert "P451" in refused and "it may run on h1" in refused and "--gone h1 --evidence" in refused
    repo.run("restore", "counter", "--on", "h3", "--gone", "h1", expect=4)
    back = repo.json("restore", "counter", "--on", "h3", *GONE)
    assert back["checkpoint"]["id"] == kept["id"] and back["host"] == "h3" and back["gone"] == ["h1"]
    assert back["epoch"] > kept["epoch"] + 500
    assert checksum(repo) == before
    assert repo.running_on() == ["h3"]
    deadline = time.monotonic() + 30
    while (now := counted(repo, "h3"))[-1] <= saved[-1] and time.monotonic() < deadline:
        time.sleep(0.2)
    assert now[: len(saved) - 1] == saved[:-1] and now == sorted(set(now))  # it went on in the very file
    assert left_behind(repo, "h2") == left_behind(repo, "h3") == ""
    # The host comes back; its copy stays down, and nothing is done until it is fenced.
    Lab.up(repo.lab.name)
    assert repo.running_on() == ["h3"]
    again = repo.run("restore", "counter", "--on", "h1", expect=1).stderr
    assert "it is running on h3" in again
    repo.place("counter", "h3")
    an_old_copy_goes(repo, "h1", "h3")


def an_old_copy_goes(repo: Repo, old: str, runs_on: str) -> None:
    """Of a host that came back: told, and removed when a person says so."""
    assert "old-copy" in repo.run("plan", expect=1).stdout
    (told,) = repo.json("status", expect=1)["unfinished"]
    assert told["next"] == f"reconcile resolve counter --owner {runs_on} --evidence TEXT", told
    repo.run("resolve", "counter", "--owner", runs_on, "--evidence", "it runs there")
    assert repo.run("status").returncode == 0 and "Nothing to do" in repo.run("plan").stdout
    assert repo.running_on() == [runs_on]
    started = repo.lab.exec(old, ["podman", "start", "counter"], check=False)
    assert started.returncode != 0 and repo.running_on() == [runs_on]


@pytest.mark.nightly
def test_a_host_that_is_declared_failed_has_what_it_ran_come_back(repo: Repo) -> None:
    before = checksum(repo)
    kept = repo.json("checkpoint", "counter", "--to", "h2")["checkpoint"]
    damaged = repo.json("checkpoint", "counter", "--to", "h2")["checkpoint"]
    on(repo, "h2", f"truncate -s -1 {damaged['folder']}/images.tar*")
    repo.lab.kill_host("h1")
    repo.place("counter", "h3")
    hosts = repo.folder / "specs" / "hosts.yaml"
    whole = hosts.read_text()
    assert "may be running on h1" in repo.run("plan", expect=1).stdout

    def declare(**more: str) -> None:
        documents = [document for document in yaml.safe_load_all(whole) if document]
        for document in documents:
            if document["metadata"]["name"] == "h1":
                document["spec"] |= more
        hosts.write_text(yaml.safe_dump_all(documents))

    declare(state="failed")
    assert "nothing says how that is known" in repo.run("plan", expect=1).stdout
    declare(state="failed", evidence="its power was cut by the test")
    (change,) = repo.json("plan")["changes"]
    back = change["outlook"]["comeback"]
    assert (change["kind"], back["checkpoint"], back["gone"]) == ("restore", kept["id"], ["h1"])
    assert damaged["id"] in back["skipped"][0] and back["ageS"] > 0
    shown = repo.run("plan").stdout
    assert "what it did since" in shown and "its power was cut by the test" in shown
    repo.apply()
    assert repo.running_on() == ["h3"] and checksum(repo) == before
    assert left_behind(repo, "h2") == left_behind(repo, "h3") == ""
    assert "Nothing to do" in repo.run("plan").stdout  # as long as it is gone
    Lab.up(repo.lab.name)
    assert repo.running_on() == ["h3"]
    an_old_copy_goes(repo, "h1", "h3")


def test_what_is_damaged_is_passed_by_and_what_is_edited_refused(repo: Repo) -> None:
    before = checksum(repo)
    good = repo.json("checkpoint", "counter", "--to", "h2")["checkpoint"]
    bad = repo.json("checkpoint", "counter", "--to", "h2")["checkpoint"]
    on(repo, "h2", f"truncate -s -1 {bad['folder']}/images.tar*")
    verified = repo.json("checkpoints", "verify", "counter", expect=1)["checkpoints"]
    assert {v["checkpoint"]["id"]: v["whole"] for v in verified} == {good["id"]: True, bad["id"]: False}
    repo.run("restore", "counter", "--on", "h3", expect=1)  # it runs
    repo.workloads["counter"]["state"] = "stopped"
    repo.write()
    repo.apply("--allow-interruptions", "1")
    del repo.workloads["counter"]["state"]
    repo.write()
    refused = repo.run("restore", f"counter@{bad['id']}", "--on", "h3", expect=1).stderr
    assert "C373" in refused and "damaged" in refused
    back = repo.json("restore", "counter", "--on", "h3")
    assert back["checkpoint"]["id"] == good["id"] and bad["id"] in back["skipped"][0] and back["fenced"] == ["h1"]
    assert checksum(repo) == before and repo.running_on() == ["h3"]
    repo.place("counter", "h3")
    assert "Nothing to do" in repo.run("plan").stdout


def test_it_goes_back_in_time_on_its_own_host(repo: Repo) -> None:
    before = checksum(repo)
    repo.run("checkpoint", "counter")
    repo.lab.exec("h1", ["podman", "exec", "counter", "sh", "-c", "echo later >/data/later; echo later >/later"])
    repo.lab.exec("h1", ["podman", "kill", "counter"])
    refused = repo.run("restore", "counter", expect=1).stderr
    assert "h1 has counter-data of it" in refused and "--replace" in refused
    repo.run("restore", "counter", "--replace")
    assert checksum(repo) == before and repo.running_on() == ["h1"]
    look = ["podman", "exec", "counter", "sh", "-c", "ls /data /"]
    assert "later" not in repo.lab.exec("h1", look).stdout
    assert "Nothing to do" in repo.run("plan").stdout
    repo.place("counter", "h2")
    repo.apply()
    assert repo.running_on() == ["h2"] and checksum(repo) == before


def test_a_restore_that_fails_leaves_nothing_that_runs(repo: Repo) -> None:
    kept = repo.json("checkpoint", "counter", "--to", "h2")["checkpoint"]
    repo.lab.exec("h1", ["podman", "kill", "counter"])
    repo.workloads["counter"]["health"] = {"tcp": {"port": 9001}, "within": "1s"}
    repo.write()
    repo.run("restore", "counter", "--on", "h3", expect=1)
    assert repo.running_on() == [] and left_behind(repo, "h3") == ""
    repo.workloads["counter"]["container"]["env"] = {"OTHER": "1"}
    repo.write()
    refused = repo.run("restore", f"counter@{kept['id']}", "--on", "h3", expect=1).stderr
    assert "its spec is another one by now: env changed" in refused
    del repo.workloads["counter"]["container"]["env"]
    repo.workloads["counter"]["health"] = {"tcp": {"port": 9000}, "within": "5s"}
    repo.write()
    repo.run("restore", "counter", "--on", "h3")
    assert repo.running_on() == ["h3"]


def test_what_is_kept_is_listed_pinned_and_removed(repo: Repo) -> None:
    one, two = (repo.json("checkpoint", "counter")["checkpoint"]["id"] for _ in "12")
    assert [k["id"] for k in repo.json("checkpoints", "list")["checkpoints"]] == [two, one]
    there = repo.json("checkpoints", "copy", f"counter@{two}", "--to", "h2:/srv/checkpoints")["checkpoint"]
    assert (there["host"], there["id"]) == ("h2", two) and left_behind(repo, "h1") == ""
    elsewhere = repo.json("checkpoints", "verify", "counter", "--in", "h2:/srv/checkpoints")["checkpoints"]
    assert [(found["checkpoint"]["id"], found["whole"]) for found in elsewhere] == [(two, True)]
    on(repo, "h2", "rm -rf /srv/checkpoints")
    assert repo.json("checkpoints", "prune")["places"] == []  # no policy
    repo.run("checkpoints", "pin", f"counter@{one}")
    assert "pinned" in repo.run("checkpoints", "rm", f"counter@{one}", expect=1).stderr
    repo.run("checkpoints", "rm", f"counter@{two}")
    repo.run("checkpoints", "unpin", f"counter@{one}")
    assert "--last" in repo.run("checkpoints", "rm", f"counter@{one}", expect=1).stderr
    repo.run("checkpoints", "rm", f"counter@{one}", "--last")
    assert "No checkpoint was found" in repo.run("checkpoints", "list").stdout
    repo.run("checkpoints", "verify", "counter", expect=4)


@pytest.mark.nightly
def test_a_host_that_is_fenced_has_what_it_ran_come_back(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its power is the lab's."""
    before = checksum(repo)
    kept = repo.json("checkpoint", "counter", "--to", "h2")["checkpoint"]
    fencing = tmp_path / "fencing"
    fencing.mkdir()
    asks = f"from reconciler.lab import Lab; lab = Lab.load({repo.lab.name!r}); "
    state = (
        "state = next(host.state for host in lab.hosts if host.name == 'h1'); print(state); exit(state != 'down')"
    )
    for name, text in (("cut", "lab.kill_host('h1')"), ("is-off", state)):
        (fencing / name).write_text(f"#!/bin/sh\nexec {sys.executable} -c {shlex.quote(asks + text)}\n")
        (fencing / name).chmod(0o755)
    monkeypatch.setenv("RECONCILE_FENCING", str(fencing))
    hosts = repo.folder / "specs" / "hosts.yaml"
    documents = [document for document in yaml.safe_load_all(hosts.read_text()) if document]
    for document in documents:
        if document["metadata"]["name"] == "h1":
            document["spec"] |= {"state": "failed", "fencing": {"command": ["cut"], "verify": ["is-off"]}}
    hosts.write_text(yaml.safe_dump_all(documents))
    repo.place("counter", "h3")
    assert "P495" in repo.run("fence", "h1", expect=1).stderr and repo.running_on() == ["h1"]  # it answers
    cards = "ip -4 -o addr show scope global | while read -r _ card _; do ip link set $card down; done"
    on(repo, "h1", cards)  # it runs on, and nobody can know
    assert "does not confirm that it is off" in repo.run("plan", expect=1).stdout
    assert repo.running_on() == ["h1"]
    assert repo.json("fence", "h1")["said"] == "down"
    (change,) = repo.json("plan")["changes"]
    back = change["outlook"]["comeback"]
    assert (back["checkpoint"], back["evidence"]) == (
        kept["id"],
        "h1: its fencing confirms that it is off (is-off)",
    )
    repo.apply()
    assert repo.running_on() == ["h3"] and checksum(repo) == before
    Lab.up(repo.lab.name)
    assert repo.running_on() == ["h3"]
