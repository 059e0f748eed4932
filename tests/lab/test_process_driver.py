"""Real: CRIU, namespaces, control groups, SSH, in the lab. The driver contract over trees of processes without a
container engine, and what is special to them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from reconciler.errors import CommandFailed
from reconciler.hosts.ssh import SshFleet
from reconciler.lab import NETWORK, Lab
from reconciler.lab.probe import Probe
from reconciler.load import load
from reconciler.model.network import IpamSpec, NetworkDefinition
from reconciler.model.spec import Strategy, Workload
from reconciler.runtimes.base import Handover
from reconciler.runtimes.process import ProcessDriver
from tests.drivers.contract import MovesContract, RuntimeContract, VolumesContract
from tests.drivers.scene import NAME, Scene
from tests.lab.trees import PROGRAM, built, put

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180)]

INDEX = 61
"""Host part of the workload's address in the lab's segment."""


def counter(lab: Lab, *arguments: str, **fields: object) -> Workload:
    process = {
        "command": [PROGRAM, "--memory", "8", *arguments],
        "networks": [{"name": NETWORK, "ip": str(lab.subnet[INDEX]), "mac": "02:00:00:00:61:01"}],
        **fields,
    }
    return Workload.model_validate(
        {
            "apiVersion": "reconciler/v1alpha1",
            "kind": "Workload",
            "metadata": {"name": NAME},
            "spec": {
                "runtime": "process",
                "process": process,
                "placement": {"host": "h1"},
                "health": {"tcp": {"port": 9000}},
            },
        }
    )


def ask(lab: Lab) -> int:
    """The count, over a new connection."""
    with socket.create_connection((str(lab.subnet[INDEX]), 9000), timeout=20) as connection:
        connection.sendall(b"?")
        return int(connection.recv(64))


@pytest.fixture(scope="module")
def program() -> bytes:
    return built()


@pytest.fixture
async def scene(clean_lab: Lab, program: bytes) -> AsyncIterator[Scene]:
    fleet = SshFleet(load([clean_lab.inventory_path], allow_empty=True).hosts)
    scene = Scene(
        fleet=fleet,
        new_driver=ProcessDriver,  # type: ignore[arg-type]  # it needs no images
        workload=counter(clean_lab),
        count=lambda: ask(clean_lab),
        address=str(clean_lab.subnet[INDEX]),
    )
    segment = NetworkDefinition(driver="macvlan", parent="e0", ipam=IpamSpec(subnet=str(clean_lab.subnet)))
    put(clean_lab, program)
    for host in ("h1", "h2"):
        await scene.do(host, lambda d: d.create_network(NETWORK, segment))
    yield scene
    await fleet.close()


class TestProcess(RuntimeContract, VolumesContract, MovesContract):
    """The contract, on real hosts."""

    runtime = "process"

    async def test_what_the_spec_does_not_say_is_found(self, scene: Scene) -> None:
        await scene.run_it()
        h = await scene.handover()
        await scene.to_commit(h)
        await scene.on(scene.destination, scene.driver.restore(h))
        spec = h.workload.spec
        assert spec.process is not None
        limited = spec.process.model_copy(update={"user": "nobody"})
        other = h.workload.model_copy(update={"spec": spec.model_copy(update={"process": limited})})
        with pytest.raises(CommandFailed, match="spec"):
            await scene.on(scene.destination, scene.driver.verify(Handover(other, h.move, h.policy, h.run)))
        await scene.finish(h)


@pytest.mark.parametrize("strategy", [Strategy.COLD, Strategy.LAZY])
async def test_a_client_keeps_its_connection_there_and_back(
    scene: Scene, clean_lab: Lab, strategy: Strategy
) -> None:
    scene.workload = counter(clean_lab, "--memory", "64")
    await scene.run_it()
    with Probe(scene.address, checksums=True) as probe:
        await asyncio.sleep(0.3)
        for back in (False, True):
            h = await scene.handover(strategy=strategy, back=back)
            await scene.to_commit(h)
            await scene.finish(h)
        await asyncio.sleep(0.5)
        result = await asyncio.to_thread(probe.stop)
    print(f"{strategy}: longest wait {result.longest_wait_seconds:.2f} s, {result.replies} replies")
    assert result.survived, result
    assert result.memory_intact
    assert result.longest_wait_seconds < 10
