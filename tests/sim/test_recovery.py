"""What a journal is rebuilt to, and what of an old one is still to be done, from markers alone."""

import pytest

from reconciler.core.planner import make_plan
from reconciler.core.recovery import marks_from_markers, superseded
from reconciler.core.saga import GroupState, next_actions
from reconciler.engine.observe import observe
from reconciler.hosts.memory import MemoryFleet, run_virtual
from reconciler.model.plan import StepKind
from reconciler.model.record import Record
from reconciler.model.world import Marker
from tests.sim.driver import SimDriver
from tests.sim.shapes import scene


@pytest.fixture(scope="module")
def plan():
    """A move of `web` from h1 to h2 under epoch 2."""

    async def course():
        s = scene("move")
        return make_plan(s.spec, await observe(MemoryFleet(s.universe), {"podman": SimDriver()}, ["h1", "h2"]))

    return run_virtual(course())


def marker(epoch, phase, role, run="run1"):
    return Marker(workload="web", epoch=epoch, phase=phase, role=role, run=run)


def ready(plan, source, destination):
    """What a new controller does first, and how the workload stands."""
    marks = marks_from_markers(plan, "web", source, destination)
    records = [Record(seq=i, step=step, mark=mark, at=0.0) for i, (step, mark) in enumerate(marks)]
    following = next_actions(plan, records, recovering=frozenset({"web"}))
    return following.groups["web"], {(a.step.kind, a.undo) for a in following.ready}


def test_a_source_that_was_not_seen_keeps_what_was_staged(plan):
    """It may be held, and its images at the destination be all that is left."""
    state, first = ready(plan, None, marker(2, "reserved", "destination"))
    assert (state, first) == (GroupState.BACK, {(StepKind.HOLD, True)})


def test_a_source_that_was_claimed_back_is_followed_by_its_proof(plan):
    state, first = ready(plan, marker(3, "verified", "source"), marker(2, "committed", "destination"))
    assert (state, first) == (GroupState.BACK, {(StepKind.COMMIT, True)})


def test_a_source_still_held_after_a_later_move_is_only_let_go(plan):
    state, first = ready(plan, marker(2, "committed", "source"), marker(6, "running", "owner", "run7"))
    assert (state, first) == (GroupState.FORWARD, {(StepKind.RETIRE, False)})


@pytest.mark.parametrize(
    ("newest", "over"),
    [
        (marker(2, "held", "source"), False),
        (marker(3, "running", "owner"), False),
        (marker(1, "running", "owner", "run0"), False),
        (marker(2, "held", "source", "run2"), True),
        (marker(4, "reserved", "source", "run2"), True),
    ],
)
def test_a_hand_over_is_superseded_by_a_later_one_or_a_twin(plan, newest, over):
    assert superseded(plan.moves["web"], "run1", [newest]) is over
