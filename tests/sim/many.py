"""Many seeds, on all processors."""

import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

from tests.sim.faults import Boundary
from tests.sim.run import simulate
from tests.sim.seeds import scenario

CHUNK = 50


@dataclass
class Tally:
    seeds: int = 0
    covered: set[tuple[str, Boundary]] = field(default_factory=set)
    violations: dict[int, list[str]] = field(default_factory=dict)

    def add(self, other: "Tally") -> None:
        self.seeds += other.seeds
        self.covered |= other.covered
        self.violations |= other.violations


def run_chunk(seeds: Iterable[int]) -> Tally:
    tally = Tally()
    for seed in seeds:
        result = simulate(scenario(seed))
        tally.seeds += 1
        tally.covered |= {(result.scenario.shape, boundary) for boundary, _ in result.struck}
        if result.violations:
            tally.violations[seed] = [str(result.scenario), *result.violations]
    return tally


def run_seeds(count: int) -> Tally:
    total = Tally()
    chunks = [range(first, min(first + CHUNK, count)) for first in range(0, count, CHUNK)]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("fork")) as pool:
        for tally in pool.map(run_chunk, chunks):
            total.add(tally)
    return total
