"""Real: containerd, its CRI, runc, CNI, SSH, in the lab. The driver contract over pods of one container."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from reconciler.errors import HostError, HostUnreachable
from reconciler.hosts.ssh import SshFleet
from reconciler.lab import DEMO_IMAGE, NETWORK, Lab
from reconciler.load import load
from reconciler.model.command import Fence
from reconciler.model.spec import Workload
from reconciler.runtimes.cri.driver import CriDriver
from tests.drivers.contract import CapturesContract, MovesContract, RuntimeContract
from tests.drivers.scene import NAME, RUN, Scene
from tests.lab.pods import pods

pytestmark = [pytest.mark.lab, pytest.mark.cri, pytest.mark.timeout(300)]

INDEX = 103
MAC = "02:00:00:00:61:03"


def counter(lab: Lab) -> Workload:
    return Workload.model_validate(
        {
            "apiVersion": "reconciler/v1alpha1",
            "kind": "Workload",
            "metadata": {"name": NAME},
            "spec": {
                "runtime": "cri",
                "container": {
                    "image": DEMO_IMAGE,
                    "command": ["/bin/counter", "--memory", "8"],
                    "networks": [{"name": NETWORK, "ip": str(lab.subnet[INDEX]), "mac": MAC}],
                },
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
async def scene(without_pods: Lab) -> AsyncIterator[Scene]:
    without_pods.exec("h1", ["mkdir", "-p", f"/var/lib/reconciler/checkpoints/{NAME}/.{RUN}.part"])
    fleet = SshFleet(load([without_pods.inventory_path], allow_empty=True).hosts)
    yield Scene(
        fleet=fleet,
        new_driver=CriDriver,
        workload=counter(without_pods),
        count=lambda: ask(without_pods),
        address=str(without_pods.subnet[INDEX]),
    )
    await fleet.close()


async def test_a_silent_containerd_is_none_until_something_of_ours_was_made_there(
    scene: Scene, without_pods: Lab
) -> None:
    end = "pkill -x containerd; while ctr version >/dev/null 2>&1; do sleep 0.1; done"
    without_pods.exec("h2", ["sh", "-c", end], timeout_seconds=60)
    assert "cri" not in (await scene.facts("h2")).runtimes
    await scene.run_it()
    without_pods.exec("h1", ["sh", "-c", end], timeout_seconds=60)
    with pytest.raises(HostError) as error:
        await scene.facts("h1")
    assert error.value.code == "H217"


async def test_what_containerd_lost_is_seen_when_it_is_back(scene: Scene, without_pods: Lab) -> None:
    """A host that was rebooted has the pod and not its processes; a start makes it anew."""
    await scene.run_it()
    without_pods.reboot("h1")
    with suppress(HostUnreachable):  # the connection has ended with the host
        await scene.facts("h1")
    copy = await scene.copy("h1")
    assert copy is not None and not copy.state.has_processes
    await scene.do("h1", lambda d: d.start(scene.workload, Fence(NAME, 0)))
    assert await scene.running_on() == ["h1"]
    assert len(pods(without_pods, "h1")) == 1


class TestCri(RuntimeContract, MovesContract, CapturesContract):
    """The contract, on real hosts."""

    runtime = "cri"
