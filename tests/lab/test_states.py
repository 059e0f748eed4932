"""Kinds of state that programs have, each by itself (tests/lab/states): what a move would lose is refused before
it, or told. Real: hosts, SSH, Podman, CRIU, processes."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from reconciler.lab import DEMO_IMAGE, NETWORK, Lab
from tests.compat import hosts as compat
from tests.lab.pair import IMAGE, Bench
from tests.lab.repo import Repo

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

PROGRAM = "/srv/states"
FREE = "--security-opt=seccomp=unconfined"
TOLD = {
    # State: (the rule, more options)
    "leader-gone": ("process.leaderless", ()),
    "shared-memory": ("process.shares", ()),
    "shared-files": ("process.shares", ()),
    "vforked": ("process.shares", ()),
    "thread-folder": ("process.apart", ()),
    "thread-files": ("process.apart", ()),
    "thread-name": ("process.nested-namespaces", ("--cap-add=SYS_ADMIN", FREE)),
    "timer-thread": ("process.timers", ()),
    "deadline": ("process.deadline", ("--cap-add=SYS_NICE", FREE)),
    "write-lease": ("process.leases", ("--volume=write-lease-vol:/vol", "--cap-add=LEASE")),
    "overlay-inside": ("process.mounts", ("--cap-add=SYS_ADMIN", FREE)),
    "keyring": ("process.forgotten", (FREE,)),
    "domain": ("process.forgotten", (FREE,)),
    "sem-undo": ("process.forgotten", ()),
    "merged-memory": ("process.forgotten", (FREE, "--cap-add=SYS_RESOURCE")),
    "lock-all": ("process.forgotten", ("--cap-add=IPC_LOCK",)),
    "lock-on-fault": ("process.forgotten", ("--cap-add=IPC_LOCK",)),
    "unnamed-file": ("process.forgotten", ()),
    "netlink-unread": ("process.waiting-messages", ("--cap-add=NET_ADMIN",)),
    "unix-credentials": ("process.waiting-messages", ()),
    "thread-join": ("", ()),
    "direct-file": ("", ("--volume=direct-file-vol:/vol",)),
}


SAME = (
    *(
        "marked-segment",
        "thread-user",
        "membarrier",
        "securebits",
        "robust-mutex",
        "thread-join",
        "session-gone",
        "parent-signal",
    ),
    *("timer-cpu", "timer-thread-cpu", "timer-boot", "timer-tai", "reset-on-fork", "own-mounts", "signal-stack"),
    *("guard-page", "droppable", "mapped-and-gone", "code-in-memfd", "heap-grows", "copy-on-write"),
    *("other-name", "replaced-file", "folder-gone", "opened-folder-gone", "half-read-folder", "path-only"),
    *(
        "chroot",
        "program-gone",
        "cgroup-file",
        "pressure",
        "sysctl-file",
        "sysfs-file",
        "proc-of-dead",
        "terminal",
    ),
    *("typed", "closed-poll", "nested-poll", "timerfds", "watch-gone", "watch-shm", "tmpfs-inside", "bind-inside"),
    *("remounted", "lock-of-two", "lock-waited-for", "direct-file", "full-pipe", "fifo-waited-for"),
    *("tcp-inside", "tcp-half-closed", "tcp-peer-closed", "tcp-full", "tcp-corked", "tcp-bound"),
    *("udp-connected", "reuse-port", "udp-filter", "raw-filter", "packet-filter", "packet-ring", "netlink"),
    *("uevents", "abstract-socket", "unix-name-gone", "unix-shut", "unix-peer-closed", "unix-packets"),
    *("unix-passed", "unix-blocked", "unix-async"),
)
"""What is as it was after a move."""
AT_ONCE = 12
SETTLING = 1.0
LONGEST = 15.0
"""Seconds: until a state is made, and the longest until it is looked at."""
RIGHTS = ["SYS_ADMIN", "NET_ADMIN", "NET_RAW", "SYS_NICE", "IPC_LOCK", "LEASE"]


def install(lab: Lab, folder: Path) -> None:
    """Put the program on the hosts."""
    program = folder / "states"
    sources = sorted(Path(__file__).with_name("states").glob("*.c"))
    subprocess.run(["gcc", "-static", "-s", "-O1", "-pthread", "-w", "-o", program, *sources], check=True)
    for host in lab.hosts:
        argv = lab.exec_argv(host.name, ["sh", "-c", f"cat >{PROGRAM}; chmod 755 {PROGRAM}"])
        subprocess.run(argv, input=program.read_bytes(), check=True)


@pytest.fixture
def states(bench: Bench, tmp_path: Path) -> Bench:
    """Hosts that have the program."""
    install(bench.lab, tmp_path)
    return bench


def test_what_a_move_would_lose_is_told_before(states: Bench) -> None:
    wanted: dict[str, dict[str, object]] = {}
    mounts = [{"source": PROGRAM, "target": PROGRAM, "readOnly": True}]
    try:
        for name, (_, options) in TOLD.items():
            wanted[name] = {"image": IMAGE, "command": [PROGRAM, name], "mounts": mounts}
            states.start(name, wanted[name], *options)
        states.on("h1", "sleep 1")
        logs = {name: states.on("h1", f"podman logs {name} 2>&1") for name in TOLD}
        assert set(logs.values()) == {"ready"}, logs
        plan = states.plan(("web", states.web(), "h1"), *((name, spec, "h2") for name, spec in wanted.items()))
    finally:
        states.on("h1", f"podman rm -f -t 0 {' '.join(TOLD)}", check=False)
    found: dict[str, set[str]] = {}
    for finding in plan["findings"]:
        found.setdefault(finding["where"]["workload"], set()).add(finding["code"])
    for name, (rule, _) in TOLD.items():
        assert {rule} - {""} <= found.get(name, set()), (name, found.get(name))
    assert not [name for name, (rule, _) in TOLD.items() if not rule and name in found]


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_what_is_not_told_is_as_it_was(clean_lab: Lab, tmp_path: Path) -> None:
    """Each state is moved by the real program, and then asked whether it still is what it was."""
    install(clean_lab, tmp_path)
    compat.prepare(clean_lab, print)
    said: dict[str, str] = {}
    for first in range(0, len(SAME), AT_ONCE):
        said |= after_a_move(clean_lab, tmp_path / str(first), SAME[first : first + AT_ONCE])
        for host in clean_lab.hosts:
            clean_lab.exec(host.name, ["podman", "rm", "--all", "--force", "--time", "0"])
            clean_lab.exec(host.name, ["podman", "volume", "rm", "--all", "--force"], check=False)
    assert {name: text for name, text in said.items() if text != "fine"} == {}


def after_a_move(lab: Lab, folder: Path, names: Sequence[str]) -> dict[str, str]:
    """What each of these says after its move from h1 to h2."""
    repo = Repo(folder, lab, patience=900)
    for number, name in enumerate(names):
        mac = f"02:00:00:02:{lab.subnet[0].packed[2]:02x}:{number:02x}"
        repo.workloads[name] = {
            "container": {
                "image": DEMO_IMAGE,
                "command": [PROGRAM, name],
                "networks": [{"name": NETWORK, "ip": repo.address(number), "mac": mac}],
                "mounts": [{"source": PROGRAM, "target": PROGRAM, "readOnly": True}],
                "volumes": [{"name": f"{name}-vol", "target": "/vol"}],
                "capAdd": RIGHTS,
                "securityOpt": {"seccomp": "unconfined"},
            },
            "placement": {"host": "h1"},
        }
    repo.write()
    repo.apply()
    time.sleep(SETTLING)
    unable = {name: text for name in names if (text := _last(lab, "h1", name)) != "ready"}
    assert not unable, unable
    for name in names:
        repo.place(name, "h2")
    done = repo.run("apply", "--yes", expect=None)
    here = {name: repo.running_on(name) for name in names}
    for name in names:
        if here[name] == ["h2"]:
            lab.exec("h2", ["podman", "kill", "--signal", "USR1", name])
    until = time.monotonic() + LONGEST
    while time.monotonic() < until and any(_last(lab, "h2", n) == "ready" for n in names if here[n] == ["h2"]):
        time.sleep(0.5)
    return {
        name: _last(lab, "h2", name) if here[name] == ["h2"] else f"it did not move: {done.stdout}{done.stderr}"
        for name in names
    }


def _last(lab: Lab, host: str, name: str) -> str:
    lines = lab.exec(host, ["podman", "logs", name]).stdout.split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
