"""Virtual machines through the real program and real specs: moved by libvirt with a connected client, cancelled,
timed out, refused, and with controller or libvirtd killed meanwhile. Real: libvirtd, QEMU (emulated), Linux."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from reconciler.lab import Lab, Probe
from tests.lab.guests import domain, running_on, virsh
from tests.lab.repo import Repo, interrupt, kill

pytestmark = [pytest.mark.lab, pytest.mark.libvirt, pytest.mark.timeout(900)]

INDEX = 103
ANSWERS_WITHIN = 120.0
SLOWLY = {"bandwidth": "6MiB"}
"""Some 15 s for the guest's memory: time to do something meanwhile."""
UNDER_WAY = "Outgoing migration"
WATCH = 60.0


@pytest.fixture
def repo(tmp_path: Path, empty: Lab) -> Repo:
    repo = Repo(tmp_path, empty, patience=240)
    address = str(empty.subnet[INDEX])
    policy(repo)
    repo.workloads["counter"] = {
        "runtime": "libvirt",
        "virtualMachine": {"domain": domain(address), "address": address, "stopWithin": "1s"},
        "placement": {"host": "h1"},
        "health": {"tcp": {"port": 9000}, "within": "2m"},
        "migration": {"policy": "p"},
    }
    repo.write()
    repo.apply()
    assert running_on(empty) == ["h1"]
    return repo


def policy(repo: Repo, **live: object) -> None:
    repo.policy("p", live={"transport": "tcp", "within": "2m", **live})


def probe(repo: Repo) -> Probe:
    return Probe(str(repo.lab.subnet[INDEX]), checksums=True).start(ANSWERS_WITHIN)


def job(repo: Repo, host: str = "h1") -> str:
    return virsh(repo.lab, host, "domjobinfo", "counter", check=False)


def until_under_way(repo: Repo, host: str = "h1") -> None:
    """libvirt has begun, and has sent something."""
    ends = time.monotonic() + WATCH
    while UNDER_WAY not in (said := job(repo, host)) or "Data processed:   0" in said:
        assert time.monotonic() < ends, said
        time.sleep(0.2)


def begin(repo: Repo) -> subprocess.Popen[str]:
    """An apply that moves it to h2, slowly, and is in the middle of that."""
    policy(repo, **SLOWLY)
    repo.place("counter", "h2")
    applying = repo.start("apply", "--yes")
    until_under_way(repo)
    return applying


def one_copy(repo: Repo, host: str) -> None:
    """It runs there alone, nothing of it is anywhere else, and there is nothing to do."""
    assert running_on(repo.lab) == [host]
    other = "h2" if host == "h1" else "h1"
    assert virsh(repo.lab, other, "list", "--all", "--name") == ""
    assert repo.lab.exec(other, ["pgrep", "-f", "qemu-system"], check=False).stdout == ""
    repo.place("counter", host)
    assert "Nothing to do" in repo.apply().stdout


def test_there_and_back_three_times_on_one_connection(repo: Repo) -> None:
    client = probe(repo)
    for host in ("h2", "h1") * 3:
        repo.place("counter", host)
        repo.apply()
        assert running_on(repo.lab) == [host]
    seen = client.stop()
    print(f"longest wait {seen.longest_wait_seconds:.2f} s over six moves")
    assert seen.survived and seen.memory_intact, seen
    one_copy(repo, "h1")


def test_cancelled_it_goes_on_where_it_was(repo: Repo) -> None:
    client = probe(repo)
    applying = begin(repo)
    interrupt(applying)
    said, errors = applying.communicate(timeout=240)
    assert applying.returncode == 130, said + errors
    seen = client.stop()
    assert seen.survived and seen.memory_intact, seen
    one_copy(repo, "h1")


def test_one_that_takes_too_long_is_given_up(repo: Repo) -> None:
    policy(repo, bandwidth="1MiB", within="3s")
    repo.place("counter", "h2")
    said = repo.apply(expect=1)
    assert "it took longer than 3s" in said.stdout, said.stdout
    one_copy(repo, "h1")


def test_a_destination_without_what_it_needs_is_refused_before_anything_begins(repo: Repo) -> None:
    repo.lab.exec("h2", ["ip", "link", "set", "br0", "name", "br1"])
    try:
        repo.place("counter", "h2")
        said = repo.apply(expect=1)
        assert "h2 has no bridge br0" in said.stdout
    finally:
        repo.lab.exec("h2", ["ip", "link", "set", "br1", "name", "br0"])
    one_copy(repo, "h1")


def test_what_libvirt_refuses_leaves_it_where_it_is(repo: Repo) -> None:
    """Nobody listens for migrations there."""
    policy(repo, transport="tls")
    client = probe(repo)
    repo.place("counter", "h2")
    said = repo.apply(expect=1)
    assert "C345" in repo.run("explain", "C345").stdout
    assert "counter stays on h1" in said.stdout, said.stdout
    seen = client.stop()
    assert seen.survived, seen
    policy(repo)
    one_copy(repo, "h1")


@pytest.mark.parametrize("journal", ["kept", "lost"])
def test_a_controller_that_is_killed_in_the_middle_is_followed_by_resume(repo: Repo, journal: str) -> None:
    client = probe(repo)
    applying = begin(repo)
    kill(applying)
    applying.communicate(timeout=60)
    if journal == "lost":
        repo.journal = "another.db"
    assert UNDER_WAY in job(repo), "it goes on by itself"
    repo.run("resume")
    seen = client.stop()
    print(f"longest wait {seen.longest_wait_seconds:.2f} s")
    assert seen.survived and seen.memory_intact, seen
    one_copy(repo, "h2")


RESTART = "libvirtd -d -l"


@pytest.mark.parametrize("host", ["h1", "h2"])
def test_a_libvirtd_that_is_killed_in_the_middle(repo: Repo, host: str) -> None:
    """The guest runs on in its QEMU; what a new libvirtd says of it decides."""
    client = probe(repo)
    applying = begin(repo)
    repo.lab.exec(host, ["sh", "-c", "kill -9 $(cat /run/libvirtd.pid) && rm -f /run/libvirtd.pid"])
    said, errors = applying.communicate(timeout=240)
    assert applying.returncode != 0, said + errors
    assert "Traceback" not in errors
    repo.lab.exec(host, ["sh", "-c", RESTART])
    policy(repo)
    repo.run("resume", expect=None)
    seen = client.stop()
    assert seen.survived and seen.memory_intact, seen
    one_copy(repo, running_on(repo.lab)[0])
    repo.place("counter", "h2")
    repo.apply()
    one_copy(repo, "h2")
