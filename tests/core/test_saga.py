"""The saga by its properties, over the real plans of every shape and any course of outcomes."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.saga import GroupState, Progress, Saga, next_actions
from reconciler.core.schedule import Schedule, Slots
from reconciler.engine.effects import EFFECTS
from reconciler.hosts.memory import run_virtual
from reconciler.model.plan import TRAITS, Plan, StepKind
from reconciler.model.record import Mark, Record
from tests.sim.checks import Scenario
from tests.sim.run import Simulation
from tests.sim.shapes import SHAPES

GOOD = (GroupState.DONE, GroupState.PUT_BACK, GroupState.SKIPPED)
FORWARD = (Mark.DONE, Mark.FAILED, Mark.LOST)
BACK = (Mark.UNDONE, Mark.UNDO_FAILED)
MOST = 200


@cache
def plan_of(shape: str) -> Plan:
    async def planned() -> Plan:
        simulation = Simulation(Scenario(0, shape, ()))
        return simulation.scene.plan(await simulation.look())

    return run_virtual(planned())


class Course:
    """A journal as a run writes it, action by action."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.records: list[Record] = []

    def write(self, step, mark) -> None:
        self.records.append(Record(seq=len(self.records) + 1, step=step.id, mark=mark, at=0.0))

    def next(self, **how):
        return next_actions(self.plan, self.records, **how)

    def act(self, action, mark=None) -> None:
        """Intent and outcome of one action; success unless told otherwise."""
        self.write(action.step, Mark.UNDO if action.undo else Mark.INTENT)
        self.write(action.step, mark or (Mark.UNDONE if action.undo else Mark.DONE))

    def finish(self, **how):
        for _ in range(MOST):
            now = self.next(**how)
            if not now.ready:
                return now
            self.act(now.ready[0])
        raise AssertionError("it never ends")

    def try_again(self) -> None:
        """As the executor does at a resume."""
        marks = Progress(self.records)
        for step in self.plan.steps:
            mark = marks.of(step)
            if mark is Mark.LOST or (mark is Mark.FAILED and step.kind.traits.tidying):
                self.write(step, Mark.INTENT)
            elif mark is Mark.UNDO_FAILED:
                self.write(step, Mark.UNDO)


shapes = st.sampled_from(sorted(SHAPES))


@st.composite
def courses(draw):
    """A run that went on for a while, with any outcomes, then perhaps died in the middle of some actions."""
    course = Course(plan_of(draw(shapes)))
    cancelled = False
    for _ in range(draw(st.integers(0, 25))):
        cancelled = cancelled or draw(st.integers(0, 19)) == 0
        ready = course.next(cancelled=cancelled).ready
        if not ready:
            break
        action = draw(st.sampled_from(ready))
        usual = Mark.UNDONE if action.undo else Mark.DONE
        others = BACK if action.undo else FORWARD
        course.act(action, draw(st.sampled_from([usual, usual, usual, *others])))
    for action in course.next(cancelled=cancelled).ready:
        if draw(st.booleans()):
            course.write(action.step, Mark.UNDO if action.undo else Mark.INTENT)
    return course


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_needs_point_to_earlier_steps_so_that_plans_are_acyclic(shape):
    seen: set[str] = set()
    for step in plan_of(shape).steps:
        assert set(step.needs) <= seen
        assert step.id not in seen
        seen.add(step.id)


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_without_failures_all_groups_are_done_and_stay_so(shape):
    course = Course(plan_of(shape))
    assert set(course.finish().groups.values()) == {GroupState.DONE}
    everyone = frozenset(s.workload for s in course.plan.steps)
    assert set(course.next(cancelled=True, recovering=everyone).groups.values()) == {GroupState.DONE}


@given(courses())
@settings(max_examples=300)
def test_crash_anywhere_then_resume_converges(course):
    everyone = frozenset(step.workload for step in course.plan.steps)
    course.try_again()
    end = course.finish(recovering=everyone)
    assert end.ended
    for workload, state in end.groups.items():
        assert state in GOOD or (state is GroupState.INCOMPLETE and not _moves(course.plan, workload)), state


@given(courses())
@settings(max_examples=300)
def test_what_is_undone_has_nothing_begun_on_top_of_it(course):
    progress = Progress(course.records)
    for action in course.next().ready:
        if action.undo:
            later = [s for s in course.plan.steps if action.step.id in s.needs and s.kind.traits.undoable]
            assert all(progress.of(s) in (None, Mark.UNDONE, Mark.UNDO_FAILED) for s in later)


@given(courses())
@settings(max_examples=300)
def test_after_a_commit_nothing_is_undone_before_the_commit_is(course):
    progress = Progress(course.records)
    for action in course.next(cancelled=True).ready:
        commit = next(
            (s for s in course.plan.steps if s.workload == action.step.workload and s.kind.traits.commits), None
        )
        if action.undo and commit and action.step is not commit:
            assert progress.of(commit) in (None, Mark.UNDONE)


@given(courses())
@settings(max_examples=300)
def test_a_step_and_its_undo_are_never_under_way_together(course):
    saga = Saga(course.plan, course.records)
    schedule = Schedule(saga, Slots())
    running = [a for a in schedule.pick() if not a.undo]
    saga.cancel()
    for action in schedule.pick():
        assert not action.undo or action.step.workload not in {a.step.workload for a in running}


@given(courses(), st.integers(0, 60))
@settings(max_examples=300)
def test_a_saga_that_was_told_record_by_record_is_one_that_reads_the_journal(course, cancelled_at):
    saga = Saga(course.plan)
    for number, record in enumerate(course.records):
        if number == cancelled_at:
            saga.cancel()
        saga.note(record)
    fresh = next_actions(course.plan, course.records, cancelled=saga.cancelled)
    assert saga.states == fresh.groups
    assert {a for actions in saga.ready.values() for a in actions} == set(fresh.ready)
    assert saga.ended is fresh.ended


def test_every_kind_of_step_has_traits_and_what_can_be_undone_is_not_shared():
    assert TRAITS.keys() == set(StepKind)
    assert not any(t.undoable and (t.shared or t.one_way) for t in TRAITS.values())


def test_every_kind_of_step_has_an_effect_and_an_undo_where_its_traits_say_so():
    assert EFFECTS.keys() == set(StepKind)
    assert {kind for kind, effect in EFFECTS.items() if effect.undo} == {k for k in StepKind if k.traits.undoable}


def test_a_copy_of_a_plan_does_not_keep_the_index_of_other_steps():
    plan = plan_of("move")
    assert plan.groups["web"] and plan.step(plan.steps[0].id)
    shorter = plan.model_copy(update={"steps": plan.steps[:1]})
    assert shorter.groups == {"web": plan.steps[:1]}
    with pytest.raises(KeyError):
        shorter.step(plan.steps[1].id)


def _moves(plan, workload):
    return workload in plan.moves


def upto(course, kind, mark):
    """Go on until a step of this kind, which ends with this mark."""
    while True:
        action = course.next().ready[0]
        if action.step.kind is kind and not action.undo:
            course.act(action, mark)
            return
        course.act(action)


def undo_all(course, failing=()):
    order = []
    while ready := course.next().ready:
        assert ready[0].undo
        order.append(ready[0].step.kind)
        course.act(ready[0], Mark.UNDO_FAILED if ready[0].step.kind in failing else Mark.UNDONE)
    return order


def test_undos_run_last_first():
    course = Course(plan_of("move-restore-back"))
    upto(course, StepKind.RESTORE, Mark.FAILED)
    assert undo_all(course) == [StepKind.COMMIT, StepKind.HOLD, StepKind.STAGE, StepKind.RESERVE]
    assert course.next().groups == {"web": GroupState.PUT_BACK}


def test_a_failing_undo_does_not_stop_the_others():
    course = Course(plan_of("create"))
    upto(course, StepKind.CONFIRM, Mark.FAILED)
    order = [StepKind.START, StepKind.CREATE, StepKind.CREATE_VOLUME]
    assert undo_all(course, failing=(StepKind.CREATE,)) == order
    assert course.next().groups == {"web": GroupState.INCOMPLETE}


def test_a_start_goes_with_its_container():
    """Another try would stop what has the name by then, such as the predecessor that was brought back."""
    course = Course(plan_of("create"))
    upto(course, StepKind.CONFIRM, Mark.FAILED)
    undo_all(course, failing=(StepKind.START,))
    assert course.next().groups == {"web": GroupState.PUT_BACK}


def test_undo_of_a_commit_is_a_gate():
    course = Course(plan_of("move"))
    upto(course, StepKind.RESTORE, Mark.FAILED)
    assert undo_all(course, failing=(StepKind.COMMIT,)) == [StepKind.COMMIT]
    assert course.next().groups == {"web": GroupState.IN_DOUBT}


def test_what_is_staged_is_kept_while_the_source_cannot_be_told_to_resume():
    course = Course(plan_of("move"))
    upto(course, StepKind.TRANSFER, Mark.FAILED)
    assert StepKind.STAGE not in undo_all(course, failing=(StepKind.HOLD,))
    assert course.next().groups == {"web": GroupState.IN_DOUBT}
    assert StepKind.STAGE.traits.barred_by is StepKind.HOLD


def test_an_old_container_is_not_brought_back_beside_a_successor_that_may_run():
    course = Course(plan_of("recreate-elsewhere"))
    upto(course, StepKind.CONFIRM, Mark.FAILED)
    assert StepKind.SET_ASIDE not in undo_all(course, failing=(StepKind.START, StepKind.CREATE))
    assert course.next().groups == {"web": GroupState.INCOMPLETE}


@pytest.mark.parametrize(("shape", "mark"), [("recreate", Mark.LOST), ("remove", Mark.FAILED)])
def test_a_removal_that_did_not_end_well_is_not_called_put_back(shape, mark):
    course = Course(plan_of(shape))
    upto(course, StepKind.REMOVE, mark)
    assert course.next(cancelled=True).groups == {"web": GroupState.INCOMPLETE}
    assert course.next(cancelled=True).ready == ()


def test_a_stop_that_surely_did_not_happen_is_put_back():
    course = Course(plan_of("stop"))
    upto(course, StepKind.STOP, Mark.FAILED)
    assert course.next().groups == {"web": GroupState.PUT_BACK}


def test_silence_after_the_commit_is_doubt_and_an_answer_is_the_way_back():
    for mark, state in ((Mark.LOST, GroupState.IN_DOUBT), (Mark.FAILED, GroupState.BACK)):
        course = Course(plan_of("move"))
        upto(course, StepKind.CONFIRM, mark)
        assert course.next().groups == {"web": state}
