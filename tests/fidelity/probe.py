"""The probe: a workload whose processes, files and namespaces have every kind of state, and its records."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reconciler.lab import DEMO_IMAGE, NETWORK, Lab
from reconciler.lab.tools import run
from tests.fidelity import descriptors, files, processes, surroundings
from tests.fidelity.compare import named
from tests.fidelity.processes import Facts
from tests.lab.repo import Repo

NAME = "states"
NUMBER = 21
"""Of its address on the lab's segment."""
PROGRAM = "/srv/states"
READY_SECONDS = 10.0
PATIENCE = 900.0
"""Seconds: what an apply may take on a machine that does much else."""
SOURCES = Path(__file__).with_name("programs")
TREES = ("/data/tree", "/tree", "/dev/shm/tree", "/scratch/tree")
BY_HAND = """
    nft 'add table inet guard; add chain inet guard in { type filter hook input priority 0; }'
    nft add rule inet guard in tcp dport 9999 counter drop
    iptables -A INPUT -p tcp --dport 9998 -j DROP
    ip addr add NEAR/32 dev eth0
    ip -6 addr add fd00::7/64 dev eth0 nodad
    ip link set eth0 mtu 1400
    ip route add 172.16.9.0/24 dev eth0
    ip rule add from NEAR lookup 100
    ip neigh add LAST lladdr 02:00:00:00:00:99 dev eth0
    sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.eth0.rp_filter=2
"""


class NotTried(Exception):
    """A plan refuses it, and says why."""


@dataclass
class Probe:
    """It runs on `at`."""

    repo: Repo
    at: str

    def record(self) -> Facts:
        lab = self.repo.lab
        said = json.loads(lab.exec(self.at, ["podman", "container", "inspect", NAME]).stdout)[0]
        pids = processes.outside(said["Id"])
        facts = processes.record(pids)
        facts |= descriptors.record(pids)
        facts |= files.record(pids[1])
        facts |= surroundings.record(lab, self.at, NAME, pids[1])
        return named(facts, {said["Id"]: "<id>", said["Id"][:12]: "<id>"})

    def move(self, host: str) -> set[str]:
        """Returns the rules that the plan told of. AssertionError when it did not move, NotTried when the plan
        says no."""
        self.repo.place(NAME, host)
        plan = self.repo.json("plan", expect=None)
        errors = [
            f"`{said['code']}`: {said['message']}" for said in plan["findings"] if said["severity"] == "error"
        ]
        if errors:
            raise NotTried("; ".join(errors))
        self.repo.apply()
        assert self.repo.running_on(NAME) == [host]
        self.at = host
        return {finding["code"] for finding in plan["findings"]}


@contextmanager
def running(lab: Lab, runtime: str, strategy: str) -> Iterator[Probe]:
    """The probe on h1, ready. Whoever comes next removes it."""
    _compiled(lab)
    with tempfile.TemporaryDirectory(prefix="reconciler-fidelity-") as folder:
        repo = Repo(Path(folder), lab, patience=PATIENCE)
        repo.policy("as-asked", strategy=strategy)
        repo.workloads[NAME] = {
            "container": _container(repo, runtime),
            "placement": {"host": "h1"},
            "migration": {"policy": "as-asked"},
        }
        repo.write()
        repo.apply()
        _ready(lab)
        script = BY_HAND
        for word, value in {"NEAR": repo.address(NUMBER + 1), "LAST": repo.address(NUMBER + 2)}.items():
            script = script.replace(word, value)
        enter = f"nsenter --net=/proc/$(podman inspect --format '{{{{.State.Pid}}}}' {NAME})/ns/net sh -ec \"$1\""
        lab.exec("h1", ["sh", "-ec", enter, "sh", script])
        yield Probe(repo, "h1")


def _container(repo: Repo, runtime: str) -> dict[str, object]:
    mac = f"02:00:00:00:{repo.lab.subnet[0].packed[2]:02x}:{NUMBER:02x}"
    return {
        "image": DEMO_IMAGE,
        "command": [PROGRAM, *TREES],
        "ociRuntime": runtime,
        "networks": [{"name": NETWORK, "ip": repo.address(NUMBER), "mac": mac}],
        "mounts": [{"source": PROGRAM, "target": PROGRAM, "readOnly": True}],
        "volumes": [{"name": f"{NAME}-data", "target": "/data"}],
        "tmpfs": [{"target": "/scratch", "size": "64MiB"}],
        "capAdd": ["NET_RAW", "NET_ADMIN", "MKNOD"],
        "labels": {"of": "the probe"},
        "hostname": "probe",
        "ulimits": {"nofile": {"soft": 5000, "hard": 9000}},
        "sysctls": {"net.core.somaxconn": "300", "kernel.msgmax": "9000"},
        "stopSignal": "SIGTERM",
        "env": {"SAID": "in the spec"},
    }


def _compiled(lab: Lab) -> None:
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "states")
        sources = sorted(SOURCES.glob("*.c"))
        run(
            [
                "gcc",
                "-O1",
                "-static",
                "-pthread",
                "-Wall",
                "-Werror",
                "-Wl,--build-id=none",
                "-o",
                program,
                *sources,
            ]
        )
        for host in lab.hosts:
            # A program that still runs cannot be written to.
            argv = lab.exec_argv(
                host.name,
                ["sh", "-ec", f"cat >{PROGRAM}.new; chmod 755 {PROGRAM}.new; mv {PROGRAM}.new {PROGRAM}"],
            )
            with program.open("rb") as content:
                subprocess.run(argv, stdin=content, check=True)


def _ready(lab: Lab) -> None:
    until = time.monotonic() + READY_SECONDS
    while True:
        logs = lab.exec("h1", ["podman", "logs", NAME])
        if "ready" in logs.stdout:
            return
        if time.monotonic() > until:
            raise RuntimeError(f"the probe is not ready: {logs.stdout}{logs.stderr}")
        time.sleep(0.1)
