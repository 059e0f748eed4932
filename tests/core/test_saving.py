"""Checkpoints that plans take before something else is done. Pure."""

import pytest

from reconciler.core.planner import make_plan
from reconciler.core.saving import AHEAD
from reconciler.model.checkpointing import CheckpointPolicySpec, CheckpointRefs
from reconciler.model.plan import StepKind
from reconciler.model.spec import CheckpointPolicy
from tests.core.worlds import API, container, facts, host, marker, spec, workload, world


def saved(wanted, before):
    """Specs of two hosts with one workload, which is saved before that."""
    policy = CheckpointPolicy(
        api_version=API,
        kind="CheckpointPolicy",
        metadata={"name": "first"},
        spec=CheckpointPolicySpec(before=before, freeze_limit="5s"),
    )
    refs = {"checkpoints": CheckpointRefs(policy="first")}
    web = wanted.model_copy(update={"spec": wanted.spec.model_copy(update=refs)})
    made = spec(host("h1", schedulable="drain" not in before), host("h2"), web)
    return made.model_copy(update={"checkpoint_policies": {"first": policy}})


def seen(**more):
    return world(
        facts("h1", container(workload(on="h1", **more)), markers=(marker("web", 4, "running"),)), facts("h2")
    )


@pytest.mark.parametrize(
    ("before", "first"), [(["move"], True), (["drain"], True), (["update"], False), ([], False)]
)
def test_a_move_is_saved_first_when_its_policy_says_so(before, first):
    plan = make_plan(saved(workload(on="h2"), before), seen())
    assert (plan.steps[0].kind is StepKind.CAPTURE) is first
    assert plan.moves["web"].epoch == 4 + 2 + (AHEAD if first else 0)
    assert bool(plan.changes[0].outlook.saved) is first
    if first:
        assert plan.steps[1].needs == (plan.steps[0].id,)
        assert (plan.captures["web"].host, plan.captures["web"].epoch) == ("h1", 6)


def test_a_host_that_takes_new_work_is_not_drained():
    drained = saved(workload(on="h2"), ["drain"])
    hosts = {**drained.hosts, "h1": host("h1")}
    plan = make_plan(drained.model_copy(update={"hosts": hosts}), seen())
    assert not plan.captures


def test_what_is_made_anew_is_saved_as_what_it_was_made_from():
    plan = make_plan(saved(workload(command=["new"]), ["update"]), seen(command=["old"]))
    kinds = [step.kind for step in plan.steps]
    assert kinds.index(StepKind.CAPTURE) < kinds.index(StepKind.SET_ASIDE)
    assert plan.epochs["web"] == 4 + AHEAD + 1
    assert plan.captures["web"].made_from["spec"]["container"]["command"] == ["old"]
    assert plan.captures["web"].freeze_limit == "5s"


def test_what_its_runtime_cannot_save_is_refused():
    there = seen().model_copy(update={"abilities": {"podman": ("lifecycle", "moves", "checks")}})
    plan = make_plan(saved(workload(on="h2"), ["move"]), there)
    assert not plan.steps
    assert [f.rule for f in plan.findings if f.severity == "refuse"] == ["runtime.ability"]
    assert "`captures`" in plan.findings[0].message and "without `before`" in plan.findings[0].fix
