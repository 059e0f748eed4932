"""Real: Docker, containerd, runc, CRIU, SSH, in the lab. The driver contract over containers of Docker."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import pytest

from reconciler.hosts.ssh import SshFleet
from reconciler.lab import DEMO_IMAGE, NETWORK, Lab
from reconciler.load import load
from reconciler.model.spec import Workload
from reconciler.runtimes.docker import DockerDriver
from tests.drivers.contract import MovesContract, RuntimeContract, StoresContract
from tests.drivers.scene import NAME, Scene

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


class TestDocker(RuntimeContract, StoresContract, MovesContract):
    """The contract, on real hosts."""

    runtime = "docker"
