"""What is told of changes that are under way, from a run's records."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.core.moving import Moving, moving
from reconciler.core.saga import GroupState
from reconciler.model.amount import Amount
from reconciler.model.plan import StepKind
from reconciler.model.record import Mark, Record, Run
from tests.core.test_accuracy import planned

K = StepKind
T0 = 1000.0


def run_of(*marks: tuple[StepKind, Mark, float], expected: int = 1000) -> Run:
    plan = planned()
    steps = tuple(
        step.model_copy(update={"expected_bytes": expected}) if step.kind is K.TRANSFER else step
        for step in plan.steps
    )
    plan = plan.model_copy(update={"steps": steps})
    ids = {step.kind: step.id for step in steps}
    records = tuple(
        Record(seq=n, step=ids[kind], mark=mark, at=T0 + at) for n, (kind, mark, at) in enumerate(marks, 1)
    )
    return Run(id="r1", plan=plan, started_at=T0, actor="a@b/1", records=records)


def seen(run: Run, now: float, amounts: Any = None, carried_on: Any = ("web",)) -> Moving:
    (found,) = moving([run], {"r1": amounts or {}}, carried_on, T0 + now)
    return found


HELD = (
    (K.RESERVE, Mark.INTENT, 0.0),
    (K.RESERVE, Mark.DONE, 1.0),
    (K.STAGE, Mark.INTENT, 1.0),
    (K.STAGE, Mark.DONE, 2.0),
    (K.HOLD, Mark.INTENT, 2.0),
    (K.HOLD, Mark.DONE, 2.5),
    (K.TRANSFER, Mark.INTENT, 2.5),
)


def test_a_copy_in_the_freeze() -> None:
    run = run_of(*HELD)
    step = next(step.id for step in run.plan.steps if step.kind is K.TRANSFER)
    found = seen(run, 5.0, {step: Amount(done=400, at=T0 + 4.5)})
    assert (found.state, found.frozen_now, found.frozen_s, found.elapsed_s) == (GroupState.FORWARD, True, 3.0, 5.0)
    copy = found.copying
    assert copy and (copy.done, copy.total, copy.rate, copy.left_s) == (400, 1000, 200.0, 3.0)
    transfer = next(one for one in found.steps if one.kind is K.TRANSFER)
    assert transfer.now and transfer.took_s == 2.5
    assert found.done == 3 and found.carried_on


@pytest.mark.parametrize("at", [None, T0 + 1.0, T0 + 2.55])
def test_what_nobody_has_told_yet_has_no_rate(at: float | None) -> None:
    """Nothing told; told by an earlier try; too early to say."""
    run = run_of(*HELD)
    step = next(step.id for step in run.plan.steps if step.kind is K.TRANSFER)
    copy = seen(run, 5.0, {step: Amount(done=400, at=at)} if at else None).copying
    assert copy and (copy.total, copy.rate, copy.left_s) == (1000, None, None)


def test_a_copy_that_nobody_tells_of_any_more_gets_slower() -> None:
    run = run_of(*HELD)
    step = next(step.id for step in run.plan.steps if step.kind is K.TRANSFER)
    copy = seen(run, 42.5, {step: Amount(done=400, at=T0 + 4.5)}).copying
    assert copy and (copy.rate, copy.left_s) == (10.0, 60.0)


def test_more_than_expected_is_the_new_total() -> None:
    run = run_of(*HELD)
    step = next(step.id for step in run.plan.steps if step.kind is K.TRANSFER)
    copy = seen(run, 5.0, {step: Amount(done=2000, at=T0 + 4.5)}).copying
    assert copy and (copy.done, copy.total, copy.left_s) == (2000, 2000, 0.0)


def test_one_that_goes_back_stands_still_until_its_hold_is_undone() -> None:
    back = (*HELD, (K.TRANSFER, Mark.FAILED, 3.0), (K.HOLD, Mark.UNDO, 3.0))
    found = seen(run_of(*back), 6.0, carried_on=())
    assert (found.state, found.frozen_now, found.frozen_s) == (GroupState.BACK, True, 4.0)
    assert not found.carried_on and found.copying is None
    found = seen(run_of(*back, (K.HOLD, Mark.UNDONE, 3.5)), 6.0)
    assert (found.frozen_now, found.frozen_s) == (False, 1.5)


def test_what_has_ended_is_not_under_way() -> None:
    assert moving([], {}, (), T0) == []
    run = run_of((K.RESERVE, Mark.INTENT, 0.0), (K.RESERVE, Mark.FAILED, 1.0), (K.RESERVE, Mark.UNDO, 1.0))
    assert len(moving([run], {}, (), T0)) == 1
    over = run_of(
        (K.RESERVE, Mark.INTENT, 0.0),
        (K.RESERVE, Mark.FAILED, 1.0),
        (K.RESERVE, Mark.UNDO, 1.0),
        (K.RESERVE, Mark.UNDONE, 2.0),
    )
    assert moving([over], {}, (), T0) == []
