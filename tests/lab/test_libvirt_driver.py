"""Real: libvirtd and QEMU (emulated) on two lab hosts, over SSH. The driver contract over virtual machines."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator

import pytest

from reconciler.hosts.ssh import SshFleet
from reconciler.lab import Lab
from reconciler.load import load
from reconciler.model.live import LiveMigration, Transport
from reconciler.model.spec import Workload
from reconciler.runtimes.libvirt import LibvirtDriver
from tests.drivers.contract import RuntimeContract, SelfMovesContract
from tests.drivers.scene import NAME, Scene
from tests.lab.guests import domain

pytestmark = [pytest.mark.lab, pytest.mark.libvirt, pytest.mark.timeout(600)]
INDEX = 102


def guest(lab: Lab) -> Workload:
    address = str(lab.subnet[INDEX])
    machine = {"domain": domain(address), "address": address, "stopWithin": "1s"}
    return Workload.model_validate(
        {
            "apiVersion": "reconciler/v1alpha1",
            "kind": "Workload",
            "metadata": {"name": NAME},
            "spec": {
                "runtime": "libvirt",
                "virtualMachine": machine,
                "placement": {"host": "h1"},
                "health": {"tcp": {"port": 9000}, "within": "90s"},
            },
        }
    )


def ask(address: str) -> int:
    """The count, over a new connection; a busy machine's emulated guest may take a moment."""
    ends = time.monotonic() + 60
    while True:
        try:
            with socket.create_connection((address, 9000), timeout=5) as connection:
                connection.sendall(b"?")
                return int(connection.recv(64))
        except OSError:
            if time.monotonic() > ends:
                raise


@pytest.fixture
async def scene(empty: Lab) -> AsyncIterator[Scene]:
    fleet = SshFleet(load([empty.inventory_path], allow_empty=True).hosts)
    yield Scene(
        fleet=fleet,
        new_driver=LibvirtDriver,
        workload=guest(empty),
        count=lambda: ask(str(empty.subnet[INDEX])),
        address=str(empty.subnet[INDEX]),
        live=LiveMigration(transport=Transport.TCP),
        addresses={host.name: host.address for host in empty.hosts},
    )
    await fleet.close()


class TestLibvirt(RuntimeContract, SelfMovesContract):
    """The contract, on real hosts."""

    runtime = "libvirt"
