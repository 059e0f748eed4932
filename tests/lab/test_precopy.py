"""Pre-copy on stock Debian machines, whose kernel tracks changed memory: real rounds, real ways back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.lab import Lab, Probe
from tests.lab.repo import Repo

pytestmark = [pytest.mark.lab, pytest.mark.vm, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def machines(lab_factory: Callable[..., Lab]) -> Lab:
    return lab_factory("precopy", hosts=2, backend="vm", memory_mib=3072)


@pytest.fixture
def repo(machines: Lab, tmp_path: Path) -> Iterator[Repo]:
    repo = Repo(tmp_path, machines, patience=900)
    repo.policy("rounds", strategy="precopy")
    yield repo
    for host in machines.hosts:
        machines.start_sshd(host.name)
    repo.run("resume", expect=None)
    repo.workloads["counter"]["state"] = "absent"
    repo.write()
    repo.run("apply", "--yes", "--allow-removals", "1")


def running(repo: Repo, memory: int, *options: str, policy: str = "rounds") -> str:
    """A counter on h1 with all its memory in use; its address."""
    address = repo.counter(memory=memory, migration={"policy": policy})
    repo.workloads["counter"]["container"]["command"] += options
    repo.write()
    repo.apply()
    return address


def left_behind(lab: Lab) -> str:
    """Mounts and folders of rounds, and CRIU's processes, on any host."""
    script = (
        "grep -E 'userdata/(checkpoint|precopy)' /proc/mounts; pgrep -a criu;"
        " ls -d /var/lib/containers/storage/overlay-containers/*/userdata/precopy/*; true"
    )
    return "".join(lab.exec(host.name, ["sh", "-c", f"{script} 2>/dev/null"]).stdout for host in lab.hosts)


def test_memory_is_copied_while_it_runs_and_all_of_it_arrives(repo: Repo) -> None:
    address = running(repo, 64)
    with Probe(address, checksums=True) as probe:
        repo.place("counter", "h2")
        assert "pre-copy in rounds" in repo.run("plan").stdout
        repo.apply()
        assert repo.running_on() == ["h2"]
        seen = probe.stop()
    assert seen.survived and seen.memory_intact, seen
    assert left_behind(repo.lab) == ""
    assert "Nothing to do" in repo.run("plan").stdout


def test_a_busy_workload_is_moved_with_what_it_changed_meanwhile(repo: Repo) -> None:
    """Rounds end because they no longer help, and the newest pages win."""
    address = running(repo, 48, "--dirty", "2")
    with Probe(address, checksums=True) as probe:
        repo.place("counter", "h2")
        repo.apply()
        seen = probe.stop()
    assert seen.survived and seen.memory_intact, seen
    assert repo.running_on() == ["h2"]


def test_it_is_not_frozen_when_that_would_take_too_long(repo: Repo) -> None:
    repo.policy("short", strategy="precopy", maxDowntime="600ms")
    address = running(repo, 48, "--dirty", "20", policy="short")
    with Probe(address, checksums=True) as probe:
        repo.place("counter", "h2")
        refused = repo.apply(expect=1)
        seen = probe.stop()
    assert "was not frozen" in refused.stdout and "maxDowntime is 600ms" in refused.stdout
    assert seen.survived and seen.memory_intact, seen
    assert repo.running_on() == ["h1"] and left_behind(repo.lab) == ""


def test_the_destination_dies_between_the_rounds_and_the_freeze(repo: Repo) -> None:
    address = running(repo, 48)
    repo.place("counter", "h2")
    with Probe(address, checksums=True) as probe:
        repo.apply_until("+ counter: precopy", lambda _: repo.lab.kill_sshd("h2"), expect=1)
        assert repo.running_on() == ["h1"]
        repo.lab.start_sshd("h2")
        repo.run("resume")
        seen = probe.stop()
    assert seen.survived and seen.memory_intact, seen
    assert left_behind(repo.lab) == ""


def test_a_controller_killed_in_the_rounds_is_followed_by_one_that_knows_nothing(repo: Repo) -> None:
    address = running(repo, 48)
    repo.place("counter", "h2")
    with Probe(address, checksums=True) as probe:
        repo.apply_until("+ counter: stage", lambda job: job.kill(), expect=-9)
        repo.journal = "another.db"
        repo.run("resume")
        assert repo.running_on() == ["h1"]
        seen = probe.stop()
    assert seen.survived and seen.memory_intact, seen
    assert left_behind(repo.lab) == ""
