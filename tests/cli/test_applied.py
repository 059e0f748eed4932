"""What an apply says at its end is what became of the workload."""

from dataclasses import replace

from reconciler.cli.views.apply import render_applied
from reconciler.cli.views.output.apply import apply_document
from reconciler.commands.app import Applied
from reconciler.core.planner import make_plan
from reconciler.core.saga import GroupState
from reconciler.engine.execute import Outcome
from reconciler.model.plan import StepKind
from tests.core.worlds import container, facts, host, spec, workload, world


def rendered(applied):
    return render_applied(applied, applied.ending(), False)


def applied(became):
    before, after = workload(on="h1"), workload(on="h2")
    plan = make_plan(spec(host("h1"), host("h2"), after), world(facts("h1", container(before)), facts("h2")))
    return Applied(plan, "run1", Outcome({"web": GroupState.PUT_BACK}, {}, became))


def test_put_back_and_running():
    assert "put back; it runs on h1" in rendered(applied({}))


def test_put_back_but_it_had_ended():
    ended = applied({"web": "it ended by itself on h1 while it was held (exit code 3)"})
    shown = rendered(ended)
    assert "put back; it ended by itself on h1 while it was held (exit code 3)" in shown
    assert "it runs on" not in shown
    assert "exit code 3" in apply_document(ended, ended.ending()).changes[0].became


def test_after_ones_own_ctrl_c_nothing_is_to_be_mended():
    before = applied({})
    hold = next(step for step in before.plan.steps if step.kind.value == "hold")
    outcome = Outcome({"web": GroupState.PUT_BACK}, {"web": ((hold, False, "interrupted"),)}, cancelled=True)
    shown = rendered(replace(before, outcome=outcome))
    assert "stopped as you asked, put back; it runs on h1" in shown and "mend" not in shown
    broken = replace(outcome, errors={"web": ((hold, False, "CRIU failed"),)})
    assert "mend the cause" in rendered(replace(before, outcome=broken))


def test_what_was_predicted_and_measured_is_told():
    before = applied({})
    done = replace(before, outcome=Outcome({"web": GroupState.DONE}, {}, frozen={"web": 1.1}))
    assert "moved h1 -> h2; frozen for 1.10 s, predicted 0.2 to 0.9 s" in rendered(done)
    told = apply_document(done, done.ending()).changes[0].move
    assert told.frozen_s == 1.1 and told.predicted_downtime_s < told.predicted_most_s


def test_what_its_runtime_moves_is_not_said_to_have_moved_before_that_is_known():
    before = applied({})
    first = before.plan.steps[0]
    migrate, settle = (first.model_copy(update={"kind": kind}) for kind in (StepKind.MIGRATE, StepKind.SETTLE))
    lost = Outcome({"web": GroupState.INCOMPLETE}, {"web": ((migrate, False, "cannot be told"),)})
    shown = rendered(replace(before, outcome=lost))
    assert "not known yet whether it runs on h1 or h2" in shown and "moved to" not in shown
    errors = ((migrate, False, "cannot be told"), (settle, False, "disk full"))
    tidying = replace(lost, errors={"web": errors})
    shown = rendered(replace(before, outcome=tidying))
    assert "moved to h2; h1 remains to be tidied" in shown
