"""A run that is kept because one of its workloads is in doubt."""

import pytest

from reconciler.commands.app import unfinished
from reconciler.core.planner import make_plan
from reconciler.core.saga import unended
from reconciler.hosts.memory import run_virtual
from reconciler.model.plan import StepKind
from reconciler.model.record import Mark, Run, RunState
from tests.sim.stage import UPTO_COPY, Stage


def test_a_run_with_one_workload_in_doubt_has_ended_with_its_others():
    async def course():
        s = Stage(shape="moves-together")
        await s.play()
        first, second = sorted(s.plan.moves)
        for step in s.plan.groups[second][len(UPTO_COPY) - 1 :]:
            if step.kind not in UPTO_COPY:
                await s.act(step)
                s.journal.append("run1", step.id, Mark.DONE, 0.0)
        commit = next(step for step in s.plan.groups[first] if step.kind is StepKind.COMMIT)
        s.journal.append("run1", commit.id, Mark.LOST, 0.0)
        s.journal.end("run1", RunState.IN_DOUBT, 0.0)
        assert unended(s.journal.run("run1")) == {first}
        assert list((await s.survey()).open) == [first]
        assert unfinished(s.journal) == {first}
        with s.journal.locked(second, "another run, which may have it now"):
            await s.resume()
        assert not unfinished(s.journal)

    run_virtual(course())


@pytest.mark.parametrize(("state", "left"), [(RunState.OPEN, {"a", "b"}), (RunState.IN_DOUBT, {"a"})])
def test_what_a_run_never_began_is_left_to_do_while_it_is_open(state, left):
    async def course():
        s = Stage(shape="moves-together")
        s.plan = make_plan(s.scene.spec, await s.look())
        first, _ = sorted(s.plan.moves)
        commit = next(step for step in s.plan.groups[first] if step.kind is StepKind.COMMIT)
        s.journal.begin(Run(id="run1", plan=s.plan, started_at=0.0, actor="sim"))
        s.journal.append("run1", commit.id, Mark.LOST, 0.0)
        if state is not RunState.OPEN:
            s.journal.end("run1", state, 0.0)
        return {"a" if name == first else "b" for name in unended(s.journal.run("run1"))}

    assert run_virtual(course()) == left
