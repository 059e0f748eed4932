"""The shortest way of docs/lab.md, as it is written there. Real hosts."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

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


def test_the_starter_repositorys_workflow_applies_what_it_planned(tmp_path: Path, clean_lab: Lab) -> None:
    """Its own shell steps, with a key from an agent, on real hosts; then on hosts that have changed since."""
    fleet = tmp_path / "fleet"
    environment = os.environ | {
        "NO_COLOR": "1",
        "PATH": f"{RECONCILE.parent}:{os.environ['PATH']}",
        "RECONCILE_JOURNAL": str(tmp_path / "journal.db"),
        "SSH_KEY": clean_lab.inventory_path.with_name("id_ed25519").read_text(),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
    }

    def play(script: str, expect: int = 0) -> None:
        words = ["bash", "-eo", "pipefail", "-c", script]
        done = subprocess.run(words, cwd=fleet, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == expect, done.stdout + done.stderr

    (tmp_path / "fleet").mkdir()
    play(f"reconcile init . --lab {clean_lab.name} && reconcile init .")
    hosts = fleet / "specs" / "hosts.yaml"
    hosts.write_text("".join(line for line in hosts.read_text().splitlines(True) if "identityFile" not in line))
    play("git init -q && git add . && git -c user.name=n -c user.email=e commit -qm first")
    jobs = yaml.safe_load((fleet / ".github/workflows/reconcile.yaml").read_text())["jobs"]
    (plan,) = (step["run"] for step in jobs["plan"]["steps"] if step.get("id") == "plan")
    apply = jobs["apply"]["steps"][-1]["run"]
    play(plan)
    assert "changes=yes" in (tmp_path / "output").read_text()
    play(apply)
    assert "counter created on h1" in (tmp_path / "summary").read_text()
    play(apply, expect=8)  # the hosts are not as they were when it was planned
    play(plan)
    assert (tmp_path / "output").read_text().splitlines()[-1] == "changes=no"
