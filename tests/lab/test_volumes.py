"""Data in named volumes is where its workload is, whatever made it go there."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.lab import Lab
from tests.lab.repo import Repo, kill

pytestmark = pytest.mark.lab

VOLUMES = {"volumes": [{"name": "counter-data", "target": "/data"}]}
YES = ("--allow-interruptions", "1")


@pytest.fixture
def repo(tmp_path: Path, clean_lab: Lab) -> Repo:
    """A counter on h1 with a file in its volume."""
    repo = Repo(tmp_path, clean_lab)
    repo.counter(container=VOLUMES)
    repo.apply()
    script = "echo first >/data/file; chmod 640 /data/file; chown 1234:4321 /data/file"
    repo.lab.exec("h1", ["podman", "exec", "counter", "sh", "-c", script])
    return repo


def change(repo: Repo, generation: str, on: str) -> None:
    repo.workloads["counter"]["container"]["env"] = {"GENERATION": generation}
    repo.place("counter", on)


def data(repo: Repo, host: str) -> str:
    argv = ["podman", "exec", "counter", "sh", "-c", "cat /data/file; stat -c '%a %u:%g' /data/file"]
    return " ".join(repo.lab.exec(host, argv).stdout.split())


def volumes(repo: Repo, host: str) -> list[str]:
    return repo.lab.exec(host, ["podman", "volume", "ls", "-q"]).stdout.split()


def test_made_anew_on_another_host_and_moved_back(repo: Repo) -> None:
    change(repo, "2", "h2")
    shown = repo.run("plan").stdout
    assert "counter-data comes along from h1" in shown and "of memory" in shown
    repo.apply(*YES)
    assert repo.running_on() == ["h2"] and data(repo, "h2") == "first 640 1234:4321"
    assert volumes(repo, "h1") == []
    repo.lab.exec("h2", ["podman", "exec", "counter", "sh", "-c", "echo second >/data/file"])
    repo.place("counter", "h1")
    repo.apply()
    assert repo.running_on() == ["h1"] and data(repo, "h1") == "second 640 1234:4321"
    assert volumes(repo, "h2") == []
    repo.run("plan", "--detailed-exitcode")


def test_made_anew_on_another_host_where_it_is_not_healthy(repo: Repo) -> None:
    repo.workloads["counter"]["container"]["command"] = ["/bin/counter", "--port", "9001"]
    repo.workloads["counter"]["health"]["within"] = "1s"
    repo.place("counter", "h2")
    repo.apply(*YES, expect=1)
    assert repo.running_on() == ["h1"] and data(repo, "h1") == "first 640 1234:4321"
    assert volumes(repo, "h2") == []


RACED = """#!/bin/sh
case $* in
"create "* | --runtime*" create "*) rm /run/race 2>/dev/null && /usr/bin/podman volume rm counter-data >&2 ;;
esac
exec /usr/bin/podman "$@"
"""
"""Somebody who removes the volume right before the container is made."""


def test_a_volume_that_is_removed_right_before_the_container_is_made(repo: Repo) -> None:
    change(repo, "2", "h2")
    place = "touch /run/race; cat >/usr/local/bin/podman; chmod 755 /usr/local/bin/podman"
    repo.lab.exec("h2", ["sh", "-c", place], input=RACED)
    try:
        said = repo.apply(*YES, expect=1).stdout
    finally:
        left = repo.lab.exec("h2", ["sh", "-c", "rm -f /usr/local/bin/podman; ls /run/race; true"]).stdout
    assert left == "" and "a volume of counter went away while its container was made" in said
    assert repo.running_on() == ["h1"] and data(repo, "h1") == "first 640 1234:4321"
    assert volumes(repo, "h2") == [], "what the engine has made is gone too"
    repo.apply(*YES)
    assert repo.running_on() == ["h2"] and data(repo, "h2") == "first 640 1234:4321"


@pytest.mark.parametrize("step", ["copy-volume", "remove-volume"])
def test_a_controller_that_dies_at_the_copy_loses_nothing(repo: Repo, step: str) -> None:
    change(repo, "2", "h2")
    repo.apply_until(f"{step} ", kill, expect=-9, more=YES)
    repo.run("resume")
    assert repo.running_on() == ["h2"] and data(repo, "h2") == "first 640 1234:4321"
    assert volumes(repo, "h1") == []
    for host in ("h1", "h2"):
        keys = repo.lab.exec(host, ["cat", "/root/.ssh/authorized_keys"], check=False).stdout
        assert "volume" not in keys


def test_removed_and_created_elsewhere(repo: Repo) -> None:
    declared = dict(repo.workloads["counter"])
    repo.workloads["counter"] = declared | {"state": "absent"}
    repo.write()
    assert "counter-data stays on h1" in repo.run("plan").stdout
    repo.apply("--allow-removals", "1")
    assert volumes(repo, "h1") == ["counter-data"]
    repo.workloads["counter"] = declared
    repo.place("counter", "h2")
    repo.apply()
    assert repo.running_on() == ["h2"] and data(repo, "h2") == "first 640 1234:4321"
    assert volumes(repo, "h1") == []


def test_another_copy_on_the_destination_is_never_overwritten(repo: Repo) -> None:
    make = "podman volume create --label io.reconciler.workload=counter --label io.reconciler.epoch=0 counter-data"
    script = f"{make}; echo other >$(podman volume inspect counter-data --format '{{{{.Mountpoint}}}}')/file"
    repo.lab.exec("h2", ["sh", "-c", script])
    repo.place("counter", "h2")
    refused = repo.run("plan", expect=1).stdout
    assert "volume.stale" in refused
    fix = next(line for line in refused.splitlines() if "podman volume rm" in line).partition("on h2: ")[2]
    repo.lab.exec("h2", ["sh", "-c", f"cd /root && {fix}"])
    repo.apply()
    assert data(repo, "h2") == "first 640 1234:4321"
    assert "other" in repo.lab.exec("h2", ["tar", "xOf", "/root/counter-data.tar", "./file"], check=False).stdout
    repo.lab.exec("h2", ["rm", "/root/counter-data.tar"])


DEEPER = """
import os, sys
os.chdir(sys.argv[1])
for _ in range(30):
    os.mkdir(sys.argv[2] * 200)
    os.chdir(sys.argv[2] * 200)
"""


def test_paths_that_nobody_can_name_are_refused_while_it_runs(repo: Repo) -> None:
    def out(argv: list[str]) -> str:
        return repo.lab.exec("h1", argv).stdout.strip()

    look = ["podman", "container", "inspect", "--format", "{{.GraphDriver.Data.UpperDir}}", "counter"]
    folder = out(["podman", "volume", "inspect", "--format", "{{.Mountpoint}}", "counter-data"])
    for one in (folder, out(look)):
        repo.lab.exec("h1", ["python3", "-c", DEEPER, one, "d"])
    repo.place("counter", "h2")
    refused = repo.apply(expect=1).stdout
    assert "container.long-paths" in refused and "4220 bytes in /data: dddd" in refused
    assert "4220 bytes in /: dddd" in refused and repo.running_on() == ["h1"]
    kept = repo.run("checkpoint", "counter", "--to", "h1:/root/kept", expect=1)
    assert "C326" in kept.stderr + kept.stdout and "4222" in kept.stderr + kept.stdout
    inside = "for top in / /data; do cd $top; for n in $(seq 15); do cd ddd*; done; mv ddd* $top/half; done"
    repo.lab.exec("h1", ["podman", "exec", "counter", "sh", "-c", inside])
    repo.apply()
    assert repo.running_on() == ["h2"] and data(repo, "h2") == "first 640 1234:4321"
    change(repo, "2", "h1")
    mountpoint = repo.lab.exec(
        "h2", ["podman", "volume", "inspect", "--format", "{{.Mountpoint}}", "counter-data"]
    )
    repo.lab.exec("h2", ["python3", "-c", DEEPER, mountpoint.stdout.strip(), "e"])
    started = ["podman", "container", "inspect", "--format", "{{.State.StartedAt}} {{.State.Pid}}", "counter"]
    before = repo.lab.exec("h2", started).stdout
    said = repo.apply(*YES, expect=1).stdout
    assert "container.long-paths" in said and "4220 bytes in" in said and "Refused; nothing was changed." in said
    assert repo.running_on() == ["h2"] and repo.lab.exec("h2", started).stdout == before, "it was not touched"
    assert data(repo, "h2") == "first 640 1234:4321"
