"""Containers of Docker through the real program and real specs: moved with a connected client, put back in the
last moment, with a controller or a dockerd killed meanwhile. Real: dockerd, containerd, runc, CRIU, Linux."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from reconciler.lab import DEMO_IMAGE, NETWORK, Lab, Probe
from tests.lab.dockers import docker, running_on
from tests.lab.repo import Repo, kill

pytestmark = [pytest.mark.lab, pytest.mark.docker, pytest.mark.timeout(600)]

MEMORY = 64
WATCH = 60.0


@pytest.fixture
def repo(tmp_path: Path, engines: Lab) -> Repo:
    return Repo(tmp_path, engines, patience=240)


def counter(repo: Repo, **fields: object) -> str:
    volume = [{"name": "counter-data", "target": "/data"}]
    address = repo.counter(memory=MEMORY, runtime="docker", container={"volumes": volume, **fields})
    repo.apply()
    assert running_on(repo.lab) == ["h1"]
    docker(
        repo.lab, "h1", "exec", "counter", "/bin/sh", "-c", "echo volume > /data/kept; echo changed > /etc/kept"
    )
    return address


def test_what_it_prints_and_commands_in_it(repo: Repo) -> None:
    counter(repo, command=["/bin/sh", "-c", "echo first; echo last; exec /bin/counter --port 9000"])
    assert repo.run("logs", "counter").stdout.splitlines()[:2] == ["first", "last"]
    assert len(repo.run("logs", "counter", "--tail", "2").stdout.splitlines()) == 2
    assert repo.run("exec", "counter", "sh", "-c", "cat /data/kept; exit 7", expect=7).stdout == "volume\n"


def one_copy(repo: Repo, host: str) -> None:
    """It runs there alone, with its files; nothing of it is anywhere else, and there is nothing to do."""
    other = "h2" if host == "h1" else "h1"
    assert running_on(repo.lab) == [host]
    assert docker(repo.lab, host, "exec", "counter", "/bin/cat", "/data/kept", "/etc/kept") == "volume\nchanged"
    assert docker(repo.lab, other, "ps", "--all", "--quiet") == ""
    assert docker(repo.lab, other, "volume", "ls", "--quiet") == ""
    assert repo.lab.exec(other, ["ls", "-A", "/var/lib/reconciler/docker"], check=False).stdout == ""
    repo.place("counter", host)
    assert "Nothing to do" in repo.apply().stdout
    status = docker(
        repo.lab, host, "inspect", "--format", "{{.State.Status}} {{.HostConfig.RestartPolicy.Name}}", "counter"
    )
    assert status == "running unless-stopped"


def test_there_and_back_three_times_on_one_connection(repo: Repo) -> None:
    address = counter(repo, restart="unless-stopped")
    with Probe(address, checksums=True) as probe:
        for host in ("h2", "h1") * 3:
            repo.place("counter", host)
            repo.apply()
            assert running_on(repo.lab) == [host]
        seen = probe.stop()
    print(f"longest wait {seen.longest_wait_seconds:.2f} s over six moves of {MEMORY} MiB")
    assert seen.survived and seen.memory_intact, seen
    one_copy(repo, "h1")


FAKE = "/usr/local/sbin/criu"
"""Before the real one where runc looks for it."""


def test_it_goes_on_where_it_was_when_the_restore_fails_after_the_commit(repo: Repo) -> None:
    address = counter(repo, restart="unless-stopped")
    fails = f"""printf '#!/bin/sh\\nexit 1\\n' > {FAKE}; chmod 755 {FAKE}"""
    with Probe(address, checksums=True) as probe:
        repo.place("counter", "h2")
        repo.run("plan")
        repo.apply_until("hold", lambda _: repo.lab.exec("h2", ["sh", "-c", fails]) and None, expect=1)
        repo.lab.exec("h2", ["rm", "-f", FAKE])
        assert running_on(repo.lab) == ["h1"]
        seen = probe.stop()
    print(f"put back after the commit: longest wait {seen.longest_wait_seconds:.2f} s")
    assert seen.survived and seen.memory_intact, seen
    one_copy(repo, "h1")


@pytest.mark.parametrize("step", ["hold", "restore", "confirm"])
def test_a_controller_that_is_killed_is_followed_by_resume(repo: Repo, step: str) -> None:
    address = counter(repo, restart="unless-stopped")
    with Probe(address, checksums=True) as probe:
        repo.place("counter", "h2")
        repo.apply_until(step, kill, expect=-9)
        assert len(running_on(repo.lab)) <= 2  # as processes: a frozen one counts here
        done = repo.run("resume", expect=None)
        where = running_on(repo.lab)
        assert len(where) == 1, done.stdout + done.stderr
        seen = probe.stop()
    assert seen.survived and seen.memory_intact, seen
    one_copy(repo, where[0])


SLOW = """cat > /usr/local/sbin/criu <<'C'
#!/bin/sh
[ "$1" != swrk ] || [ ! -e /run/slow ] || { : > /run/begun; sleep 6; }
exec /usr/sbin/criu "$@"
C
chmod 755 /usr/local/sbin/criu; : > /run/slow"""


def test_a_dockerd_that_is_killed_in_the_middle_of_a_restore_costs_nothing(repo: Repo) -> None:
    address = counter(repo, restart="unless-stopped")
    lab = repo.lab
    with Probe(address, checksums=True) as probe:
        lab.exec("h2", ["sh", "-c", SLOW])
        repo.place("counter", "h2")
        applying = repo.start("apply", "--yes")
        ends = time.monotonic() + WATCH
        while lab.exec("h2", ["test", "-e", "/run/begun"], check=False).returncode != 0:
            assert time.monotonic() < ends and applying.poll() is None
            time.sleep(0.05)
        lab.exec("h2", ["sh", "-c", "kill -9 $(cat /run/docker.pid); rm -f /run/slow"])
        said, errors = applying.communicate(timeout=240)
        assert applying.returncode not in (0, None), said + errors
        assert running_on(lab) == ["h1"], said + errors
        boot = (lab.subnet, lab.controller_address, lab.spec.container_range("h2"))
        lab.exec("h2", ["sh", "/run/lab/dockerd.sh", *map(str, boot)])
        lab.exec("h2", ["rm", "-f", FAKE])
        time.sleep(7)  # what of the restore goes on although nobody waits for it has come to its end by now
        assert running_on(lab) == ["h1"]
        repo.run("resume", expect=None)
        seen = probe.stop()
    print(f"dockerd killed in the middle of a restore: longest wait {seen.longest_wait_seconds:.2f} s")
    assert seen.survived and seen.memory_intact, seen
    one_copy(repo, "h1")


def by_hand(lab: Lab, address: str, mac: str) -> float:
    """The longest wait of a client over a move by Docker's own commands."""
    conf, common = "/root/by-hand.conf", "tcp-established\nfile-locks\n"
    made = ["--name", "manual", "--annotation", f"org.criu.config={conf}"]
    made += ["--network", f"name={NETWORK},ip={address},mac-address={mac}"]
    made += [DEMO_IMAGE, "/bin/counter", "--memory", str(MEMORY)]
    lab.exec("h1", ["sh", "-c", f"printf '%s' '{common}' > {conf}"])
    here = docker(lab, "h1", "run", "--detach", *made)
    there = docker(lab, "h2", "create", *made)
    lab.exec("h2", ["sh", "-c", f"printf '%s' '{common}cgroup-root :/docker/{there}\n' > {conf}"])
    folder = "/var/lib/containers/docker/containers/{}/checkpoints"
    probe = Probe(address, checksums=True).start(30.0)
    try:
        docker(lab, "h1", "checkpoint", "create", "manual", "cp")
        pack = ["tar", "-C", folder.format(here), "-cf", "-", "cp"]
        unpack = ["sh", "-c", f"mkdir -p {folder.format(there)} && tar -C {folder.format(there)} -xf -"]
        with subprocess.Popen(lab.exec_argv("h1", pack), stdout=subprocess.PIPE) as packing:
            subprocess.run(lab.exec_argv("h2", unpack), stdin=packing.stdout, check=True)
        docker(lab, "h2", "start", "--checkpoint", "cp", "manual")
        time.sleep(0.5)
    finally:
        seen = probe.stop()
    assert seen.survived, seen
    for host in ("h1", "h2"):
        docker(lab, host, "rm", "--force", "manual")
    return seen.longest_wait_seconds


def test_ours_beside_the_sequence_by_hand(repo: Repo) -> None:
    """Prints both; which is faster is not asserted, for a machine may be busy."""
    address = counter(repo, restart="unless-stopped")
    waits = []
    for host in ("h2", "h1"):
        with Probe(address, checksums=True) as probe:
            repo.place("counter", host)
            repo.apply()
            time.sleep(0.5)
            waits.append(probe.stop().longest_wait_seconds)
    manual = [by_hand(repo.lab, repo.address(n), f"02:00:00:00:61:0{n}") for n in (7, 8)]
    print(f"{MEMORY} MiB, longest wait of a client: ours {waits}, by hand {manual}")
    one_copy(repo, "h1")
