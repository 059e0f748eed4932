"""Memory that follows from the source after the commit: all of it arrives, and whatever breaks on its way, nobody
ever reads anything else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.lab import Lab, Probe
from tests.lab.repo import Repo, kill
from tests.lab.test_drain import Sums

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
MEMORY = 128
SLOW = "tc qdisc replace dev e0 root tbf rate 64mbit burst 256kb latency 200ms"
"""Of the source: its memory takes some 16 s."""
HOME = "cd /var/lib/containers/storage/overlay-containers/*/userdata"


@pytest.fixture
def repo(tmp_path: Path, clean_lab: Lab) -> Iterator[Repo]:
    repo = Repo(tmp_path, clean_lab, patience=400)
    repo.policy("later", strategy="postcopy")
    yield repo
    for host in ("h1", "h2"):
        clean_lab.exec(host, ["sh", "-c", "tc qdisc del dev e0 root; nft delete table inet cut"], check=False)


def running(repo: Repo, memory: int) -> str:
    """A counter on h1 with all its memory in use; its address."""
    address = repo.counter(memory=memory, migration={"policy": "later"})
    repo.apply()
    repo.place("counter", "h2")
    return address


def left_behind(lab: Lab) -> str:
    script = "grep userdata/checkpoint /proc/mounts; pgrep -a 'criu|python3|perl'; ls /run/reconciler/links"
    return "".join(lab.exec(host, ["sh", "-c", script], check=False).stdout for host in ("h1", "h2"))


def test_memory_follows_while_it_runs(repo: Repo) -> None:
    address = running(repo, 64)
    with Probe(address, checksums=True) as probe:
        assert "both hosts must live for" in repo.run("plan").stdout
        said = repo.apply()
        seen = probe.stop()
    assert seen.survived and seen.memory_intact, seen
    assert repo.running_on() == ["h2"]
    assert "counter: drain h2" in said.stderr
    assert left_behind(repo.lab) == ""
    assert "Nothing to do" in repo.run("plan").stdout


CUT = """
nft 'table inet cut { chain in { type filter hook input priority 0; ip saddr SOURCE drop; }; }'
(sleep 10; nft delete table inet cut) </dev/null >/dev/null 2>&1 &
"""
ENDS = "pkill -9 counter"


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("host", "struck", "ends_on"),
    [
        ("h1", "pkill -9 -f '[a]cknowledged'", "h2"),
        ("h1", "pkill -9 -f '[l]ink feed 1 none'", "h2"),
        ("h2", "pkill -9 -f '[t]here.connect'", "h2"),
        ("h2", CUT, "h2"),
        ("h2", f"{HOME} && read -r pid <keeper.pid && kill -9 $pid", "h2"),
        ("h2", f"{HOME} && read -r pid <lazy-pages.pid && kill -9 $pid", "h2"),
        ("h2", ENDS, "h1"),
        ("h2", f"{HOME} && kill -9 $(cat lazy-pages.pid keeper.pid)", "h2"),
    ],
    ids=["feed", "connection", "relay", "link-cut-10-s", "keeper", "page-server", "workload", "keeper-and-server"],
)
def test_memory_is_what_it_was_whatever_breaks(repo: Repo, host: str, struck: str, ends_on: str) -> None:
    """What only carries it is made anew; without who serves it, the source goes on."""
    lab = repo.lab
    address = running(repo, MEMORY)
    source = lab.subnet[0] + 1
    lab.exec("h1", ["sh", "-c", SLOW])
    with Sums(address) as sums:
        strike = ["sh", "-c", struck.replace("SOURCE", str(source))]
        output, _ = repo.apply_until(
            "+ counter: restore", lambda _: lab.exec(host, strike), expect=0 if ends_on == "h2" else 1
        )
        answers, deadline = len(sums.seen), time.monotonic() + 60
        while len(sums.seen) < answers + 3 and time.monotonic() < deadline:
            time.sleep(0.1)
    assert repo.running_on() == [ends_on], output
    ended = struck == ENDS
    assert ("not all memory of counter arrived" in output) == (ends_on == "h1" and not ended), output
    assert not ended or ("counter" in output and "ended" in output), output
    assert len(set(sums.seen)) == 1, sums.seen
    assert len(sums.seen) > answers, "it answers"
    time.sleep(1.1)  # a keeper looks once a second whether its container is gone
    assert left_behind(lab) == ""


def test_auto_takes_it_where_it_may_and_clients_would_else_wait_for_too_long(repo: Repo) -> None:
    limit = {"strategy": "auto", "maxDowntime": "500ms"}
    repo.policy("later", **limit)
    address = running(repo, 256)
    refused = repo.apply(expect=None)
    assert refused.returncode and "allowPostCopy: true, which would keep it" in refused.stdout, refused
    assert repo.running_on() == ["h1"]
    repo.policy("later", **limit, allowPostCopy=True)
    with Probe(address, checksums=True) as probe:
        assert "post-copy" in repo.run("plan").stdout
        said = repo.apply()
        seen = probe.stop()
    assert seen.survived and seen.memory_intact, seen
    assert repo.running_on() == ["h2"] and "counter: drain h2" in said.stderr


@pytest.mark.nightly
@pytest.mark.parametrize("cut", [1, 10, 60])
def test_while_the_way_is_cut_it_waits_and_status_says_so(repo: Repo, cut: int) -> None:
    lab = repo.lab
    address = running(repo, MEMORY)
    lab.exec("h1", ["sh", "-c", SLOW])
    told: list[dict] = []

    def strike(_: object) -> None:
        source, script = str(lab.subnet[0] + 1), CUT.replace("sleep 10", f"sleep {cut}")
        lab.exec("h2", ["sh", "-c", script.replace("SOURCE", source)])
        if cut == 60:  # a look takes its time
            time.sleep(5)
            told.extend(repo.json("status", expect=None)["unfinished"])

    with Sums(address) as sums:
        repo.apply_until("+ counter: restore", strike, expect=None)
        answers, deadline = len(sums.seen), time.monotonic() + 120
        while len(sums.seen) < answers + 3 and time.monotonic() < deadline:
            time.sleep(0.1)
        repo.run("resume")
    assert repo.running_on() == ["h2"]
    assert len(set(sums.seen)) == 1 and len(sums.seen) > answers, sums.seen
    for row in told:
        assert row["owner"] == "h2" and "reconcile resume" in row["next"], row
        assert 0 < row["memoryMissingBytes"] <= 2 * MEMORY * 2**20 and row["memoryWaitsS"] > 0, row
    assert bool(told) == (cut == 60)
    assert left_behind(lab) == ""


ON_DISK = f"""{HOME}
for round in $(seq 1500); do
    read -r there all <persist.disk && [ "$there" = "$all" ] && exit
    sleep 0.02
done; exit 1"""


@pytest.mark.nightly
@pytest.mark.parametrize("written", [True, False], ids=["written", "not-written"])
def test_a_source_that_loses_power_goes_on_from_its_disk(repo: Repo, written: bool) -> None:
    """Where what follows was written to it. Else what is lost is said, and it stands still."""
    lab = repo.lab
    repo.policy("later", strategy="postcopy", postcopy={"persist": written})
    address = running(repo, MEMORY)
    assert ("its source may lose power" in repo.run("plan").stdout) == written
    lab.exec("h1", ["sh", "-c", SLOW])

    def strike(_: object) -> None:
        if written:
            lab.exec("h1", ["sh", "-c", ON_DISK])
        lab.reboot("h1")

    with Sums(address) as sums:
        output, _ = repo.apply_until("+ counter: restore", strike, expect=None)
        if not written:
            assert "of the memory of counter are lost: h1 lost power" in output
            (row,) = repo.json("status", expect=None)["unfinished"]
            assert 0 < row["memoryLostBytes"] == row["memoryMissingBytes"], row
            assert "are lost" in repo.run("status", expect=None).stdout
            lab.exec("h2", ["podman", "kill", "counter"])
            repo.run("resume", expect=None)
            repo.run("resolve", "counter", "--owner", "h2", "--cold", "--evidence", "it was ended", expect=None)
            repo.apply("--allow-interruptions", "1")
            return
        answers, deadline = len(sums.seen), time.monotonic() + 60
        while len(sums.seen) < answers + 3 and time.monotonic() < deadline:
            time.sleep(0.1)
        repo.run("resume")
    assert repo.running_on() == ["h2"], output
    assert len(set(sums.seen)) == 1 and len(sums.seen) > answers, sums.seen
    assert left_behind(lab) == ""


@pytest.mark.nightly
def test_it_arrives_without_a_controller_and_another_one_ends_the_move(repo: Repo) -> None:
    address = running(repo, MEMORY)
    repo.lab.exec("h1", ["sh", "-c", SLOW])
    with Sums(address) as sums:
        repo.apply_until("+ counter: restore", kill, expect=-9)
        answers, deadline = len(sums.seen), time.monotonic() + 120
        while len(sums.seen) < answers + 3 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert len(sums.seen) > answers, "it runs on"
        repo.journal = "another.db"
        repo.run("resume")
    assert repo.running_on() == ["h2"]
    assert len(set(sums.seen)) == 1, sums.seen
    assert left_behind(repo.lab) == ""


@pytest.mark.nightly
def test_a_source_that_is_switched_off_is_not_waited_for_when_a_person_decides(repo: Repo) -> None:
    """What only it had is lost. Who gives the workload to the destination hears so at once, and what to do."""
    running(repo, MEMORY)
    repo.lab.exec("h1", ["sh", "-c", SLOW])
    repo.apply_until("+ counter: restore", kill, expect=-9)
    repo.lab.kill_host("h1")
    resolve = ("resolve", "counter", "--owner", "h2", "--evidence", "h1 was switched off")
    began = time.monotonic()
    refused = repo.run(*resolve, expect=None)
    assert refused.returncode and "not all memory of counter has arrived on h2" in refused.stderr, refused
    assert time.monotonic() - began < 60, "its memory is not waited for"
    repo.lab.exec("h2", ["podman", "kill", "counter"])
    repo.run(*resolve, "--cold")
    assert repo.running_on() == ["h2"]
    repo.lab.boot("h1")
