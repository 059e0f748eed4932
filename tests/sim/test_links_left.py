"""A move that is over but for its link: a key that lets one host write on the other must not stay."""

import pytest

from reconciler.errors import HostError, ReconcilerError
from reconciler.hosts.memory import MemoryFleet, run_virtual
from reconciler.model.plan import StepKind
from reconciler.model.record import Mark, RunState
from tests.sim.stage import Stage


class Stuck(MemoryFleet):
    """Links are not closed while a host's disk is read-only, say."""

    stuck = False
    closed = 0

    async def close_link(self, source, destination, key):
        if self.stuck:
            raise HostError("link could not be removed", code="H208", where=source)
        self.closed += 1


@pytest.mark.parametrize("told", [Mark.FAILED, Mark.LOST, Mark.INTENT])
def test_resume_closes_the_link_of_a_source_that_was_retired(told):
    async def course():
        s = Stage(shape="move", kinds=tuple(kind for kind in StepKind if kind is not StepKind.RETIRE))
        s.fleet = Stuck(s.scene.universe)
        await s.play()
        s.fleet.stuck = True
        retire = next(step for step in s.plan.steps if step.kind is StepKind.RETIRE)
        s.journal.append("run1", retire.id, Mark.INTENT, 0.0)
        with pytest.raises(ReconcilerError):
            await s.act(retire)
        s.journal.append("run1", retire.id, told, 0.0)
        assert s.running() == ["h2"]
        left = await s.resume()
        assert left.exit_code == 1 and s.journal.run("run1").state is RunState.OPEN
        s.fleet.stuck = False
        assert (await s.resume()).exit_code == 0
        assert s.fleet.closed and s.journal.run("run1").state is RunState.DONE

    run_virtual(course())
