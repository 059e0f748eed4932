"""Memberships in multicast groups, which CRIU drops, are there after a move. Real: hosts, Podman, runc and crun,
CRIU, datagrams."""

from __future__ import annotations

import socket
import struct
import subprocess
import time
from pathlib import Path

import pytest

from reconciler.lab import DEMO_IMAGE, NETWORK, Lab
from tests.lab.repo import Repo

pytestmark = [pytest.mark.nightly, pytest.mark.lab, pytest.mark.timeout(600)]

PROGRAM = "/srv/listening"
WAYS = ("by address", "by route", "by number", "IPv6", "by source")
FIRST_PORT = 5300
PATIENCE = 1.0


@pytest.fixture
def repo(tmp_path: Path, clean_lab: Lab) -> Repo:
    program = tmp_path / "listening"
    source = Path(__file__).with_name("listening.c")
    subprocess.run(["gcc", "-static", "-O1", "-Wall", "-Werror", "-o", program, source], check=True)
    for host in clean_lab.hosts:
        argv = clean_lab.exec_argv(host.name, ["sh", "-c", f"cat >{PROGRAM}; chmod 755 {PROGRAM}"])
        subprocess.run(argv, input=program.read_bytes(), check=True)
    return Repo(tmp_path, clean_lab)


def asked(lab: Lab, text: str, patience: float = PATIENCE) -> list[str]:
    """What is answered to a datagram that is sent to each group, in the order of WAYS; empty where nothing is."""
    return [_asked(lab, way, text, patience) for way in range(len(WAYS))]


def _asked(lab: Lab, way: int, text: str, patience: float) -> str:
    six, near = WAYS[way] == "IPv6", str(lab.controller_address)
    with socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM) as sends:
        if six:
            cards = subprocess.check_output(["ip", "-o", "-4", "addr"], text=True).splitlines()
            card = next(int(line.partition(":")[0]) for line in cards if f" {near}/" in line)
            sends.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, struct.pack("i", card))
            group = "ff02::1:2:3"
        else:
            sends.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(near))
            group = "232.1.2.3" if WAYS[way] == "by source" else "239.1.2.3"
        sends.settimeout(patience)
        sends.sendto(text.encode(), (group, FIRST_PORT + way))
        try:
            return sends.recv(100).decode()
        except TimeoutError:
            return ""


@pytest.mark.parametrize("runtime", ["runc", "crun"])
def test_groups_there_and_back(repo: Repo, runtime: str) -> None:
    lab = repo.lab
    container = {
        "image": DEMO_IMAGE,
        "command": [PROGRAM, repo.address(), str(lab.controller_address)],
        "ociRuntime": runtime,
        "networks": [{"name": NETWORK, "ip": repo.address()}],
        "mounts": [{"source": PROGRAM, "target": PROGRAM, "readOnly": True}],
    }
    repo.workloads["listening"] = {"container": container, "placement": {"host": "h1"}}
    repo.write()
    repo.apply()
    until = time.monotonic() + 10
    while (heard := asked(lab, "hello")) != ["heard"] * len(WAYS) and time.monotonic() < until:
        time.sleep(0.2)
    assert dict(zip(WAYS, heard, strict=True)) == dict.fromkeys(WAYS, "heard")
    for host in ("h2", "h1"):
        repo.place("listening", host)
        assert "process.multicast" not in {
            finding["code"] for finding in repo.json("plan", expect=None)["findings"]
        }
        repo.apply()
        assert repo.running_on("listening") == [host]
        until = time.monotonic() + 10
        while (heard := asked(lab, "hello", 3)) != ["heard"] * len(WAYS) and time.monotonic() < until:
            time.sleep(0.2)
        assert dict(zip(WAYS, heard, strict=True)) == dict.fromkeys(WAYS, "heard")
    assert dict(zip(WAYS, asked(lab, "leave", 3), strict=True)) == dict.fromkeys(WAYS, "left")
    assert asked(lab, "hello", 0.3) == [""] * len(WAYS)
