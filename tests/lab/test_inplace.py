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
