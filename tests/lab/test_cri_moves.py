"""Pods of containerd through the real program and real specs: moved with a connected client, put back in the last
moment, with a controller or a containerd killed meanwhile. Real: containerd, its CRI, runc, CRIU, CNI, Linux."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.lab import Lab, Probe
from tests.lab.cri_by_hand import ByHand
from tests.lab.dockers import running_on
from tests.lab.pods import address, in_container, pods, start_containerd
from tests.lab.repo import Repo, kill

pytestmark = [pytest.mark.lab, pytest.mark.cri, pytest.mark.timeout(600)]

MEMORY = 64
WATCH = 200.0
FAKE = "/usr/local/sbin/criu"
"""Before the real one where runc looks for it."""
FOLDER = "/srv/counter"


@pytest.fixture
def repo(tmp_path: Path, without_pods: Lab) -> Iterator[Repo]:
    made = Repo(tmp_path, without_pods, patience=240)
    yield made
    for host in without_pods.hosts:
        without_pods.exec(host.name, ["sh", "-c", f"rm -rf {FAKE} {FOLDER} /run/slow /run/begun"], check=False)


def counter(repo: Repo, **fields: object) -> str:
    """A pod that has changed its root file system and a folder of its own; its address."""
    repo.lab.exec("h1", ["mkdir", "-p", FOLDER])
    mounts = [{"source": FOLDER, "target": "/data", "move": True}]
    at = repo.counter(memory=MEMORY, runtime="cri", container={"mounts": mounts, **fields})
    repo.apply()
    assert running_on(repo.lab) == ["h1"]
    in_container(repo.lab, "h1", "sh", "-c", "echo folder > /data/kept; echo changed > /etc/kept")
    return at


def one_copy(repo: Repo, host: str) -> None:
    """It runs there alone, with its files; nothing of it is anywhere else, and there is nothing to do."""
    lab, other = repo.lab, "h2" if host == "h1" else "h1"
    assert running_on(lab) == [host]
    assert in_container(lab, host, "cat", "/data/kept", "/etc/kept") == "folder\nchanged\n"
    assert [len(pods(lab, name)) for name in (host, other)] == [1, 0]
    left = (
        f"ls -A /var/lib/reconciler/cri; ls -d {FOLDER}; grep checkpoint /proc/mounts; ctr -n k8s.io images ls -q"
    )
    assert "127.0." not in lab.exec(host, ["sh", "-c", left], check=False).stdout
    there = lab.exec(other, ["sh", "-c", left], check=False).stdout.split()
    assert all(word.startswith(("sha256:", "localhost/")) for word in there), there
    repo.place("counter", host)
    assert "Nothing to do" in repo.apply().stdout


def test_there_and_back_three_times_on_one_connection(repo: Repo) -> None:
    at = counter(repo)
    with Probe(at, checksums=True) as probe:
        for host in ("h2", "h1") * 3:
            repo.place("counter", host)
            repo.apply()
            assert running_on(repo.lab) == [host]
        seen = probe.stop()
    print(f"longest wait {seen.longest_wait_seconds:.2f} s over six moves of {MEMORY} MiB")
    assert seen.survived and seen.memory_intact, seen
    one_copy(repo, "h1")


def test_a_source_that_is_stopped_moves_too(repo: Repo) -> None:
    at = counter(repo)
    repo.policy("stopped", cutover="restore-back")
    repo.workloads["counter"]["migration"] = {"policy": "stopped"}
    with Probe(at, checksums=True) as probe:
        repo.place("counter", "h2")
        repo.apply()
        seen = probe.stop()
    assert seen.survived and seen.memory_intact, seen
    one_copy(repo, "h2")


def test_with_an_address_of_cni_it_moves_without_its_connections(repo: Repo) -> None:
    counter(repo, networks=[])
    repo.place("counter", "h2")
    with Probe(address(repo.lab, "h1")):
        refused = repo.run("apply", "--yes", expect=None)
        assert "tcp.address-stays" in refused.stdout and running_on(repo.lab) == ["h1"]
    repo.policy("closing", tcp="close")
    repo.workloads["counter"]["migration"] = {"policy": "closing"}
    repo.place("counter", "h2")
    repo.apply()
    with Probe(address(repo.lab, "h2")) as probe:
        time.sleep(1)
        seen = probe.stop()
    assert seen.survived, seen
    one_copy(repo, "h2")


def test_it_goes_on_where_it_was_when_the_restore_fails_after_the_commit(repo: Repo) -> None:
    at = counter(repo)
    fails = f"printf '#!/bin/sh\\nexit 1\\n' > {FAKE}; chmod 755 {FAKE}"
    with Probe(at, checksums=True) as probe:
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
    at = counter(repo)
    with Probe(at, checksums=True) as probe:
        repo.place("counter", "h2")
        repo.apply_until(step, kill, expect=-9)
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


def wait_for(lab: Lab, host: str, file: str, job: subprocess.Popen[str]) -> None:
    ends = time.monotonic() + WATCH
    while lab.exec(host, ["sh", "-c", f"ls -d {file}"], check=False).returncode != 0:
        assert time.monotonic() < ends and job.poll() is None
        time.sleep(0.02)


def test_a_containerd_that_is_killed_in_the_middle_of_a_restore_costs_nothing(repo: Repo) -> None:
    at = counter(repo)
    lab = repo.lab
    with Probe(at, checksums=True) as probe:
        lab.exec("h2", ["sh", "-c", SLOW])
        repo.place("counter", "h2")
        applying = repo.start("apply", "--yes")
        wait_for(lab, "h2", "/run/begun", applying)
        lab.exec("h2", ["sh", "-c", "pkill -9 -x containerd; rm -f /run/slow"])
        said, errors = applying.communicate(timeout=240)
        assert applying.returncode not in (0, None), said + errors
        assert running_on(lab) == ["h1"], said + errors
        start_containerd(lab, "h2")
        time.sleep(7)  # what of the restore goes on although nobody waits for it has come to its end by now
        assert running_on(lab) == ["h1"]
        repo.run("resume", expect=None)
        seen = probe.stop()
    print(f"containerd killed in the middle of a restore: longest wait {seen.longest_wait_seconds:.2f} s")
    assert seen.survived and seen.memory_intact, seen
    one_copy(repo, "h1")


def test_a_containerd_that_is_killed_while_it_holds_costs_nothing(repo: Repo) -> None:
    """Its shim and CRIU outlive it, and so does the hold; there is one copy in the end."""
    at = counter(repo)
    lab = repo.lab
    with Probe(at, checksums=True) as probe:
        repo.place("counter", "h2")
        applying = repo.start("apply", "--yes")
        wait_for(lab, "h1", "/var/lib/reconciler/workloads/counter/hook/held", applying)
        lab.exec("h1", ["sh", "-c", "pkill -9 -x containerd"])
        applying.communicate(timeout=240)
        start_containerd(lab, "h1")
        done = repo.run("resume", expect=None)
        where = running_on(lab)
        assert len(where) == 1, done.stdout + done.stderr
        seen = probe.stop()
    print(f"containerd killed over a hold: runs on {where[0]}, longest wait {seen.longest_wait_seconds:.2f} s")
    assert seen.survived and seen.memory_intact, seen
    one_copy(repo, where[0])


def test_a_pod_of_a_host_with_a_kubelet_does_not_move(repo: Repo) -> None:
    at = counter(repo)
    repo.lab.exec("h1", ["sh", "-c", "mkdir -p /var/lib/kubelet && : > /var/lib/kubelet/config.yaml"])
    repo.place("counter", "h2")
    with Probe(at) as probe:
        refused = repo.run("apply", "--yes", expect=None)
        seen = probe.stop()
    assert "cri.kubelet" in refused.stdout and refused.returncode != 0
    assert seen.survived and running_on(repo.lab) == ["h1"]


def test_ours_beside_the_sequence_by_hand(repo: Repo) -> None:
    """Prints both; which is faster is not asserted, for a machine may be busy."""
    manual = [ByHand(repo.lab, repo.address(n), f"02:00:00:00:61:0{n}", MEMORY).longest_wait() for n in (7, 8)]
    at = counter(repo)
    waits = []
    for host in ("h2", "h1"):
        with Probe(at, checksums=True) as probe:
            repo.place("counter", host)
            repo.apply()
            time.sleep(0.5)
            waits.append(probe.stop().longest_wait_seconds)
    print(f"{MEMORY} MiB, longest wait of a client: ours {waits}, by hand {manual}")
    one_copy(repo, "h1")
