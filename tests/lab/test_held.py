"""What processes hold that a dump refuses, or a restore forgets: plans say so of each, by facts of the kernel.
Real: hosts, SSH, Podman, the processes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from reconciler.lab import Probe
from tests.lab.pair import IMAGE, Bench

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

HELD = {
    # Name, which is the mode of `odd`: (more options, rules that refuse or warn)
    "nested": (("--cap-add=SYS_ADMIN",), {"process.nested-namespaces": "error"}),
    "backlog": ((), {"process.backlog": "error"}),
    "vsock": ((), {"process.sockets": "error"}),
    "corked": ((), {"process.corked": "error"}),
    "queue": ((), {"process.message-queues": "error"}),
    "secret": ((), {"process.kernel-objects": "error"}),
    "unread": (("--tmpfs=/tmp",), {"process.unread-events": "warning"}),
    "options": ((), {"process.socket-options": "warning"}),
}


def test_what_processes_hold_is_said(bench: Bench, client: Probe, tmp_path: Path) -> None:
    program = tmp_path / "odd"
    subprocess.run(["gcc", "-static", "-O1", "-o", program, Path(__file__).parent / "odd.c"], check=True)
    for host in ("h1", "h2"):
        argv = bench.lab.exec_argv(host, ["sh", "-c", "cat >/srv/odd; chmod 755 /srv/odd"])
        subprocess.run(argv, input=program.read_bytes(), check=True)
    mounts = [{"source": "/srv/odd", "target": "/odd", "readOnly": True}]
    containers = {name: {"image": IMAGE, "command": ["/odd", name], "mounts": mounts} for name in HELD}
    try:
        for name, (options, _) in HELD.items():
            bench.start(name, containers[name], "--security-opt=seccomp=unconfined", *options)
            ready = f"for i in $(seq 300); do podman logs {name} | grep ready && exit; sleep 0.1; done; exit 1"
            bench.on("h1", ready)
        plan = bench.plan(("web", bench.web(), "h1"), *((name, spec, "h2") for name, spec in containers.items()))
        accepted = bench.plan(
            ("web", bench.web(), "h1"),
            ("options", containers["options"], "h2"),
            policy={"accept": ["process.socket-options"]},
        )
    finally:
        bench.on("h1", f"podman rm -f -t 0 {' '.join(HELD)}", check=False)
    found: dict[str, dict[str, str]] = {name: {} for name in HELD}
    for finding in plan["findings"]:
        if (name := finding["where"]["workload"]) in found:  # `web` is not of these
            found[name][finding["code"]] = finding["severity"]
    assert found == {name: rules for name, (_, rules) in HELD.items()}
    said = {finding["code"]: finding["message"] for finding in plan["findings"]}
    assert "pid, uts" in said["process.nested-namespaces"]
    assert "TCP_CONGESTION" in said["process.socket-options"]
    assert {row["workload"]: row["verdict"] for row in accepted["verdicts"]}["options"] == "yes"
