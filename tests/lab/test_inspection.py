"""Checkpoints that real Podman and CRIU made, in every form they come in. Real: everything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.cli.main import run
from reconciler.inspection.look import look
from reconciler.lab import DEMO_IMAGE, Lab

pytestmark = pytest.mark.lab


def fetch(lab: Lab, path: str, to: Path) -> Path:
    import subprocess

    config = lab.inventory_path.with_name("ssh_config")
    with to.open("wb") as file:
        subprocess.run(["ssh", "-F", str(config), "h1", "cat", path], stdout=file, check=True, timeout=60)
    return to


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_a_real_archive_is_understood(clean_lab: Lab, tmp_path: Path, capsys, compression: str) -> None:
    def podman(*argv: str) -> str:
        return clean_lab.exec("h1", ["podman", *argv]).stdout

    podman("run", "-d", "--name", "c", "--env", "TOKEN=s3cr3t", DEMO_IMAGE, "/bin/counter", "--memory", "8")
    podman("exec", "c", "sh", "-c", "echo one > /new-file")
    podman("exec", "-d", "c", "sh", "-c", "exec sleep 1000")
    options = ["--file-locks", "--leave-running", "--compress", compression, "-e", "/tmp/c.tar"]
    podman("container", "checkpoint", *options, "c")
    path = fetch(clean_lab, "/tmp/c.tar", tmp_path / "c.tar")
    found = look(path)
    counter = found.processes[0]
    assert counter.command == ("/bin/counter", "--memory", "8") and counter.environment["TOKEN"] == "s3cr3t"
    assert counter.dumped_bytes > 8 << 20 and found.sizes["pages"] >= counter.dumped_bytes
    assert [s.state for s in found.sockets if s.protocol == "tcp"] == ["listen"]
    assert "new-file" in [c.path for c in found.changed]
    assert found.provenance.container == "c" and found.provenance.engine == "podman"
    assert run(["checkpoints", "show", str(path), "--json"]) == 0
    shown = capsys.readouterr().out
    assert json.loads(shown)["command"] == "checkpoints show" and "s3cr3t" not in shown
