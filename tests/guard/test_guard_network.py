"""The source's interfaces while it is held. Real: network namespaces, interfaces, routes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Wire:
    """A workload (`inside`) and its segment (`outside`), two namespaces joined by a veth pair."""

    inside: int
    outside: int

    def ip(self, pid: int, *words: str) -> str:
        argv = ["nsenter", "-t", str(pid), "-n", "ip", *words]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout

    def picture(self) -> tuple[list[str], list[str], list[str]]:
        """Addresses and routes of the workload, without counters."""
        routes4 = self.ip(self.inside, "-4", "route", "show", "table", "all").splitlines()
        routes6 = self.ip(self.inside, "-6", "route", "show", "table", "all").splitlines()
        addresses = self.ip(self.inside, "-o", "addr", "show").splitlines()
        seen = [re.sub(r" tentative| nodad| proto kernel_ll|(?<=_lft )\d+sec", "", a) for a in addresses]
        routes6 = [re.sub(r" expires \d+sec", "", route) for route in routes6]
        links = self.ip(self.inside, "-o", "link", "show").splitlines()
        ports = [
            link.split(" mtu ")[0].split("<")[0] + " ".join(re.findall(r"master \S+", link)) for link in links
        ]
        neighbours = self.ip(self.inside, "neigh", "show", "nud", "permanent").splitlines()
        return sorted(routes4), sorted(routes6), sorted(seen) + sorted(ports) + sorted(neighbours)

    def is_up(self) -> bool:
        return "UP" in self.ip(self.inside, "-o", "link", "show", "eth0").split("<")[1].split(">")[0].split(",")


@pytest.fixture
def wire(host: Any, until: Any) -> Wire:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("needs root and ip")
    inside, outside = host.victim("unshare", "-n"), host.victim("unshare", "-n")
    mine = os.readlink("/proc/self/ns/net")
    until(lambda: all(os.readlink(f"/proc/{pid}/ns/net") != mine for pid in (inside, outside)))
    wire = Wire(inside, outside)
    try:
        wire.ip(outside, "link", "add", "v0", "type", "veth", "peer", "name", "eth0", "netns", str(inside))
    except subprocess.CalledProcessError:
        pytest.skip("no veth here")
    for pid, device, number in ((outside, "v0", "1"), (inside, "eth0", "2")):
        wire.ip(pid, "link", "set", "lo", "up")
        wire.ip(pid, "addr", "add", f"10.9.0.{number}/24", "dev", device)
        if Path("/proc/sys/net/ipv6").exists():
            wire.ip(pid, "-6", "addr", "add", f"fd00::{number}/64", "dev", device, "nodad")
        wire.ip(pid, "link", "set", device, "up")
    for words in (
        "default via 10.9.0.1 metric 50",
        "192.0.2.0/24 via 10.9.0.1 mtu 1300",
        "198.51.100.0/24 dev eth0 scope link",
        "203.0.113.0/24 via 10.9.0.1 table 100",
    ):
        wire.ip(inside, "route", "add", *words.split())
    if Path("/proc/sys/net/ipv6").exists():
        wire.ip(inside, "-6", "route", "add", "default", "via", "fd00::1")
        inner_bridge(wire)
    wire.ip(inside, "neigh", "add", "10.9.0.77", "lladdr", "02:00:00:00:00:77", "dev", "eth0", "nud", "permanent")
    until(lambda: "tentative" not in wire.ip(inside, "addr"))
    return wire


def inner_bridge(wire: Wire) -> None:
    """As programs in containers make for containers of their own: addresses that nobody makes anew."""
    for words in (
        "link add inner type bridge",
        "link add port type veth peer name beyond",
        "link set port master inner",
        "link set beyond up",
        "link set port up",
        "link set inner up",
        "addr add 169.254.7.1/24 dev inner scope link",
        "-6 addr add fe80::1/64 dev inner nodad",
        "-6 addr add fd07::1/64 dev inner nodad valid_lft 3000 preferred_lft 2000",
        "route add 10.77.7.0/24 dev inner proto kernel scope link src 169.254.7.1 metric 7",
        "-6 route add fd08::/64 via fe80::2 dev inner",
    ):
        wire.ip(wire.inside, *words.split())


def test_down_while_held_and_back_after(host: Any, wire: Wire, until: Any) -> None:
    before = wire.picture()
    host.hold("web", 2, wire.inside, fence=1)
    assert not wire.is_up()
    subprocess.run(
        ["nsenter", "-t", str(wire.outside), "-n", "sh", "-c", "echo 1 >/proc/sys/net/ipv4/conf/v0/arp_accept"],
        check=True,
    )
    wire.ip(wire.outside, "neigh", "flush", "dev", "v0")
    host("resume", "web", 2)
    assert wire.is_up()
    until(lambda: wire.picture() == before)
    until(lambda: "10.9.0.2" in wire.ip(wire.outside, "-4", "neigh"))  # it announced itself
    assert not host.path("web", "hook", "trouble").exists()
    knob = ["nsenter", "-t", str(wire.inside), "-n", "cat", "/proc/sys/net/ipv4/conf/eth0/arp_notify"]
    assert subprocess.run(knob, capture_output=True, text=True).stdout == "0\n"


def test_a_killed_hook_puts_the_network_back(host: Any, wire: Wire, until: Any) -> None:
    before = wire.picture()
    host.hold("web", 2, wire.inside, fence=1)
    os.kill(int(host.path("web", "hook", "held").read_text().split()[1]), 9)
    until(lambda: wire.is_up() and wire.picture() == before)


def test_it_stays_down_until_it_is_killed(host: Any, wire: Wire, state_of: Any, until: Any) -> None:
    host.hold("web", 2, wire.inside, fence=1)
    host("commit", "web", 2)
    assert not wire.is_up()
    host("release", "web", 2)
    until(lambda: state_of(wire.inside) in ("Z", ""))


def test_interfaces_that_cannot_be_taken_down_mean_no_hold(
    host: Any, wire: Wire, tmp_path: Path, state_of: Any
) -> None:
    fake = tmp_path / "ip"
    real = shutil.which("ip")
    fake.write_text(f'#!/bin/sh\ncase "$*" in *down*) exit 1 ;; esac\nexec {real} "$@"\n')
    fake.chmod(0o755)
    host.env["RECONCILER_IP"] = str(fake)
    assert host.hold("web", 2, wire.inside, fence=1)["outcome"] in ("resumed", "exited")
    done = host("resume", "web", 2)
    assert "could not be taken down" in done.stdout
    assert wire.is_up()
    assert state_of(wire.inside) in ("S", "R")


def test_the_hosts_own_namespace_is_left_alone(host: Any) -> None:
    host.hold("web", 2, host.victim(), fence=1)
    assert not host.path("web", "hook", "net.fenced").exists()
