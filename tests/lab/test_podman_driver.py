"""Real: Podman, runc, CRIU, SSH, in the lab. The driver contract, and what is special to Podman."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from reconciler.errors import CommandFailed, HostError
from reconciler.hosts.base import pump
from reconciler.hosts.ssh import SshFleet
from reconciler.lab import DEMO_IMAGE, NETWORK, Lab
from reconciler.lab.probe import Probe
from reconciler.load import load
from reconciler.model.command import Fence
from reconciler.model.health import HealthCheck
from reconciler.model.spec import Cutover, Strategy, TcpHandling, Workload
from reconciler.model.world import InstanceState
from reconciler.runtimes.podman import PodmanDriver
from tests.drivers.contract import DriverContract, LooksContract
from tests.drivers.scene import NAME, Scene

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180)]

CONTAINER_INDEX = 60
"""Host part of the workload's address in the lab's segment."""


def counter(lab: Lab, *arguments: str, **fields: object) -> Workload:
    """The demo workload with its own address."""
    container = {
        "image": DEMO_IMAGE,
        "command": ["/bin/counter", "--memory", "8", *arguments],
        "networks": [{"name": NETWORK, "ip": address(lab), "mac": "02:00:00:00:60:01"}],
        **fields,
    }
    return Workload.model_validate(
        {
            "apiVersion": "reconciler/v1alpha1",
            "kind": "Workload",
            "metadata": {"name": NAME},
            "spec": {"container": container, "placement": {"host": "h1"}, "health": {"tcp": {"port": 9000}}},
        }
    )


def address(lab: Lab) -> str:
    return str(lab.subnet[CONTAINER_INDEX])


def ask(lab: Lab) -> int:
    """The count, over a new connection."""
    with socket.create_connection((address(lab), 9000), timeout=20) as connection:
        connection.sendall(b"?")
        return int(connection.recv(64))


@pytest.fixture
async def scene(clean_lab: Lab) -> AsyncIterator[Scene]:
    fleet = SshFleet(load([clean_lab.inventory_path], allow_empty=True).hosts)
    yield Scene(
        fleet=fleet,
        new_driver=PodmanDriver,
        workload=counter(clean_lab),
        count=lambda: ask(clean_lab),
        address=address(clean_lab),
    )
    await fleet.close()
    for host in ("h1", "h2"):
        # A committed hold never ends by itself, and Podman waits for it.
        script = f"read -r _ pid _ </var/lib/reconciler/workloads/{NAME}/hook/held && kill -9 $pid; exit 0"
        clean_lab.exec(host, ["sh", "-c", script])


class TestPodman(DriverContract, LooksContract):
    """The contract, on real hosts."""

    runtime = "podman"


@pytest.mark.parametrize("strategy", [Strategy.COLD, Strategy.LAZY])
async def test_a_client_keeps_its_connection_and_memory_arrives(
    scene: Scene, clean_lab: Lab, strategy: Strategy
) -> None:
    await scene.run_it()
    with Probe(address(clean_lab), checksums=True) as probe:
        await asyncio.sleep(0.3)
        h = await scene.handover(strategy=strategy)
        await scene.to_commit(h)
        await scene.finish(h)
        await asyncio.sleep(0.5)
        result = await asyncio.to_thread(probe.stop)
    assert result.survived, result
    assert result.memory_intact
    assert result.longest_wait_seconds < 10


async def test_staging_is_not_felt_by_clients(scene: Scene, clean_lab: Lab) -> None:
    """A copy of the address that appears on the network too early answers the source's clients with resets."""
    await scene.run_it()
    with Probe(address(clean_lab)) as probe:
        await asyncio.sleep(0.2)
        h = await scene.handover()
        await scene.reserve(h)
        await asyncio.sleep(0.5)
        result = await asyncio.to_thread(probe.stop)
    assert result.survived, result
    assert result.longest_wait_seconds < 0.5


@pytest.mark.parametrize("cutover", [Cutover.TRANSACTIONAL, Cutover.RESTORE_BACK])
async def test_many_clients_keep_their_connections(scene: Scene, clean_lab: Lab, cutover: Cutover) -> None:
    """Their retransmissions arrive all the time, so some meet the address before its sockets are restored."""
    await scene.run_it()
    probes = [Probe(address(clean_lab)).start() for _ in range(30)]
    for back in (False, True):
        h = await scene.handover(cutover=cutover, back=back, strategy=Strategy.LAZY)
        await scene.to_commit(h)
        await scene.finish(h)
    await asyncio.sleep(3)
    results = [await asyncio.to_thread(probe.stop) for probe in probes]
    assert [r.error for r in results if not r.survived] == []
    assert "reconciler" not in clean_lab.exec("h1", ["nft", "list", "tables"]).stdout


async def test_no_code_runs_while_staged(scene: Scene, clean_lab: Lab) -> None:
    await scene.run_it()
    h = await scene.handover()
    await scene.reserve(h)
    staged = await scene.copy(scene.destination)
    assert staged is not None
    assert staged.state is InstanceState.EXITED
    assert abs(staged.started_at - time.time()) < 60
    logs = clean_lab.exec("h2", ["podman", "logs", NAME], check=False)
    assert "ready" not in logs.stdout


async def test_files_volumes_and_shared_memory_move_along(scene: Scene, clean_lab: Lab) -> None:
    volume = {"name": "contract-files", "target": "/data"}
    scene = replace(scene, workload=counter(clean_lab, "--file", "/data/counts", volumes=[volume]))
    await scene.run_it()
    script = "echo mine > /etc/mine; rm /bin/ps; mkdir /made; echo s > /dev/shm/shared; echo v > /data/extra"
    clean_lab.exec("h1", ["podman", "exec", NAME, "sh", "-c", script])
    h = await scene.handover(strategy=Strategy.LAZY)
    await scene.to_commit(h)
    await scene.finish(h)
    script = "cat /etc/mine /dev/shm/shared /data/extra; ls -d /made; ls /bin/ps 2>&1; ls -s /data/counts"
    said = clean_lab.exec("h2", ["podman", "exec", NAME, "sh", "-c", script], check=False).stdout
    assert said.split()[:4] == ["mine", "s", "v", "/made"]
    assert "No such file" in said
    assert "counts" in said
    listed = clean_lab.exec("h1", ["podman", "volume", "ls", "-q"]).stdout
    assert "contract-files" not in listed


async def test_secrets_are_given_and_not_shown(scene: Scene, clean_lab: Lab) -> None:
    workload = counter(clean_lab, secretEnv={"TOKEN": {"fromEnv": "X"}}, env={"A": "-x --privileged\n=,"})
    scene = replace(scene, workload=workload)
    await scene.run_it(secrets={"TOKEN": b"planted-secret"})
    environment = clean_lab.exec("h1", ["podman", "exec", NAME, "env"]).stdout
    assert "TOKEN=planted-secret" in environment
    assert "A=-x --privileged" in environment
    assert "planted-secret" not in clean_lab.exec("h1", ["podman", "inspect", NAME]).stdout
    await scene.on("h1", scene.driver.remove(NAME, Fence(NAME, 0)))
    assert clean_lab.exec("h1", ["podman", "secret", "ls", "-q"]).stdout.strip() == ""


async def test_restart_policy_is_off_during_the_move_and_back_after_it(scene: Scene, clean_lab: Lab) -> None:
    def policy(host: str) -> str:
        argv = ["podman", "inspect", NAME, "--format", "{{.HostConfig.RestartPolicy.Name}}"]
        return clean_lab.exec(host, argv).stdout.strip()

    scene = replace(scene, workload=counter(clean_lab, restart="always"))
    await scene.run_it()
    h = await scene.handover()
    await scene.reserve(h)
    assert (policy("h1"), policy("h2")) == ("no", "no")
    await scene.put_back(h)
    assert policy("h1") == "always"
    h = await scene.handover()
    await scene.to_commit(h)
    await scene.finish(h)
    assert policy("h2") == "always"


async def test_what_ended_while_it_was_held_is_told(scene: Scene, clean_lab: Lab) -> None:
    """Its restart policy, which was switched off for the move, says what becomes of it."""
    kill = (
        'for d in /proc/[0-9]*; do [ "$(cat $d/comm 2>/dev/null)" = counter ] && kill -9 ${d#/proc/}; done; true'
    )
    for epoch, policy, runs in ((0, "no", []), (10, "always", ["h1"])):
        scene = replace(scene, workload=counter(clean_lab, restart=policy))
        await scene.run_it(epoch)
        h = await scene.handover()
        await scene.reserve(h)
        await scene.hold(h)
        clean_lab.exec("h1", ["sh", "-c", kill])
        told = await scene.on("h1", scene.driver.resume(h, h.fence))
        assert "ended by itself on h1 while it was held (exit code 137)" in told
        assert ("was started again" in told) == bool(runs)
        await scene.put_back(h)
        assert await scene.running_on() == runs
        await scene.on("h1", scene.driver.remove(NAME, h.fence))


async def test_a_held_container_does_not_hide_its_host(scene: Scene) -> None:
    await scene.run_it()
    h = await scene.handover()
    await scene.reserve(h)
    await scene.hold(h)
    started = time.monotonic()
    facts = await scene.facts(scene.source)
    assert time.monotonic() - started < 5
    assert [c.state for c in facts.containers] == [InstanceState.HELD]
    assert await scene.running_on() == []
    await scene.put_back(h)


async def test_a_locked_container_does_not_hide_its_host(scene: Scene, clean_lab: Lab) -> None:
    """Somebody else's long checkpoint, for which there is no marker."""
    await scene.run_it()
    clean_lab.exec("h1", ["podman", "run", "-d", "--name", "other", DEMO_IMAGE, "/bin/counter"])
    hook = "#!/bin/sh\\n[ $CRTOOLS_SCRIPT_ACTION = post-dump ] || exit 0\\nsleep 15\\nexit 1\\n"
    config = f"/var/lib/reconciler/workloads/{NAME}/criu.conf"
    start = (
        f"printf '{hook}' > /tmp/slow; chmod +x /tmp/slow; echo action-script /tmp/slow > {config};"
        f"setsid podman container checkpoint --keep --tcp-established {NAME} >/dev/null 2>&1 </dev/null & sleep 1"
    )
    clean_lab.exec("h1", ["sh", "-c", start])
    facts = await scene.facts(scene.source)
    assert {c.name: c.state for c in facts.containers} == {
        NAME: InstanceState.OTHER,
        "other": InstanceState.RUNNING,
    }


async def test_a_dump_without_room_leaves_it_running(scene: Scene, clean_lab: Lab) -> None:
    await scene.run_it()
    h = await scene.handover()
    await scene.reserve(h)
    before = ask(clean_lab)
    folder = "$(awk '/userdata.checkpoint/{print $2}' /proc/mounts)"
    clean_lab.exec("h1", ["sh", "-c", f"mount -o remount,size=512k {folder}"])
    with pytest.raises(CommandFailed, match="it runs on") as failure:
        await scene.on(scene.source, scene.driver.hold(h))
    assert "No space left" in failure.value.log_tail
    assert ask(clean_lab) > before
    await scene.put_back(h)


async def test_a_restore_that_fails_says_why_and_can_be_repeated(scene: Scene, clean_lab: Lab) -> None:
    await scene.run_it()
    before = ask(clean_lab)
    h = await scene.handover(strategy=Strategy.LAZY)
    await scene.to_commit(h)
    images = "/var/lib/containers/storage/overlay-containers/*/userdata/checkpoint"
    clean_lab.exec("h2", ["sh", "-c", f"cd {images} && mv core-1.img kept"])
    with pytest.raises(CommandFailed, match="could not be restored") as failure:
        await scene.on(scene.destination, scene.driver.restore(h))
    assert "Unexpected EOF" in failure.value.why
    assert await scene.running_on() == []
    clean_lab.exec("h2", ["sh", "-c", f"cd {images} && mv kept core-1.img"])
    await scene.finish(h)
    assert ask(clean_lab) > before


async def test_connections_can_be_closed_instead(scene: Scene, clean_lab: Lab) -> None:
    await scene.run_it()
    with socket.create_connection((address(clean_lab), 9000), timeout=20) as connection:
        connection.sendall(b"?")
        before = int(connection.recv(64))
        h = await scene.handover(tcp=TcpHandling.CLOSE)
        await scene.to_commit(h)
        await scene.finish(h)
    assert ask(clean_lab) > before


async def test_it_is_in_its_own_control_group_after_the_move(scene: Scene, clean_lab: Lab) -> None:
    """CRIU would put it into one named after the source's container, where no limit of this one holds."""
    await scene.run_it()
    h = await scene.handover()
    await scene.to_commit(h)
    await scene.finish(h)
    pid = clean_lab.exec("h2", ["podman", "inspect", NAME, "--format", "{{.State.Pid}}"]).stdout.strip()
    group = clean_lab.exec("h2", ["cat", f"/proc/{pid}/cgroup"]).stdout
    container_id = clean_lab.exec("h2", ["podman", "inspect", NAME, "--format", "{{.Id}}"]).stdout.strip()
    assert container_id in group


async def test_health_checks(scene: Scene) -> None:
    await scene.run_it()
    good = HealthCheck.model_validate({"command": ["sh", "-c", "exit 0"], "within": "5s"})
    await scene.on("h1", scene.driver.health(NAME, good, scene.address))
    for bad in (
        {"command": ["sh", "-c", "echo broken; exit 1"], "within": "500ms"},
        {"tcp": {"port": 81}, "within": "500ms"},
        {"http": {"port": 9000}, "within": "500ms"},
    ):
        with pytest.raises(CommandFailed, match="not healthy") as failure:
            await scene.on("h1", scene.driver.health(NAME, HealthCheck.model_validate(bad), scene.address))
        assert failure.value.why


async def test_an_image_that_is_not_there_is_named(scene: Scene) -> None:
    await scene.prepare()
    missing = scene.workload.model_copy(
        update={
            "spec": scene.workload.spec.model_copy(
                update={
                    "container": scene.workload.spec.container.model_copy(update={"image": "localhost/none:1"})
                }
            )
        }
    )
    with pytest.raises(HostError, match="localhost/none:1"):
        await pump(
            scene.driver.create(missing, Fence(NAME, 0), oci_runtime="", secrets={}), scene.fleet.host("h1")
        )
