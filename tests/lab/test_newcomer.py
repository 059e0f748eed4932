"""The shortest way of docs/lab.md, as it is written there. Real hosts."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from reconciler.lab import Lab
from reconciler.lab.probe import Probe
from tests.lab.repo import RECONCILE, Repo

pytestmark = pytest.mark.lab


def test_the_shortest_way_from_a_lab_to_a_move(tmp_path: Path, clean_lab: Lab) -> None:
    fleet = tmp_path / "fleet"
    environment = os.environ | {"NO_COLOR": "1", "RECONCILE_JOURNAL": str(tmp_path / "journal.db")}

    def run(*arguments: str, expect: int = 0, folder: Path = fleet) -> str:
        done = subprocess.run(
            [RECONCILE, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout

    run("init", "fleet", "--lab", clean_lab.name, folder=tmp_path)
    assert "1 workload, 3 hosts" in run("validate")
    run("plan")
    assert "counter created on h1" in run("apply", "--yes")
    spec = fleet / "specs" / "counter.yaml"
    address = str(clean_lab.subnet[100])
    with Probe(address, checksums=True) as probe:
        spec.write_text(spec.read_text().replace("{host: h1}", "{host: h2}"))
        assert f"{address} moves along" in run("plan")
        assert "counter moved h1 -> h2" in run("apply", "--yes")
        seen = probe.stop()
    assert seen.survived and seen.memory_intact, seen
    assert "Nothing to do" in run("plan")
    good = spec.read_text()  # docs/first-move.md: it fails, and the same process goes on where it was
    spec.write_text(good.replace("host: h2", "host: h1").replace("tcp: {port: 9000}", "tcp: {port: 9999}"))
    run("apply", "--yes", expect=1)
    assert "running on h2" in run("get")
    with Probe(address, checksums=True) as probe:
        assert probe.stop().checksum_before == seen.checksum_before
    spec.write_text(good)
    assert "Nothing to do" in run("plan")


def test_an_inventory_is_not_written_over_another_file(tmp_path: Path, clean_lab: Lab) -> None:
    repo = Repo(tmp_path, clean_lab)
    hosts = tmp_path / "specs" / "hosts.yaml"
    up = ("lab", "up", "--name", clean_lab.name, "--write", "specs/hosts.yaml")
    repo.run(*up)
    hosts.write_text("# mine\n")
    refused = repo.run(*up, expect=4)
    assert "left as it is" in refused.stderr and hosts.read_text() == "# mine\n"
    repo.run(*up, "--overwrite")
    assert hosts.read_text() == clean_lab.inventory_path.read_text()
