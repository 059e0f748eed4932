"""A workload of Docker that goes to Podman on another host, and back: stopped, with its volumes, and made anew;
and what happens when it is not well there. Real: both engines, CRIU, Linux."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.lab import Lab
from tests.lab.dockers import cleared, docker, running_on
from tests.lab.repo import Repo

pytestmark = [pytest.mark.lab, pytest.mark.docker, pytest.mark.nightly, pytest.mark.timeout(900)]

PODMAN_CLEAR = "podman rm --all --force --time 0; podman volume rm --all --force"


@pytest.fixture
def both(lab_factory: Callable[..., Lab]) -> Iterator[Lab]:
    """Two hosts, each with both engines, empty."""
    with cleared(lab_factory("mixed", hosts=2, backend="mixed")) as lab:
        for host in lab.hosts:
            lab.exec(host.name, ["sh", "-c", PODMAN_CLEAR])
        yield lab


def podman(lab: Lab, host: str, *words: str) -> str:
    return lab.exec(host, ["podman", *words], timeout_seconds=60).stdout.strip()


def goes_to(repo: Repo, host: str, runtime: str) -> None:
    repo.workloads["counter"]["runtime"] = runtime
    repo.place("counter", host)


def left(lab: Lab, host: str) -> str:
    """What either engine has of it on a host."""
    of_docker = docker(lab, host, "ps", "--all", "--quiet"), docker(lab, host, "volume", "ls", "--quiet")
    of_podman = podman(lab, host, "ps", "--all", "--quiet"), podman(lab, host, "volume", "ls", "--quiet")
    return "".join((*of_docker, *of_podman))


def test_to_podman_and_back_with_its_volume(tmp_path: Path, both: Lab) -> None:
    repo = Repo(tmp_path, both, patience=240)
    repo.counter(runtime="docker", container={"volumes": [{"name": "counter-data", "target": "/data"}]})
    repo.apply()
    docker(both, "h1", "exec", "counter", "/bin/sh", "-c", "echo kept > /data/file; chown 1234:4321 /data/file")

    goes_to(repo, "h1", "podman")
    refused = repo.run("plan", expect=1).stdout
    assert "runtime-changed" in refused and "place it on another host" in refused

    goes_to(repo, "h2", "podman")
    asked = repo.run("apply", "--yes", expect=1)
    assert "P401" in asked.stderr, "what runs is not stopped unasked"
    assert running_on(both) == ["h1"]
    repo.run("apply", "--yes", "--allow-interruptions", "1")
    assert running_on(both) == ["h2"] and left(both, "h1") == ""
    shown = ["podman", "exec", "counter", "/bin/sh", "-c", "cat /data/file; stat -c %u:%g /data/file"]
    assert both.exec("h2", shown).stdout.split() == ["kept", "1234:4321"]
    assert "Nothing to do" in repo.apply().stdout

    goes_to(repo, "h1", "docker")
    repo.run("apply", "--yes", "--allow-interruptions", "1")
    assert running_on(both) == ["h1"] and left(both, "h2") == ""
    assert docker(both, "h1", "exec", "counter", "/bin/cat", "/data/file") == "kept"
    assert "Nothing to do" in repo.apply().stdout


def test_where_it_is_not_well_it_is_taken_back(tmp_path: Path, both: Lab) -> None:
    repo = Repo(tmp_path, both, patience=240)
    repo.counter(runtime="docker", container={"volumes": [{"name": "counter-data", "target": "/data"}]})
    repo.apply()
    docker(both, "h1", "exec", "counter", "/bin/sh", "-c", "echo kept > /data/file")
    goes_to(repo, "h2", "podman")
    repo.workloads["counter"]["health"] = {"tcp": {"port": 9999}, "within": "2s"}
    repo.write()
    repo.run("apply", "--yes", "--allow-interruptions", "1", expect=1)
    assert running_on(both) == ["h1"] and left(both, "h2") == ""
    assert docker(both, "h1", "exec", "counter", "/bin/cat", "/data/file") == "kept"
