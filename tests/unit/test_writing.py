"""Records that take a while to be kept. Fake: steps, which do nothing; real: the loop, and a store in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from reconciler.core.planner import make_plan
from reconciler.core.saga import GroupState
from reconciler.engine.execute import INTERRUPTED, Executor
from reconciler.guard import dossier
from reconciler.model.plan import Step
from reconciler.model.record import Mark, Record, Run, RunState
from reconciler.model.result import StepResult
from reconciler.state.memory import MemoryStore
from tests.bench.world import fleet


class Slow:
    """A writer that is somewhere else. `on`: called when a record is on its way."""

    def __init__(self, store: MemoryStore, on: Callable[[str, Mark], None] = lambda step, mark: None) -> None:
        self.store, self.on = store, on
        self.under_way = 0

    async def append(
        self,
        run_id: str,
        step: str,
        mark: Mark,
        at: float,
        note: str = "",
        result: StepResult | None = None,
        *,
        after: int | None = None,
    ) -> Record:
        self.under_way += 1
        assert self.under_way == 1, "a record was written before it was known what it follows"
        self.on(step, mark)
        await asyncio.sleep(0.002)
        self.under_way -= 1
        return self.store.append(run_id, step, mark, at, note, result, after=after)

    async def end(self, run_id: str, state: RunState, at: float) -> None:
        self.store.end(run_id, state, at)


class Noting:
    """Steps that are done at once."""

    def __init__(self) -> None:
        self.results: dict[str, StepResult | None] = {}
        self.generation = 0
        self.done: list[str] = []

    async def do(self, step: Step, progress: Callable[[int], None]) -> None:
        self.done.append(step.id)

    async def undo(self, step: Step) -> None:
        self.done.append(f"undo {step.id}")


def running(moves: int, on: Callable[[Executor, str, Mark], None] = lambda _, step, mark: None) -> Executor:
    spec, world = fleet(4, moves, moves)
    plan = make_plan(spec, world)
    assert len(plan.moves) == moves
    store = MemoryStore()
    store.begin(Run(id="r", plan=plan, started_at=0.0, actor="test"))
    steps = Noting()
    journal = Slow(store)
    executor = Executor(plan, "r", steps, journal, now=lambda: 0.0)  # type: ignore[arg-type]
    journal.on = lambda step, mark: on(executor, step, mark)
    return executor


async def test_records_of_many_moves_follow_each_other() -> None:
    executor = running(6)
    outcome = await executor.execute()
    assert set(outcome.groups.values()) == {GroupState.DONE}
    assert [record.seq for record in executor.records] == list(range(1, len(executor.records) + 1))


async def test_a_part_of_a_run_is_taken_up_behind_the_records_of_the_rest() -> None:
    """As when a person has to decide about one workload, and its records are the last ones of the run."""
    whole = running(2)
    mine, other = sorted(whole.plan.groups)
    left = whole.plan.groups[other][0]
    await whole.journal.append("r", left.id, Mark.INTENT, 0.0, after=0)
    records = whole.journal.store.run("r").records  # type: ignore[attr-defined]
    part = dossier.without(whole.plan, {other})
    executor = Executor(part, "r", Noting(), whole.journal, now=lambda: 0.0, records=list(records))  # type: ignore[arg-type]
    outcome = await executor.execute()
    assert outcome.groups == {mine: GroupState.DONE}


@pytest.mark.parametrize("moment", [Mark.INTENT, Mark.DONE])
async def test_who_asks_to_stop_while_a_record_is_written_cuts_no_record_short(moment: Mark) -> None:
    """An intent on its way is kept, and its effect does not begin; an outcome on its way stays what it is."""

    def stop(executor: Executor, step: str, mark: Mark) -> None:
        if step == first.id and mark is moment:
            executor.cancel()

    executor = running(1, stop)
    first = next(step for step in executor.plan.steps if step.kind.traits.interruptible)
    outcome = await executor.execute()
    assert outcome.cancelled
    marks = [(record.mark, record.note) for record in executor.records if record.step == first.id][:2]
    stopped = moment is Mark.INTENT
    assert marks == [(Mark.INTENT, ""), (Mark.FAILED, INTERRUPTED) if stopped else (Mark.DONE, "")]
    assert (first.id in executor.steps.done) is not stopped  # type: ignore[attr-defined]
