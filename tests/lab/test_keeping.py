"""What a move would not keep as it is, said before it: open SQLite databases, read-only folders that differ, what
was changed by hand. Real: hosts, SSH, Podman, the processes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from reconciler.lab import Probe
from tests.lab.pair import IMAGE, Bench

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
BY_HAND = """
    own=/proc/$(podman inspect --format '{{.State.Pid}}' same)/ns/net
    nsenter --net="$own" ip link add v0 type veth peer name v1
    own=/proc/$(podman inspect --format '{{.State.Pid}}' wal)/ns/net
    nsenter --net="$own" tc qdisc add dev lo root tbf rate 10mbit burst 32kbit latency 400ms
"""
NAMES = ("rollback", "wal", "differs", "same", "hand")


def test_what_is_not_kept_is_said(bench: Bench, client: Probe, tmp_path: Path) -> None:
    program = tmp_path / "odd"
    subprocess.run(["gcc", "-static", "-O1", "-o", program, Path(__file__).parent / "odd.c"], check=True)
    for host, text in (("h1", "AAAA"), ("h2", "BBBB")):
        argv = bench.lab.exec_argv(host, ["sh", "-c", "cat >/srv/odd; chmod 755 /srv/odd"])
        subprocess.run(argv, input=program.read_bytes(), check=True)
        bench.on(
            host, f"mkdir -p /srv/other /srv/same; printf {text} >/srv/other/c; printf {len(text)} >/srv/same/c"
        )
    odd = {"source": "/srv/odd", "target": "/odd", "readOnly": True}

    def container(*command: str, folder: str = "") -> dict[str, object]:
        more = [{"source": f"/srv/{folder}", "target": "/conf", "readOnly": True}] if folder else []
        return {"image": IMAGE, "command": ["/odd", *command], "mounts": [odd, *more]}

    containers = {
        "rollback": container("sqlite", "1"),
        "wal": container("sqlite", "2"),
        "differs": container("idle", folder="other"),
        "same": container("idle", folder="same"),
        "hand": container("idle")
        | {"networks": [{"name": "lab", "ip": bench.ip(110), "mac": "02:00:00:00:02:6e"}]},
    }
    try:
        for name in NAMES:
            bench.start(name, containers[name])
            ready = f"for i in $(seq 300); do podman logs {name} | grep ready && exit; sleep 0.1; done; exit 1"
            bench.on("h1", ready)
        bench.on("h1", "podman network create more; podman network connect more hand")
        bench.on("h1", "podman update --restart always --health-cmd true hand")
        bench.on("h1", BY_HAND)
        plan = bench.plan(("web", bench.web(), "h1"), *((name, containers[name], "h2") for name in NAMES))
    finally:
        bench.on("h1", f"podman rm -f -t 0 {' '.join(NAMES)}; podman network rm more", check=False)
        for host in ("h1", "h2"):
            bench.on(host, "rm -rf /srv/other /srv/same")
    found = {(f["where"]["workload"], f["code"], f["severity"]): f["message"] for f in plan["findings"]}
    assert found.keys() == {
        ("rollback", "process.sqlite", "error"),
        ("differs", "mount.differs", "error"),
        ("hand", "container.drift", "error"),
        ("hand", "container.drift", "warning"),
        ("same", "process.cards", "error"),
        ("wal", "process.network", "error"),
    }
    assert "v0 (veth), v1 (veth)" in found["same", "process.cards", "error"]
    assert "tc tbf on lo" in found["wal", "process.network", "error"]
    assert "/base" in found["rollback", "process.sqlite", "error"]
    assert "more" in found["hand", "container.drift", "error"]
    assert "restart is always and was no" in found["hand", "container.drift", "warning"]
    assert "the health check is true" in found["hand", "container.drift", "warning"]
    assert plan["steps"] == []
