"""Real: hosts that lose their power, Debian's cron, CRIU. Trees that their host starts again when it boots."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.lab import Lab
from tests.lab import trees
from tests.lab.daemons import install
from tests.lab.repo import Repo
from tests.lab.trees import built, put, segment

pytestmark = [pytest.mark.lab, pytest.mark.nightly, pytest.mark.timeout(900)]

INDEX = 106
HOSTS = ("h1", "h2")
ENTRY = "/etc/cron.d/reconciler-counter"
HOME = "/var/lib/reconciler/processes/counter"


@pytest.fixture
def repo(tmp_path: Path, clean_lab: Lab) -> Repo:
    put(clean_lab, built())
    repo = Repo(tmp_path, clean_lab)
    segment(repo)
    return repo


def with_cron(repo: Repo) -> None:
    """And with what its maintainer's script would have made."""
    install(repo.lab, HOSTS, packages="cron")
    for host in HOSTS:
        repo.lab.exec(host, ["sh", "-c", "groupadd -f -r crontab && mkdir -p /var/spool/cron/crontabs"])


def runs(repo: Repo, host: str) -> bool:
    return repo.lab.exec(host, ["pgrep", "-x", "counter"], check=False).returncode == 0


def has_entry(repo: Repo) -> list[str]:
    return [h for h in HOSTS if repo.lab.exec(h, ["test", "-e", ENTRY], check=False).returncode == 0]


def cut_power(repo: Repo, host: str) -> str:
    """The host boots, and its cron with it; what the entry has met."""
    repo.lab.exec(host, ["rm", "-f", f"{HOME}/boot.log"])
    repo.lab.reboot(host)
    wait = f"""
        cron
        for _ in $(seq 100); do [ ! -e {HOME}/boot.log ] || break; sleep 0.1; done
        while pgrep -f {HOME}/boot/[b]oot >/dev/null; do sleep 0.2; done
        pkill -x cron
        cat {HOME}/boot.log
    """
    return repo.lab.exec(host, ["sh", "-c", wait], check=False, timeout_seconds=60).stdout


def test_its_host_starts_it_at_boot_where_it_belongs_and_nowhere_else(repo: Repo) -> None:
    address = str(repo.lab.subnet[INDEX])
    repo.workloads["counter"] = trees.tree(address, 8, "h1", startAtBoot=True)
    repo.write()
    refused = repo.apply(expect=1)
    assert "h1 has neither systemd nor cron" in refused.stdout, refused.stdout
    with_cron(repo)
    repo.apply()
    assert has_entry(repo) == ["h1"]
    told = cut_power(repo, "h1")
    assert runs(repo, "h1"), told
    assert "Nothing to do" in repo.apply().stdout
    # Cron that is started again is no boot.
    repo.lab.exec("h1", ["pkill", "-KILL", "-x", "counter"])
    repo.lab.exec("h1", ["sh", "-c", "cron; sleep 1; pkill -x cron"])
    assert not runs(repo, "h1")
    repo.apply()
    # It moved: the entry with it.
    repo.place("counter", "h2")
    repo.apply()
    assert has_entry(repo) == ["h2"] and runs(repo, "h2")
    told = cut_power(repo, "h2")
    assert runs(repo, "h2"), told
    # What Reconciler stopped stays so.
    repo.workloads["counter"]["state"] = "stopped"
    repo.write()
    repo.apply("--allow-interruptions", "1")
    cut_power(repo, "h2")
    assert not runs(repo, "h2")
    repo.workloads["counter"]["state"] = "running"
    repo.workloads["counter"]["process"]["startAtBoot"] = False
    repo.write()
    repo.apply()
    assert has_entry(repo) == [] and runs(repo, "h2")


STOPS = """#!/bin/sh
[ "$1" != restore ] || { touch /tmp/restoring; while [ -e /tmp/restoring ]; do sleep 0.1; done; }
exec /usr/sbin/criu "$@"
"""


def test_a_source_that_boots_in_mid_move_starts_no_second_copy(repo: Repo) -> None:
    """Its power is cut while the destination restores, with the entry on both hosts; then the move ends as it
    would have."""
    with_cron(repo)
    address = str(repo.lab.subnet[INDEX])
    repo.workloads["counter"] = trees.tree(address, 8, "h1", startAtBoot=True)
    repo.write()
    repo.apply()
    fake = "cat > /usr/local/sbin/criu && chmod 755 /usr/local/sbin/criu"
    repo.lab.exec("h2", ["sh", "-c", fake], input=STOPS)
    try:
        repo.place("counter", "h2")
        job = repo.start("apply", "--yes")
        wait = "until [ -e /tmp/restoring ]; do sleep 0.1; done"
        repo.lab.exec("h2", ["timeout", "60", "sh", "-c", wait], timeout_seconds=70)
        assert has_entry(repo) == ["h1", "h2"]
        told = cut_power(repo, "h1")
        assert not runs(repo, "h1")
        assert "does not start on this host: it is committed here" in told, told
        repo.lab.exec("h2", ["rm", "/tmp/restoring"])
        print(*job.communicate(timeout=120))
    finally:
        repo.lab.exec("h2", ["rm", "-f", "/usr/local/sbin/criu", "/tmp/restoring"])
    print(repo.run("resume", expect=None).stdout)
    assert not runs(repo, "h1") and runs(repo, "h2")
    repo.apply()
    assert has_entry(repo) == ["h2"]
    cut_power(repo, "h1")
    assert not runs(repo, "h1") and runs(repo, "h2")
