"""A container with nearly all that a spec can say is the same after a move, says Podman and says the kernel."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.lab import Lab
from tests.lab.repo import Repo

pytestmark = pytest.mark.lab

GOES_ALONG = {
    "init": True,
    "labels": {"traefik.http.routers.web.rule": "Host(`web.example`)", "team": "blue, green"},
    "env": {"MODE": "a b=c"},
    "groupAdd": ["123", "456"],
    "tmpfs": [{"target": "/scratch", "size": "1MiB", "mode": "1770"}, {"target": "/tools", "exec": True}],
    "shmSize": "2MiB",
    "sysctls": {
        "net.core.somaxconn": 777,
        "net.ipv4.ip_local_port_range": "20000 30000",
        "kernel.msgmax": 4096,
        "net.ipv4.tcp_keepalive_time": 99,
    },
    "ulimits": {"nofile": {"soft": 500, "hard": 600}, "core": 0},
    "extraHosts": {"db.local": "10.9.9.9", "six.local": "fd00::9"},
    "dns": ["10.9.9.10"],
    "dnsSearch": ["x.local"],
    "dnsOptions": ["ndots:2"],
    "stopSignal": "int",
    "stopTimeout": "3s",
    "securityOpt": {"noNewPrivileges": True},
    "capDrop": ["net_raw"],
    "stdinOpen": True,
    "devices": [{"path": "/dev/full", "target": "/dev/mine", "permissions": "rw"}],
    "oomScoreAdj": 250,
    "logging": {"driver": "json-file", "maxSize": "1MB"},
    "restart": "on-failure",
    "restartRetries": 3,
    "healthcheck": {"command": ["true"], "interval": "1d", "retries": 2},
    "ipc": "private",
}


@pytest.fixture
def repo(tmp_path: Path, clean_lab: Lab) -> Repo:
    return Repo(tmp_path, clean_lab)


def flat(value: object, path: str = "") -> dict[str, object]:
    """Every leaf by its path, so that a difference names itself."""
    if isinstance(value, dict):
        return {k: v for key, below in value.items() for k, v in flat(below, f"{path}.{key}").items()}
    if isinstance(value, list):
        return {k: v for n, below in enumerate(value) for k, v in flat(below, f"{path}.{n}").items()}
    return {path: value}


OWN = (".Config.CreateCommand", ".HostConfig.LogConfig.Path", ".HostConfig.ContainerIDFile")
"""What is the one container's and not what it was asked for."""


def inspected(repo: Repo, host: str) -> dict[str, object]:
    found = json.loads(repo.lab.exec(host, ["podman", "container", "inspect", "counter"]).stdout)[0]
    section = {key: found[key] for key in ("Config", "HostConfig", "Mounts", "Path", "Args", "OCIRuntime")}
    section["Config"]["Env"].sort()  # Podman's order is another each time
    for secret in section["Config"].get("Secrets", []):
        secret.pop("ID")
    return {path: value for path, value in flat(section).items() if not path.startswith(OWN)}


LOOK = r"""
    cat /proc/sys/net/core/somaxconn /proc/sys/net/ipv4/ip_local_port_range /proc/sys/kernel/msgmax
    cat /proc/sys/net/ipv4/tcp_keepalive_time
    grep -E '^(Groups|NoNewPrivs|Cap|Seccomp:)' /proc/1/status; cat /proc/1/oom_score_adj
    grep -E 'open files|core file' /proc/1/limits; ulimit -n
    df /scratch /dev/shm | awk '{print $1, $2, $6}'; stat -c '%a' /scratch
    grep -E ' /(scratch|tools|dev/shm|run/secrets/key) ' /proc/mounts | cut -d' ' -f2,4 | sort
    grep -E '^(10.9.9.9|fd00::9)' /etc/hosts; cat /etc/resolv.conf
    cat /run/secrets/key /scratch/kept /dev/shm/kept; stat -c '%a %u:%g %s' /run/secrets/key
    ls -l /dev/mine | cut -c1-40; echo full 2>&1 >/dev/mine
    echo $TOKEN $MODE; cat /proc/1/comm
"""


def seen_inside(repo: Repo, host: str) -> str:
    return repo.lab.exec(host, ["podman", "exec", "counter", "sh", "-c", LOOK]).stdout


def test_what_a_spec_can_say_is_the_same_after_a_move(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "t0ken")
    (tmp := repo.folder / "key.pem").write_text("k3y\n")
    secrets = {
        "secretEnv": {"TOKEN": {"fromEnv": "TOKEN"}},
        "secretFiles": {"/run/secrets/key": {"fromFile": str(tmp), "mode": "0440", "uid": 7, "gid": 8}},
    }
    repo.counter(container=GOES_ALONG | secrets)
    repo.apply()
    keep = "echo memory >/scratch/kept; echo shared >/dev/shm/kept"
    repo.lab.exec("h1", ["podman", "exec", "counter", "sh", "-c", keep])
    said, saw = inspected(repo, "h1"), seen_inside(repo, "h1")
    for word in ("777", "20000\t30000", "4096", "99", "k3y", "memory", "shared", "t0ken", "ndots:2", "123 456"):
        assert word in saw, (word, saw)
    repo.lab.exec("h1", ["podman", "healthcheck", "run", "counter"])  # fails when it is not well
    for host in ("h2", "h1"):
        repo.place("counter", host)
        repo.apply()
        assert repo.running_on() == [host]
        assert seen_inside(repo, host) == saw
        now = inspected(repo, host)
        assert {p: (said.get(p), now.get(p)) for p in said | now if said.get(p) != now.get(p)} == {}
        assert "Nothing to do" in repo.apply().stdout
    other = repo.lab.exec("h2", ["podman", "secret", "ls", "-q"]).stdout
    assert other == "", "no secret stays where it was"


HOLDS_OPEN = "exec 7</run/secrets/key; read -r first <&7; while :; do sleep 1; done"


def test_a_secret_that_has_changed_since_goes_along_as_the_workload_knows_it(repo: Repo) -> None:
    key = repo.folder / "key.pem"
    key.write_text("of then\nand more\n")
    secret = {"/run/secrets/key": {"fromFile": str(key), "mode": "0444"}}
    repo.counter(container={"secretFiles": secret, "command": ["/bin/sh", "-c", HOLDS_OPEN]}, health=None)
    repo.apply()
    before = repo.lab.exec(
        "h1", ["podman", "exec", "counter", "stat", "-c", "%a %u %s %Y", "/run/secrets/key"]
    ).stdout
    key.write_text("of today, and longer than it was\n")
    for host in ("h2", "h1"):
        repo.place("counter", host)
        repo.apply()
        assert repo.running_on() == [host]
        look = "cat /run/secrets/key /proc/1/fd/7; stat -c '%a %u %s %Y' /run/secrets/key; cat /proc/1/fdinfo/7"
        seen = repo.lab.exec(host, ["podman", "exec", "counter", "sh", "-c", look]).stdout
        assert seen.startswith("of then\nand more\n" * 2 + before) and "pos:\t8" in seen
    repo.counter(on="h1", container={"secretFiles": secret}, update={"allow": ["recreate"]})
    repo.apply()
    seen = repo.lab.exec("h1", ["podman", "exec", "counter", "cat", "/run/secrets/key"]).stdout
    assert seen == "of today, and longer than it was\n", "made anew it has today's"
