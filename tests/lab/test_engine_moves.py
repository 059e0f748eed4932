"""Containers of Docker and pods of containerd through the real program and real specs: moved with a connected
client, put back in the last moment, with a controller or the engine's daemon killed meanwhile. Real: dockerd,
containerd, its CRI, CNI, runc, CRIU, Linux."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.lab import DEMO_IMAGE, NETWORK, Lab, Probe
from tests.lab.cri_by_hand import ByHand
from tests.lab.dockers import docker, running_on
from tests.lab.engines import CONTAINERD, DOCKER, FAKE_CRIU, FOLDER, MEMORY, Engine
from tests.lab.pods import address
from tests.lab.repo import Repo, kill

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

WATCH = 200.0
OF_DOCKER = pytest.param(DOCKER, marks=pytest.mark.docker, id="docker")
OF_CONTAINERD = pytest.param(CONTAINERD, marks=pytest.mark.cri, id="cri")
ENGINES = pytest.mark.parametrize("engine", [OF_DOCKER, OF_CONTAINERD])
SLOW_CRIU = f"""cat > {FAKE_CRIU} <<'C'
#!/bin/sh
[ "$1" != swrk ] || [ ! -e /run/slow ] || {{ : > /run/begun; sleep 6; }}
exec /usr/sbin/criu "$@"
C
chmod 755 {FAKE_CRIU}; : > /run/slow"""
FAILING_CRIU = f"printf '#!/bin/sh\\nexit 1\\n' > {FAKE_CRIU}; chmod 755 {FAKE_CRIU}"


@pytest.fixture
def repo(tmp_path: Path, engine: Engine, request: pytest.FixtureRequest) -> Iterator[Repo]:
    lab: Lab = request.getfixturevalue(engine.lab)
    yield Repo(tmp_path, lab, patience=240)
    for host in lab.hosts:
        lab.exec(host.name, ["sh", "-c", f"rm -rf {FAKE_CRIU} {FOLDER} /run/slow /run/begun"], check=False)


def wait_for(lab: Lab, host: str, file: str, job: subprocess.Popen[str]) -> None:
    ends = time.monotonic() + WATCH
    while lab.exec(host, ["test", "-e", file], check=False).returncode != 0:
        assert time.monotonic() < ends and job.poll() is None
        time.sleep(0.02)


@ENGINES
def test_there_and_back_three_times_on_one_connection(repo: Repo, engine: Engine) -> None:
    with Probe(engine.counter(repo), checksums=True) as probe:
        for host in ("h2", "h1") * 3:
            repo.place("counter", host)
            repo.apply()
            assert running_on(repo.lab) == [host]
        seen = probe.stop()
    print(f"longest wait {seen.longest_wait_seconds:.2f} s over six moves of {MEMORY} MiB")
    assert seen.survived and seen.memory_intact, seen
    engine.one_copy(repo, "h1")


@ENGINES
def test_it_goes_on_where_it_was_when_the_restore_fails_after_the_commit(repo: Repo, engine: Engine) -> None:
    with Probe(engine.counter(repo), checksums=True) as probe:
        repo.place("counter", "h2")
        repo.run("plan")
        repo.apply_until("hold", lambda _: repo.lab.exec("h2", ["sh", "-c", FAILING_CRIU]) and None, expect=1)
        repo.lab.exec("h2", ["rm", "-f", FAKE_CRIU])
        assert running_on(repo.lab) == ["h1"]
        seen = probe.stop()
    print(f"put back after the commit: longest wait {seen.longest_wait_seconds:.2f} s")
    assert seen.survived and seen.memory_intact, seen
    engine.one_copy(repo, "h1")


@ENGINES
@pytest.mark.parametrize("step", ["hold", "restore", "confirm"])
def test_a_controller_that_is_killed_is_followed_by_resume(repo: Repo, engine: Engine, step: str) -> None:
    with Probe(engine.counter(repo), checksums=True) as probe:
        repo.place("counter", "h2")
        repo.apply_until(step, kill, expect=-9)
        assert len(running_on(repo.lab)) <= 2  # as processes: a frozen one counts here
        done = repo.run("resume", expect=None)
        where = running_on(repo.lab)
        assert len(where) == 1, done.stdout + done.stderr
        seen = probe.stop()
    assert seen.survived and seen.memory_intact, seen
    engine.one_copy(repo, where[0])


@ENGINES
def test_a_daemon_that_is_killed_in_the_middle_of_a_restore_costs_nothing(repo: Repo, engine: Engine) -> None:
    lab = repo.lab
    with Probe(engine.counter(repo), checksums=True) as probe:
        lab.exec("h2", ["sh", "-c", SLOW_CRIU])
        repo.place("counter", "h2")
        applying = repo.start("apply", "--yes")
        wait_for(lab, "h2", "/run/begun", applying)
        lab.exec("h2", ["sh", "-c", f"{engine.end}; rm -f /run/slow"])
        said, errors = applying.communicate(timeout=240)
        assert applying.returncode not in (0, None), said + errors
        assert running_on(lab) == ["h1"], said + errors
        engine.begin(lab, "h2")
        lab.exec("h2", ["rm", "-f", FAKE_CRIU])
        time.sleep(7)  # what of the restore goes on although nobody waits for it has come to its end by now
        assert running_on(lab) == ["h1"]
        repo.run("resume", expect=None)
        seen = probe.stop()
    print(f"{engine.daemon} killed in the middle of a restore: longest wait {seen.longest_wait_seconds:.2f} s")
    assert seen.survived and seen.memory_intact, seen
    engine.one_copy(repo, "h1")


@pytest.mark.parametrize("engine", [OF_CONTAINERD])
def test_a_daemon_that_is_killed_while_it_holds_costs_nothing(repo: Repo, engine: Engine) -> None:
    """Its shim and CRIU outlive it, and so does the hold; there is one copy in the end."""
    lab = repo.lab
    with Probe(engine.counter(repo), checksums=True) as probe:
        repo.place("counter", "h2")
        applying = repo.start("apply", "--yes")
        wait_for(lab, "h1", "/var/lib/reconciler/workloads/counter/hook/held", applying)
        lab.exec("h1", ["sh", "-c", engine.end])
        applying.communicate(timeout=240)
        engine.begin(lab, "h1")
        done = repo.run("resume", expect=None)
        where = running_on(lab)
        assert len(where) == 1, done.stdout + done.stderr
        seen = probe.stop()
    print(f"{engine.daemon} killed over a hold: on {where[0]}, longest wait {seen.longest_wait_seconds:.2f} s")
    assert seen.survived and seen.memory_intact, seen
    engine.one_copy(repo, where[0])


@pytest.mark.parametrize("engine", [OF_DOCKER])
def test_what_it_prints_and_commands_in_it(repo: Repo, engine: Engine) -> None:
    engine.counter(repo, command=["/bin/sh", "-c", "echo first; echo last; exec /bin/counter --port 9000"])
    assert repo.run("logs", "counter").stdout.splitlines()[:2] == ["first", "last"]
    assert len(repo.run("logs", "counter", "--tail", "2").stdout.splitlines()) == 2
    assert repo.run("exec", "counter", "sh", "-c", "cat /data/kept; exit 7", expect=7).stdout == "data\n"


@pytest.mark.parametrize("engine", [OF_CONTAINERD])
def test_a_source_that_is_stopped_moves_too(repo: Repo, engine: Engine) -> None:
    at = engine.counter(repo)
    repo.policy("stopped", cutover="restore-back")
    repo.workloads["counter"]["migration"] = {"policy": "stopped"}
    with Probe(at, checksums=True) as probe:
        repo.place("counter", "h2")
        repo.apply()
        seen = probe.stop()
    assert seen.survived and seen.memory_intact, seen
    engine.one_copy(repo, "h2")


@pytest.mark.parametrize("engine", [OF_CONTAINERD])
def test_with_an_address_of_cni_it_moves_without_its_connections(repo: Repo, engine: Engine) -> None:
    engine.counter(repo, networks=[])
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
    engine.one_copy(repo, "h2")


@pytest.mark.parametrize("engine", [OF_CONTAINERD])
def test_a_pod_of_a_host_with_a_kubelet_does_not_move(repo: Repo, engine: Engine) -> None:
    at = engine.counter(repo)
    repo.lab.exec("h1", ["sh", "-c", "mkdir -p /var/lib/kubelet && : > /var/lib/kubelet/config.yaml"])
    repo.place("counter", "h2")
    with Probe(at) as probe:
        refused = repo.run("apply", "--yes", expect=None)
        seen = probe.stop()
    assert "cri.kubelet" in refused.stdout and refused.returncode != 0
    assert seen.survived and running_on(repo.lab) == ["h1"]


def by_docker(lab: Lab, address: str, mac: str) -> float:
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


def by_hand(engine: Engine, repo: Repo, number: int) -> float:
    """The longest wait of a client over a move without us."""
    at, mac = repo.address(number), f"02:00:00:00:61:0{number}"
    if engine is DOCKER:
        return by_docker(repo.lab, at, mac)
    return ByHand(repo.lab, at, mac, MEMORY).longest_wait()


@ENGINES
def test_ours_beside_the_sequence_by_hand(repo: Repo, engine: Engine) -> None:
    """Prints both; which is faster is not asserted, for a machine may be busy."""
    manual = [by_hand(engine, repo, number) for number in (7, 8)]
    at = engine.counter(repo)
    waits = []
    for host in ("h2", "h1"):
        with Probe(at, checksums=True) as probe:
            repo.place("counter", host)
            repo.apply()
            time.sleep(0.5)
            waits.append(probe.stop().longest_wait_seconds)
    print(f"{MEMORY} MiB, longest wait of a client: ours {waits}, by hand {manual}")
    engine.one_copy(repo, "h1")
