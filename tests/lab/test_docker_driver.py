"""Real: Docker, containerd, runc, CRIU, SSH, in the lab. The driver contract over containers of Docker."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import pytest

from reconciler.errors import HostError
from reconciler.hosts.ssh import SshFleet
from reconciler.lab import DEMO_IMAGE, NETWORK, Lab
from reconciler.load import load
from reconciler.model.command import Fence
from reconciler.model.spec import Workload
from reconciler.runtimes.docker.driver import DockerDriver
from tests.drivers.contract import MovesContract, RuntimeContract, StoresContract
from tests.drivers.scene import NAME, RUN, Scene

pytestmark = [pytest.mark.lab, pytest.mark.docker, pytest.mark.timeout(300)]

INDEX = 103
MAC = "02:00:00:00:61:03"


def counter(lab: Lab, memory: int = 8, **fields: object) -> Workload:
    container = {
        "image": DEMO_IMAGE,
        "command": ["/bin/counter", "--memory", str(memory)],
        "networks": [{"name": NETWORK, "ip": str(lab.subnet[INDEX]), "mac": MAC}],
        "volumes": [{"name": "contract-own", "target": "/data"}],
        **fields,
    }
    return Workload.model_validate(
        {
            "apiVersion": "reconciler/v1alpha1",
            "kind": "Workload",
            "metadata": {"name": NAME},
            "spec": {
                "runtime": "docker",
                "container": container,
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


@pytest.fixture
async def scene(engines: Lab) -> AsyncIterator[Scene]:
    fleet = SshFleet(load([engines.inventory_path], allow_empty=True).hosts)
    yield Scene(
        fleet=fleet,
        new_driver=DockerDriver,
        workload=counter(engines),
        count=lambda: ask(engines),
        address=str(engines.subnet[INDEX]),
    )
    await fleet.close()


async def test_a_silent_engine_is_none_until_something_of_ours_was_made_there(scene: Scene, engines: Lab) -> None:
    end = "kill $(cat /run/docker.pid); while docker version >/dev/null 2>&1; do sleep 0.1; done"
    engines.exec("h1", ["sh", "-c", end], timeout_seconds=60)
    assert "docker" not in (await scene.facts("h1")).runtimes
    scene.source, scene.destination = "h2", "h1"
    await scene.on("h2", scene.driver.prepare_host())
    await scene.on("h2", scene.driver.create_volume("contract-own", Fence(NAME, 0), RUN))
    await scene.on("h2", scene.driver.create(scene.workload, Fence(NAME, 0), oci_runtime="", secrets={}))
    engines.exec("h2", ["sh", "-c", end], timeout_seconds=60)
    with pytest.raises(HostError) as error:
        await scene.facts("h2")
    assert error.value.code == "H215"


class TestDocker(RuntimeContract, StoresContract, MovesContract):
    """The contract, on real hosts."""

    runtime = "docker"
