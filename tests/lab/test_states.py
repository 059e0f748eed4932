"""Kinds of state that programs have, each by itself (tests/lab/states): what a move would lose is refused before
it, or told. Real: hosts, SSH, Podman, CRIU, processes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.lab.pair import IMAGE, Bench

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
    "thread-join": ("", ()),
}


@pytest.fixture
def states(bench: Bench, tmp_path: Path) -> Bench:
    """Hosts that have the program."""
    program = tmp_path / "states"
    sources = sorted(Path(__file__).with_name("states").glob("*.c"))
    subprocess.run(["gcc", "-static", "-O1", "-pthread", "-w", "-o", program, *sources], check=True)
    for host in ("h1", "h2"):
        argv = bench.lab.exec_argv(host, ["sh", "-c", f"cat >{PROGRAM}; chmod 755 {PROGRAM}"])
        subprocess.run(argv, input=program.read_bytes(), check=True)
    return bench


def test_what_a_move_would_lose_is_told_before(states: Bench) -> None:
    wanted: dict[str, dict[str, object]] = {}
    mounts = [{"source": PROGRAM, "target": PROGRAM, "readOnly": True}]
    try:
        for name, (_, options) in TOLD.items():
            wanted[name] = {"image": IMAGE, "command": [PROGRAM, name], "mounts": mounts}
            states.start(name, wanted[name], *options)
        states.on("h1", "sleep 1")
        assert not [name for name in TOLD if "unable" in states.on("h1", f"podman logs {name}")]
        plan = states.plan(("web", states.web(), "h1"), *((name, spec, "h2") for name, spec in wanted.items()))
    finally:
        states.on("h1", f"podman rm -f -t 0 {' '.join(TOLD)}", check=False)
    found: dict[str, set[str]] = {}
    for finding in plan["findings"]:
        found.setdefault(finding["where"]["workload"], set()).add(finding["code"])
    for name, (rule, _) in TOLD.items():
        assert {rule} - {""} <= found.get(name, set()), (name, found.get(name))
    assert "thread-join" not in found
