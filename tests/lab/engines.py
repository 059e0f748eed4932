"""The engines besides Podman whose containers are moved by cut-over: what a test of moves has to know of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.lab import Lab
from tests.lab import dockers, pods
from tests.lab.dockers import docker, running_on
from tests.lab.repo import Repo

MEMORY = 64
"""MiB that a container of these tests has."""
FAKE_CRIU = "/usr/local/sbin/criu"
"""Before the real one where runc looks for it."""
FOLDER = "/srv/counter"


@dataclass(frozen=True)
class Engine:
    """One engine: its runtime, the fixture of a lab that has it, how its daemon ends and begins, and how a test
    sees what is on a host."""

    runtime: str
    lab: str
    daemon: str
    end: str
    begin: Callable[[Lab, str], None]
    run: Callable[..., str]
    """Lab, host and words: what a command prints in the container."""
    nothing_on: Callable[[Lab, str], None]
    """Fails when anything of the workload is on this host."""
    as_made: Callable[[Lab, str], None]
    """Fails when the container here is not as its spec says."""
    container: Mapping[str, Any] = field(default_factory=dict)

    def counter(self, repo: Repo, **fields: object) -> str:
        """A container that has changed its root file system and data of its own; its address."""
        repo.lab.exec("h1", ["mkdir", "-p", FOLDER])
        address = repo.counter(memory=MEMORY, runtime=self.runtime, container={**self.container, **fields})
        repo.apply()
        assert running_on(repo.lab) == ["h1"]
        self.run(repo.lab, "h1", "/bin/sh", "-c", "echo data > /data/kept; echo changed > /etc/kept")
        return address

    def one_copy(self, repo: Repo, host: str) -> None:
        """It runs there alone, with its files; nothing of it is anywhere else, and there is nothing to do."""
        other = "h2" if host == "h1" else "h1"
        assert running_on(repo.lab) == [host]
        assert self.run(repo.lab, host, "/bin/cat", "/data/kept", "/etc/kept").split() == ["data", "changed"]
        self.nothing_on(repo.lab, other)
        self.as_made(repo.lab, host)
        repo.place("counter", host)
        assert "Nothing to do" in repo.apply().stdout


def _in_docker(lab: Lab, host: str, *words: str) -> str:
    return docker(lab, host, "exec", "counter", *words)


def _no_docker(lab: Lab, host: str) -> None:
    assert docker(lab, host, "ps", "--all", "--quiet") == ""
    assert docker(lab, host, "volume", "ls", "--quiet") == ""
    assert lab.exec(host, ["ls", "-A", "/var/lib/reconciler/docker"], check=False).stdout == ""


def _as_docker_made(lab: Lab, host: str) -> None:
    asked = "{{.State.Status}} {{.HostConfig.RestartPolicy.Name}}"
    assert docker(lab, host, "inspect", "--format", asked, "counter") == "running unless-stopped"


_LEFT_OF_PODS = (
    f"ls -A /var/lib/reconciler/cri; ls -d {FOLDER}; grep checkpoint /proc/mounts; ctr -n k8s.io images ls -q"
)


def _no_pods(lab: Lab, host: str) -> None:
    assert pods.pods(lab, host) == []
    left = lab.exec(host, ["sh", "-c", _LEFT_OF_PODS], check=False).stdout.split()
    assert all(word.startswith(("sha256:", "localhost/")) for word in left), left


def _one_pod(lab: Lab, host: str) -> None:
    assert len(pods.pods(lab, host)) == 1
    # An archive that a restore was made of is an image of no registry that anybody has.
    assert "127.0." not in lab.exec(host, ["sh", "-c", _LEFT_OF_PODS], check=False).stdout


DOCKER = Engine(
    "docker",
    "engines",
    "dockerd",
    "kill -9 $(cat /run/docker.pid)",
    dockers.start_dockerd,
    _in_docker,
    _no_docker,
    _as_docker_made,
    {"volumes": [{"name": "counter-data", "target": "/data"}], "restart": "unless-stopped"},
)
CONTAINERD = Engine(
    "cri",
    "without_pods",
    "containerd",
    "pkill -9 -x containerd",
    pods.start_containerd,
    pods.in_container,
    _no_pods,
    _one_pod,
    {"mounts": [{"source": FOLDER, "target": "/data", "move": True}]},
)
