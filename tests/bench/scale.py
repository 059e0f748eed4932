"""Thousands of moves, planned and scheduled with steps that take no time: what the controller costs by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from reconciler.core.planner import make_plan
from reconciler.core.saga import GroupState
from reconciler.engine.execute import Executor
from reconciler.model.plan import Step
from reconciler.model.record import Run
from reconciler.model.result import StepResult
from reconciler.state.memory import MemoryStore
from reconciler.state.store import Awaited
from tests.bench.world import fleet

HOSTS = 100


class Instant:
    """Steps that are done at once."""

    def __init__(self) -> None:
        self.results: dict[str, StepResult | None] = {}
        self.generation = 0

    async def do(self, step: Step, progress: Callable[[int], None]) -> None:
        return None

    async def undo(self, step: Step) -> None:
        return None


def many_moves_s(count: int) -> float:
    """CPU seconds of this process from specs and world to the end of the last move."""
    spec, world = fleet(HOSTS, count, count)
    began = time.process_time()
    plan = make_plan(spec, world)
    assert len(plan.moves) == count, [f.message for f in plan.findings][:3]
    store = MemoryStore()
    store.begin(Run(id="bench", plan=plan, started_at=0.0, actor="bench"))
    executor = Executor(
        plan=plan,
        run="bench",
        steps=Instant(),
        journal=Awaited(store),
        now=lambda: 0.0,  # type: ignore[arg-type]
    )
    outcome = asyncio.run(executor.execute())
    assert set(outcome.groups.values()) == {GroupState.DONE}
    return time.process_time() - began
