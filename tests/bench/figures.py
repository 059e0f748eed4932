"""What the controller costs by itself: start-up, validation, planning and observing, without any move."""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from reconciler.commands.compose import drivers
from reconciler.core.planner import make_plan
from reconciler.engine.observe import with_runtimes
from reconciler.facts.host import look
from reconciler.hosts.base import Host, pump
from reconciler.hosts.ssh import SshFleet
from reconciler.lab import DEMO_IMAGE, NETWORK
from reconciler.load import load
from reconciler.model.command import Command, Result
from reconciler.model.labels import LABEL_WORKLOAD
from reconciler.model.spec import Spec
from reconciler.model.world import World
from tests.bench.ground import RECONCILE, SOURCE, Ground
from tests.bench.processes import run
from tests.bench.scale import many_moves_s
from tests.bench.world import fleet
from tests.load.fleet import bench_load, write_fleet

FLEET_HOSTS = 50


@dataclass(frozen=True)
class Figure:
    """One number. `limit`: what it should not exceed; None: no target."""

    what: str
    value: float
    unit: str
    limit: float | None = None

    @property
    def ok(self) -> bool | None:
        return None if self.limit is None else self.value <= self.limit


def start_up(n: int) -> list[Figure]:
    """CPU seconds of the commands people wait for most."""
    with tempfile.TemporaryDirectory() as name:
        specs = write_fleet(Path(name), 10)
        return [
            Figure("`reconcile --help`", _cpu(n, "--help"), "s of CPU", 0.3),
            Figure("`reconcile validate`, 10 workloads", _cpu(n, "validate", str(specs)), "s of CPU", 0.3),
        ]


def _cpu(n: int, *arguments: str) -> float:
    def once() -> float:
        given = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        done = run([RECONCILE, *arguments], env=given | {"NO_COLOR": "1"})  # compiled before, as when installed
        assert done.status == 0, done.stderr
        return done.cpu_s

    once()
    return statistics.median(once() for _ in range(n))


def large_fleets(n: int) -> list[Figure]:
    """Specs and plans of 10,000 workloads on 50 hosts."""
    loaded = median_s(n, bench_load)
    found = [Figure("load and validate 10,000 workloads", loaded, "s of CPU", 5.0)]
    for moving in (0, 100, 1000):
        spec, world = fleet(FLEET_HOSTS, 10_000, moving)
        took = _plan_s(n, spec, world)
        found.append(Figure(f"plan 10,000 workloads, {moving:,} of them move", took, "s of CPU", 2.0))
    spec, world = fleet(FLEET_HOSTS, 200, 200)
    plan = make_plan(spec, world)
    refused = [f"{f.rule}: {f.message}" for f in plan.findings if f.severity == "refuse"]
    assert len(plan.changes) == 200, f"the made world is refused: {refused[:3]}"
    took = _plan_s(n, spec, world)
    return [*found, Figure("plan and all rules for 200 workloads that move", took, "s of CPU")]


def many_moves(n: int) -> list[Figure]:
    """5,000 moves from specs to the end of the last one, and how the work grows with their number."""
    half, whole = (_median(n, partial(many_moves_s, count)) for count in (2500, 5000))
    return [
        Figure("plan and schedule 5,000 moves", whole, "s of CPU", 20.0),
        Figure("the same, against half as many", whole / half, "times", 2.3),
    ]


def observing(ground: Ground, n: int) -> Figure:
    """Seconds this process works to observe 50 hosts with 4 workloads each: real answers of one, said again."""
    for number in range(4):
        label = f"{LABEL_WORKLOAD}=counter-{number}"
        argv = ["podman", "run", "-d", "--network", NETWORK, "--label", label, DEMO_IMAGE]
        ground.lab.exec(SOURCE, argv)
    answers = asyncio.run(_record(ground))
    ground.reset()

    def once() -> float:
        async def all_hosts() -> None:
            driver = {"podman": drivers()["podman"]}
            for _ in range(FLEET_HOSTS):
                again = _Again(answers)
                facts = await with_runtimes(await pump(look(SOURCE), again), driver, again)
                assert len(facts.containers) == 4

        return _cpu_s(lambda: asyncio.run(all_hosts()))

    return Figure("read what 50 hosts with 200 workloads answer", _median(n, once), "s of CPU")


async def _record(ground: Ground) -> list[Result]:
    known = SshFleet(load([ground.folder / "specs"], allow_empty=True).hosts)
    answers: list[Result] = []
    try:
        there = _Recorder(known.host(SOURCE), answers)
        await with_runtimes(await pump(look(SOURCE), there), {"podman": drivers()["podman"]}, there)
    finally:
        await known.close()
    return answers


class _Recorder:
    def __init__(self, inner: Host, answers: list[Result]) -> None:
        self.name = inner.name
        self._inner = inner
        self._answers = answers

    async def run(self, command: Command) -> Result:
        result = await self._inner.run(command)
        self._answers.append(result)
        return result


class _Again:
    """Gives the recorded answers in their order."""

    name = SOURCE

    def __init__(self, answers: list[Result]) -> None:
        self._answers = iter(answers)

    async def run(self, command: Command) -> Result:
        return next(self._answers)


def _median(n: int, once: Callable[[], float]) -> float:
    return statistics.median(once() for _ in range(n))


def _plan_s(n: int, spec: Spec, world: World) -> float:
    return median_s(n, lambda: make_plan(spec, world))


def median_s(n: int, action: Callable[[], object]) -> float:
    """Work of this process, of so many times."""
    return _median(n, lambda: _cpu_s(action))


def _cpu_s(action: Callable[[], object]) -> float:
    """Work of this process: its wall time on a quiet machine, whatever else a busy one does."""
    began = time.process_time()
    action()
    return time.process_time() - began
