"""Who clients talk to, before and after a move: virtual addresses, announcements, bridges. Real hosts."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

import pytest

from reconciler.lab import Lab
from reconciler.lab.probe import Probe
from tests.lab.repo import Repo, kill

pytestmark = pytest.mark.lab
ARP = 0x0806


@pytest.fixture
def repo(tmp_path: Path, clean_lab: Lab) -> Repo:
    return Repo(tmp_path, clean_lab)


def ask(address: str, message: bytes = b"sum", within: float = 8.0) -> str:
    """One question over a new connection, tried until `within` has passed."""
    end = time.monotonic() + within
    while True:
        try:
            with socket.create_connection((address, 9000), timeout=1.0) as connection:
                connection.sendall(message)
                if answer := connection.recv(64).decode().strip():
                    return answer
        except OSError:
            pass
        assert time.monotonic() < end, f"{address} does not answer"
        time.sleep(0.05)


def published(repo: Repo, *after: dict) -> str:
    """A counter behind a port published at a virtual address, which its actions hand over; returns the address."""
    virtual = repo.address(9)
    here = [f"{virtual}/24", "dev", "e0"]
    tell = ["busybox", "arping", "-q", "-U", "-c", "1", "-I", "e0", virtual]
    repo.policy("reconnect", tcp="close")
    repo.counter(
        container={"networks": [], "ports": [{"container": 9000, "host": 9000}]},
        migration={
            "policy": "reconnect",
            "actions": {
                "beforeHold": [
                    {"do": ["true"], "undo": tell},
                    {"do": ["ip", "addr", "del", *here], "undo": ["ip", "addr", "add", *here]},
                ],
                "afterRestore": [
                    {"do": ["ip", "addr", "add", *here], "undo": ["ip", "addr", "del", *here]},
                    {"do": tell, "undo": ["true"]},
                    *after,
                ],
            },
        },
    )
    repo.lab.exec("h1", ["ip", "addr", "add", *here])
    repo.lab.exec("h1", tell)
    return virtual


def holders(repo: Repo, address: str) -> list[str]:
    shown = {h.name: repo.lab.exec(h.name, ["ip", "-br", "addr", "show", "e0"]).stdout for h in repo.lab.hosts}
    return [name for name, text in shown.items() if f"{address}/" in text]


@pytest.fixture
def no_virtual_address(repo: Repo):
    yield
    for name in holders(repo, repo.address(9)):
        repo.lab.exec(name, ["ip", "addr", "del", f"{repo.address(9)}/24", "dev", "e0"])


@pytest.mark.usefixtures("no_virtual_address")
def test_a_virtual_address_follows_a_published_port(repo: Repo) -> None:
    virtual = published(repo)
    repo.apply()
    before = ask(virtual)
    repo.place("counter", "h2")
    plan = repo.run("plan").stdout
    assert f"on h1 before the freeze: ip addr del {virtual}/24 dev e0" in plan
    repo.apply()
    assert repo.running_on() == ["h2"] and holders(repo, virtual) == ["h2"]
    assert ask(virtual) == before, "same process, same address, another host"
    left = repo.lab.exec("h2", ["sh", "-c", "ls /var/lib/reconciler/workloads/counter"]).stdout
    assert "actions." not in left


@pytest.mark.usefixtures("no_virtual_address")
def test_an_action_that_fails_takes_everything_back(repo: Repo) -> None:
    virtual = published(repo, {"do": ["false"], "undo": ["true"]})
    repo.apply()
    before = ask(virtual)
    repo.place("counter", "h2")
    output = repo.apply(expect=1).stdout
    assert "an action of counter failed: false" in output and "put back" in output
    assert repo.running_on() == ["h1"] and holders(repo, virtual) == ["h1"]
    assert ask(virtual) == before


@pytest.mark.usefixtures("no_virtual_address")
@pytest.mark.parametrize("boundary", ["hold", "restore"])
def test_a_new_controller_finishes_or_undoes_the_actions(repo: Repo, boundary: str) -> None:
    virtual = published(repo)
    repo.apply()
    before = ask(virtual)
    repo.place("counter", "h2")
    repo.apply_until(f"+ counter: {boundary}", kill, expect=-9)
    repo.journal = "another.db"
    repo.run("resume")
    where = ["h1"] if boundary == "hold" else ["h2"]
    assert repo.running_on() == where and holders(repo, virtual) == where
    assert ask(virtual) == before


def test_a_bridge_keeps_connections_only_where_the_policy_closes_them(repo: Repo) -> None:
    repo.counter(container={"networks": [], "ports": [{"container": 9000, "host": 9000}]})
    repo.apply()
    here = str(repo.lab.subnet[1])
    with socket.create_connection((here, 9000), timeout=5) as client:
        client.sendall(b"sum")
        before = client.recv(64).decode().strip()
        repo.place("counter", "h2")
        refused = repo.run("plan", expect=1).stdout
        assert "tcp.address-stays" in refused and "tcp: close" in refused
    deadline = time.monotonic() + 10
    while repo.run("plan", expect=None).returncode and time.monotonic() < deadline:
        time.sleep(0.5)
    repo.apply()
    assert repo.running_on() == ["h2"]
    assert ask(str(repo.lab.subnet[2])) == before, "no connection, nothing to lose: it moved"


def test_the_segment_learns_at_once_where_an_address_went(repo: Repo) -> None:
    address = repo.counter()
    repo.apply()
    device = json.loads(_ip("-j", "route", "get", address))[0]["dev"]
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ARP)) as wire:
        wire.bind((device, ARP))
        wire.settimeout(0.2)
        repo.place("counter", "h2")
        with Probe(address, checksums=True) as probe:
            repo.apply()
            seen = probe.stop()
        assert seen.survived and seen.memory_intact, seen
        own = socket.inet_aton(address)
        announced = False
        end = time.monotonic() + 5
        while not announced and time.monotonic() < end:
            try:
                frame = wire.recv(128)
            except TimeoutError:
                break
            announced = frame[28:32] == own and frame[38:42] == own
    assert announced, "no gratuitous ARP for the address that moved"


def _ip(*arguments: str) -> str:
    import subprocess

    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=True).stdout


def test_the_full_log_of_a_failed_dump_is_kept(repo: Repo) -> None:
    repo.counter()
    repo.apply()
    repo.place("counter", "h2")
    refuse = "mkdir -p /etc/criu; echo 'action-script /bin/false' > /etc/criu/default.conf"
    repo.lab.exec("h1", ["sh", "-c", refuse])
    try:
        shown = repo.run("plan", "--rehearse", expect=1).stdout
    finally:
        repo.lab.exec("h1", ["rm", "/etc/criu/default.conf"])
    assert repo.running_on() == ["h1"]
    kept = "/var/lib/reconciler/workloads/counter/failed.log"
    assert kept in shown
    assert "Error" in repo.lab.exec("h1", ["cat", kept]).stdout
    assert repo.lab.exec("h1", ["stat", "-c", "%a", kept]).stdout.strip() == "600"
