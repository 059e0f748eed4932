"""A lab whose hosts have Docker: what tests ask of it, and how it is made empty again."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from reconciler.lab import Lab
from tests.lab.tidying import END_HOLDS

CLEAR = """
docker version >/dev/null 2>&1 || sh /run/lab/dockerd.sh "$1" "$2" "$3"
docker container ls --all --quiet | xargs -r docker rm --force --volumes
docker volume ls --quiet | xargs -r docker volume rm --force
docker network ls --filter driver=bridge --quiet | xargs -r docker network rm
awk '/.checkpoint /{print $2}' /proc/mounts | xargs -r umount
rm -rf /var/lib/reconciler/*
"""


def docker(lab: Lab, host: str, *words: str, check: bool = True) -> str:
    return lab.exec(host, ["docker", *words], check=check, timeout_seconds=60).stdout.strip()


def running_on(lab: Lab, program: str = "counter") -> list[str]:
    """The hosts whose kernel runs the program, whatever an engine says."""
    found = (host.name for host in lab.hosts if host.pid)
    return [name for name in found if lab.exec(name, ["pgrep", "-x", program], check=False).returncode == 0]


def boot_words(lab: Lab, host: str) -> list[str]:
    """What the scripts that begin an engine's daemon are told."""
    return [str(one) for one in (lab.subnet, lab.controller_address, lab.spec.container_range(host))]


def start_dockerd(lab: Lab, host: str) -> None:
    lab.exec(host, ["sh", "/run/lab/dockerd.sh", *boot_words(lab, host)])


@contextmanager
def cleared(lab: Lab) -> Iterator[Lab]:
    """All hosts up and without containers, before and after."""
    _clear(lab)
    yield lab
    _clear(lab)


def _clear(lab: Lab) -> None:
    Lab.up(lab.name)
    # An address may come back with another MAC; this machine must not look for the old one.
    subprocess.run(["ip", "neigh", "flush", "to", str(lab.subnet)], check=True, capture_output=True)
    for host in lab.hosts:
        lab.set_link(host.name, True)
        lab.start_sshd(host.name)
        lab.exec(host.name, ["sh", "-c", END_HOLDS], check=False)
        lab.exec(host.name, ["sh", "-c", CLEAR, "clear", *boot_words(lab, host.name)])
