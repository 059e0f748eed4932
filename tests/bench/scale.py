"""Thousands of moves, planned and scheduled with steps that take no time: what the controller costs by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from reconciler.core.planner import make_plan
from reconciler.core.saga import GroupState
from reconciler.engine.execute import Executor
from reconciler.model.plan import Step
from reconciler.model.record import Mark, Record
from tests.bench.world import fleet

HOSTS = 100


class Instant:
    """Steps that are done at once."""

    def __init__(self) -> None:
        self.data: dict[str, dict[str, str]] = {}
        self.generation = 0

    async def do(self, step: Step, progress: Callable[[int], None]) -> dict[str, str]:
        return {}

    async def undo(self, step: Step) -> dict[str, str]:
        return {}


class Memory:
    """A journal that keeps nothing but the count."""

    def __init__(self) -> None:
        self.seq = 0

    def append(
        self,
        run_id: str,
        step: str,
        mark: Mark,
        at: float,
        note: str = "",
        data: dict[str, str] | None = None,
        *,
        after: int | None = None,
    ) -> Record:
        self.seq += 1
        return Record(seq=self.seq, step=step, mark=mark, at=at, note=note, data=data or {})


def many_moves_s(count: int) -> float:
    """CPU seconds of this process from specs and world to the end of the last move."""
    spec, world = fleet(HOSTS, count, count)
    began = time.process_time()
    plan = make_plan(spec, world)
    assert len(plan.moves) == count, [f.message for f in plan.findings][:3]
    executor = Executor(
        plan=plan,
        run="bench",
        steps=Instant(),
        journal=Memory(),
        now=lambda: 0.0,  # type: ignore[arg-type]
    )
    outcome = asyncio.run(executor.execute())
    assert set(outcome.groups.values()) == {GroupState.DONE}
    return time.process_time() - began
