"""A changed restart policy is changed while the workload runs: same process, same connection."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.lab import Lab
from reconciler.lab.probe import Probe
from tests.lab.repo import Repo

pytestmark = pytest.mark.lab


def looked_at(repo: Repo, host: str) -> str:
    look = "{{.State.Pid}} {{.HostConfig.RestartPolicy.Name}}"
    return repo.lab.exec(host, ["podman", "inspect", "counter", "--format", look]).stdout.strip()


def test_the_restart_policy(tmp_path: Path, clean_lab: Lab) -> None:
    repo = Repo(tmp_path, clean_lab)
    address = repo.counter()
    repo.apply()
    before = looked_at(repo, "h1")
    with Probe(address, checksums=True) as probe:
        repo.workloads["counter"]["container"]["restart"] = "always"
        repo.write()
        assert "update" in repo.run("plan").stdout
        repo.apply()
        assert looked_at(repo, "h1") == before.replace(" no", " always")
        repo.run("plan", "--detailed-exitcode")
        repo.place("counter", "h2")
        repo.apply()
        assert looked_at(repo, "h2").endswith(" always")
        repo.run("plan", "--detailed-exitcode")
        seen = probe.stop()
    assert seen.survived and seen.memory_intact, seen


def test_what_was_changed_is_kept_when_the_container_comes_back(tmp_path: Path, clean_lab: Lab) -> None:
    repo = Repo(tmp_path, clean_lab)
    repo.counter()
    repo.apply()
    repo.workloads["counter"]["container"]["restart"] = "always"
    repo.write()
    repo.apply()
    repo.workloads["counter"]["container"]["command"] = ["/bin/counter", "--port", "9001"]
    repo.workloads["counter"]["health"]["within"] = "1s"
    repo.write()
    repo.apply("--allow-interruptions", "1", expect=1)
    assert repo.running_on() == ["h1"] and looked_at(repo, "h1").endswith(" always")


def test_a_new_name_and_what_is_left_over(tmp_path: Path, clean_lab: Lab) -> None:
    """As a newcomer sees it: a new name is the same workload, and what no spec uses any more is listed."""
    repo = Repo(tmp_path, clean_lab)
    data = [{"name": "data", "target": "/data"}]
    address = repo.counter(container={"volumes": data})
    repo.apply()
    before = looked_at(repo, "h1")
    with Probe(address, checksums=True) as probe:
        repo.workloads["ticker"] = repo.workloads.pop("counter")
        repo.write()
        renamed = tmp_path / "specs" / "workloads.yaml"
        renamed.write_text(renamed.read_text().replace("name: ticker", "name: ticker\n  renamedFrom: counter"))
        assert "Nothing to do" in repo.run("plan").stdout
        assert "ticker (there: counter)" in repo.run("get").stdout
        seen = probe.stop()
    assert seen.survived and seen.memory_intact and looked_at(repo, "h1") == before, seen
    repo.workloads.clear()
    repo.write()
    repo.apply("--allow-empty", "--allow-removals", "1")
    assert "data on h1 (of counter)" in repo.run("get").stdout
