"""The contract, kept by the simulation's runtime and by a third party's small one. Fake: the hosts (in memory),
and so what a process remembers: it is counted by its lineage, which a restore keeps and a start begins anew."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable

import pytest

from reconciler.hosts.memory import MemoryFleet, Universe
from reconciler.model.spec import Workload
from reconciler.runtimes.base import ABILITIES, Runtime
from tests.drivers import recorded
from tests.drivers.contract import CapturesContract, DriverContract, RuntimeContract, SelfMovesContract
from tests.drivers.scene import NAME, UNDOES, How, Scene
from tests.example_runtime import Plain
from tests.sim.driver import SimDriver
from tests.sim.engine import SimEngine

QUICK = 0.01
"""Of the time that commands take on hosts in memory."""
WORKLOAD = {
    "apiVersion": "reconciler/v1alpha1",
    "kind": "Workload",
    "metadata": {"name": NAME},
    "spec": {
        "container": {"image": "app", "volumes": [{"name": "contract-own", "target": "/data"}]},
        "placement": {"host": "h1"},
        "health": {"tcp": {"port": 9000}},
    },
}


def made(runtime: Callable[[], Runtime]) -> Scene:
    universe = Universe()
    for name in ("h1", "h2"):
        machine = universe.add(name)
        machine.images["app"] = 2**20
        machine.slow = QUICK
    asked = itertools.count()

    def count() -> int:
        """Grows as long as the same process is asked; far below, when it is another."""
        (copy,) = (c for m in universe.machines.values() for c in m.containers.values() if c.state == "running")
        return next(asked) - 10_000 * copy.lineage

    scene = Scene(MemoryFleet(universe), runtime, Workload.model_validate(WORKLOAD), count, "192.0.2.1")
    scene.stall = lambda: universe.machines["h1"].armed.update(stalls=1)
    return scene


class TestSimulation(DriverContract, CapturesContract):
    runtime = "simulation"

    @pytest.fixture
    def scene(self) -> Scene:
        return made(SimDriver)


class TestEngine(RuntimeContract, SelfMovesContract):
    """What moves by itself, in memory."""

    runtime = "engine"

    @pytest.fixture
    def scene(self) -> Scene:
        return made(SimEngine)


class TestExample(RuntimeContract):
    runtime = "example"

    @pytest.fixture
    def scene(self) -> Scene:
        return made(Plain)


READS = {"observe", "alive", "health", "locate_volume", "preflight", "has_image", "pack_image"}
"""Nothing in these can be cut short."""
PURE = {"secluded"}
"""Asks no host."""


def test_every_operation_was_asked_for(request: pytest.FixtureRequest) -> None:
    """Of every ability, in each way there is; the last test here."""
    items = [item for item in request.session.items if getattr(item, "cls", None) is TestSimulation]
    tests = {item.name.partition("[")[0] for item in items}
    if tests != {name for name in dir(TestSimulation) if name.startswith("test_")}:
        pytest.skip("only where the whole contract was asked")
    abilities = [Runtime, *(protocol for protocol in ABILITIES.values() if isinstance(SimDriver(), protocol))]
    operations = {
        name
        for protocol in abilities
        for name, method in vars(protocol).items()
        if not name.startswith("_") and name not in PURE and inspect.isfunction(method)
    }
    undone = set(itertools.chain(*UNDOES.values()))
    assert undone < operations
    wanted = {f"{operation}, {How.TWICE}" for operation in operations}
    wanted |= {f"{operation}, {How.CUT}" for operation in operations - READS}
    wanted |= {f"{operation}, {How.UNDONE}" for operation in undone}
    assert wanted - recorded.asked["TestSimulation"] == set()
