"""nginx and redis of Debian, started by hand as on any host, declared, planned and moved with their clients."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.lab import Lab
from tests.lab.daemons import ended, install
from tests.lab.repo import Repo

pytestmark = [pytest.mark.lab, pytest.mark.nightly, pytest.mark.timeout(900)]

HOSTS = ("h1", "h2")
REDIS, NGINX = 107, 108
START = {
    "redis": "mkdir -p /run/redis /var/lib/redis /var/log/redis; redis-server --daemonize yes --bind {ip}"
    " --protected-mode no --pidfile /run/redis/redis.pid --dir /var/lib/redis --appendonly yes"
    " --logfile /var/log/redis/redis.log",
    # As root: without CAP_SYS_RESOURCE, which a lab's host may lack, CRIU reads no limits of another user's.
    "nginx": "mkdir -p /var/log/nginx /var/lib/nginx; nginx -g 'user root; worker_processes 2;'",
}
FOLDERS = {"redis": ["/var/lib/redis", "/var/log/redis"], "nginx": ["/var/log/nginx"]}
PIDFILE = {"redis": "/run/redis/redis.pid", "nginx": "/run/nginx.pid"}


@pytest.fixture
def repo(tmp_path: Path, clean_lab: Lab) -> Iterator[Repo]:
    install(clean_lab, HOSTS)
    repo = Repo(tmp_path, clean_lab)
    for host in HOSTS:
        clean_lab.exec(host, ["sh", "-c", "rm -rf /var/lib/redis /var/log/redis /var/log/nginx"])
    with ended(clean_lab, "redis-server", "nginx"):
        try:
            yield repo
        finally:
            for host in HOSTS:
                for number in (REDIS, NGINX):
                    ip = f"{clean_lab.subnet[number]}/32"
                    clean_lab.exec(host, ["ip", "addr", "del", ip, "dev", "e0"], check=False)


def begin(repo: Repo, name: str, number: int, port: int) -> str:
    ip = str(repo.lab.subnet[number])
    script = f"ip addr add {ip}/32 dev e0; {START[name].format(ip=ip)}; sleep 0.5"
    repo.lab.exec("h1", ["sh", "-c", script], timeout_seconds=60)
    attach = {
        "pidfile": PIDFILE[name],
        "addresses": [{"ip": ip, "card": "e0"}],
        "folders": FOLDERS[name],
    }
    repo.workloads[name] = {
        "runtime": "process",
        "process": {"attach": attach},
        "placement": {"host": "h1"},
        "health": {"tcp": {"port": port}, "within": "10s"},
    }
    repo.write()
    return ip


def processes(repo: Repo, name: str) -> dict[str, str]:
    """Process numbers by host."""
    found = {host: repo.lab.exec(host, ["pgrep", "-x", name], check=False).stdout.split() for host in HOSTS}
    return {host: " ".join(sorted(numbers)) for host, numbers in found.items() if numbers}


def test_redis_keeps_its_client_and_its_data(repo: Repo) -> None:
    ip = begin(repo, "redis", REDIS, 6379)
    repo.apply()
    before = processes(repo, "redis-server")
    with socket.create_connection((ip, 6379), timeout=30) as client:

        def ask(words: str) -> bytes:
            client.sendall(f"{words}\r\n".encode())
            return client.recv(100)

        assert ask("INCR moves") == b":1\r\n"
        for turn, host in enumerate(("h2", "h1"), 2):
            repo.place("redis", host)
            repo.apply()
            assert ask("INCR moves") == f":{turn}\r\n".encode()
            assert processes(repo, "redis-server") == {host: before["h1"]}
        assert ask("BGREWRITEAOF").startswith(b"+"), "it can still start processes and write"
    repo.lab.exec("h1", ["sh", "-c", "redis-cli -h $0 shutdown nosave || true", ip], timeout_seconds=60)
    repo.lab.exec("h1", ["sh", "-c", START["redis"].format(ip=ip) + "; sleep 1"], timeout_seconds=60)
    repo.apply()  # it was started again by hand, and is attached to again
    assert repo.lab.exec("h1", ["redis-cli", "-h", ip, "get", "moves"]).stdout.strip() == "3"


def test_nginx_keeps_its_client_and_its_workers(repo: Repo) -> None:
    ip = begin(repo, "nginx", NGINX, 80)
    repo.apply()
    before = processes(repo, "nginx")
    with socket.create_connection((ip, 80), timeout=30) as client:

        def get() -> bytes:
            client.sendall(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
            return client.recv(1000).splitlines()[0]

        assert get() == b"HTTP/1.1 200 OK"
        for host in ("h2", "h1"):
            repo.place("nginx", host)
            repo.apply()
            assert get() == b"HTTP/1.1 200 OK"
            assert processes(repo, "nginx") == {host: before["h1"]} and len(before["h1"].split()) == 3
    logged = repo.lab.exec("h1", ["sh", "-c", "grep -c HEAD /var/log/nginx/access.log"]).stdout
    assert logged.strip() == "3"
    repo.lab.exec("h1", ["nginx", "-s", "reload"])  # by its pidfile, which came along
