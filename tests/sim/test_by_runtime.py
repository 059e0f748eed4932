"""Moves that a runtime makes by itself, cut short and decided about, over hosts in memory."""

import asyncio
from dataclasses import replace

import pytest

from reconciler.core.planner import make_plan
from reconciler.engine.steps import Steps
from reconciler.errors import CommandFailed, GuardRefused
from reconciler.guard import guard
from reconciler.hosts.base import pump
from reconciler.hosts.memory import run_virtual
from reconciler.model.plan import StepKind
from reconciler.model.record import Mark
from reconciler.state.memory import MemoryStore
from tests.sim.engine import SimEngine
from tests.sim.stage import Stage


@pytest.mark.parametrize("kinds", [(StepKind.RESERVE,), (StepKind.RESERVE, StepKind.MIGRATE)])
def test_what_its_runtime_moves_by_itself_is_ended_by_resume_wherever_it_is(kinds):
    """A controller died; `resume` asks the runtime where it is, and goes on from there."""

    async def course():
        s = Stage("move-by-runtime", kinds)
        await s.play()
        assert await s.way_out() == "reconcile resume"
        assert (await s.resume()).exit_code == 0
        assert s.running() == ["h2"]
        assert not make_plan(s.scene.spec, await s.look()).steps

    run_virtual(course())


@pytest.mark.parametrize("lost_journal", [False, True])
def test_a_move_under_way_is_only_watched_by_the_next_controller(lost_journal):
    async def course():
        s = Stage("move-by-runtime", (StepKind.RESERVE,))
        await s.play()
        step = s.plan.sibling(s.plan.steps[0], StepKind.MIGRATE)
        s.journal.append("run1", step.id, Mark.INTENT, 0.0)
        steps = Steps(s.plan, "run1", s.fleet, s.scene.drivers, lambda _: {})
        first = asyncio.create_task(steps.do(step, lambda _: None))
        await asyncio.sleep(0.8)
        begun = s.machines["h1"].migrations["engine.web"]
        assert begun.moving
        if lost_journal:
            s.journal = MemoryStore()
        again = await s.resume()
        assert again.exit_code == 0 and s.running() == ["h2"]
        assert s.machines["h1"].migrations["engine.web"] is begun, "it was not begun a second time"
        await first

    run_virtual(course())


@pytest.mark.parametrize("chosen", ["h1", "h2"])
def test_a_person_decides_where_a_runtimes_two_copies_run(chosen):
    async def course():
        s = Stage("move-by-runtime", (StepKind.RESERVE, StepKind.MIGRATE))
        await s.play()
        again = s.machines["h1"].containers["engine.web"] = replace(s.machines["h2"].containers["engine.web"])
        assert again.state == "running"
        assert "--owner" in await s.way_out()
        await s.decide(chosen)
        assert s.running() == [chosen] and "web" not in (await s.survey()).open

    run_virtual(course())


def test_a_cancelled_move_of_its_runtime_stays_or_has_arrived():
    """Cut short at every moment, twice: it is said to stay only where it does."""

    async def course(after):
        s = Stage("move-by-runtime", (StepKind.RESERVE,))
        await s.play()
        step = s.plan.sibling(s.plan.steps[0], StepKind.MIGRATE)
        steps = Steps(s.plan, "run1", s.fleet, s.scene.drivers, lambda _: {})
        task = asyncio.create_task(steps.do(step, lambda _: None))
        await asyncio.sleep(after)
        task.cancel()
        await asyncio.sleep(0.05)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            assert s.running() == ["h1"], after
            return False
        assert s.running() == ["h2"], after
        return True

    ends = [run_virtual(course(tenth / 10)) for tenth in range(1, 20)]
    assert True in ends and False in ends


def test_a_begin_that_arrives_after_it_was_said_to_stay_moves_nothing():
    """The command of a controller that was cut off may still be on its way: `failed` is said only once it can do
    nothing, for the source is under a higher epoch by then."""

    async def course():
        s = Stage("move-by-runtime", (StepKind.RESERVE,))
        await s.play()
        source, engine = s.machines["h1"], SimEngine()
        source.armed["migrate"] = 1
        step = s.plan.sibling(s.plan.steps[0], StepKind.MIGRATE)
        steps = Steps(s.plan, "run1", s.fleet, s.scene.drivers, lambda _: {})
        with pytest.raises(CommandFailed) as failed:
            await steps.do(step, lambda _: None)
        assert failed.value.code == "C345"
        assert source.markers["web"].epoch == s.plan.moves["web"].epoch + 1
        last = source.migrations["engine.web"]
        with pytest.raises(GuardRefused) as refused:
            await pump(engine.begin(s.handover()), s.fleet.host("h1"))
        assert refused.value.code == guard.LOWER_EPOCH
        await asyncio.sleep(30)
        assert source.migrations["engine.web"] is last and s.running() == ["h1"]

    run_virtual(course())
