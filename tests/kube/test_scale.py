"""A cluster of some size: how long a look at it takes, and by how many calls."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from reconciler.commands import compose
from reconciler.engine.observe import observe
from reconciler.model.spec import Spec
from tests.kube import objects
from tests.kube.api import Api
from tests.kube.cluster import Cluster
from tests.kube.proxy import Proxy, standing_before
from tests.kube.test_moves import Ground
from tests.kube.world import World

pytestmark = [pytest.mark.lab, pytest.mark.kube, pytest.mark.nightly]

NODES, MACHINES = 100, 1000
AT_ONCE = 8
LOOKS = 5
MOST_SECONDS = 2.0
"""Of the best of several looks: our own CPU, and the time that passes where the machine has time for us."""
MOST_CALLS = 4
"""Of a look after the first one, which also asks for KubeVirt's settings."""


@pytest.fixture(scope="module")
def crowd(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A hundred nodes with a thousand machines, each object of some 8 KiB, as KubeVirt's are."""
    world = World(cluster)
    world.clear()
    world.kubevirt()
    asked = asyncio.Semaphore(AT_ONCE)

    async def one(api: Api, number: int) -> None:
        name, where = f"vm{number:04}", f"node{number % NODES:03}"
        async with asked:
            padding = {"annotations": {"tests/padding": "x" * 6000}}
            vm = objects.machine(name)
            vm["metadata"] |= padding
            await api.create(objects.Machine, vm)
            vmi = objects.instance(name, where)
            vmi["metadata"] |= padding
            made = await api.create(objects.Instance, vmi)
            pod = await world.launch(api, made, where)
            active = {"status": {"activePods": {pod["metadata"]["uid"]: where}}}
            await api.patch(objects.Instance, name, "default", active)

    async def all_of_them(api: Api) -> None:
        await asyncio.gather(*(one(api, number) for number in range(MACHINES)))

    world.nodes(*(f"node{number:03}" for number in range(NODES)))
    world.run(all_of_them)
    yield Ground(world, tmp_path_factory.mktemp("crowd"))
    world.clear()
    world.close()


class Look(NamedTuple):
    """`calls` and `machines` are counts; times are in seconds."""

    took: float
    cpu: float
    calls: int
    machines: int


async def looks(spec: Spec, proxy: Proxy | None = None) -> list[Look]:
    """`proxy`: counts the calls."""
    drivers, found = compose.drivers(), []
    async with compose.open_fleet(spec, lambda said: None) as fleet:
        for _ in range(LOOKS):
            before, began, used = len(proxy.calls) if proxy else 0, time.perf_counter(), time.process_time()
            seen = (await observe(fleet, drivers, spec.places)).seen()
            took, cpu = time.perf_counter() - began, time.process_time() - used
            calls = len(proxy.calls) - before if proxy else 0
            found.append(Look(took, cpu, calls, sum(len(place.instances) for place in seen.values())))
    return found


def test_a_look_at_a_thousand_machines(crowd: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    with standing_before(crowd.world.cluster) as proxy:
        through, direct = crowd.world.cluster.kubeconfig(server=proxy.url), crowd.world.kubeconfig
        crowd.world.kubeconfig = through
        spec = crowd.specs("node001", name="vm0000")
        counted = asyncio.run(looks(spec, proxy))
        crowd.world.kubeconfig = direct
    timed = asyncio.run(looks(crowd.specs("node001", name="vm0000")))
    load = os.getloadavg()[0]
    with capsys.disabled():
        calls, took = [one.calls for one in counted], [round(one.took, 2) for one in timed]
        print(f"\nlooks at {MACHINES} machines on {NODES} nodes: calls {calls}; seconds {took}", end=", ")
        print(f"of CPU {[round(one.cpu, 2) for one in timed]}; load {load:.1f}")
    assert all(one.machines == MACHINES for one in timed)
    assert max(one.calls for one in counted[1:]) <= MOST_CALLS
    assert min(one.cpu for one in timed) <= MOST_SECONDS
    assert min(one.took for one in timed) <= MOST_SECONDS or load > (os.cpu_count() or 1)
