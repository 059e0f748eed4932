"""What can change while a workload runs, does."""

import pytest

from reconciler.core.planner import make_plan
from reconciler.model.container import Container
from reconciler.model.inplace import FIELDS, LOSES_UPDATES
from reconciler.model.world import InstanceState
from tests.core.worlds import container, facts, host, spec, workload, world

H1, H2 = host("h1"), host("h2")
LIMITS = {"limits": {"memory": "64MiB", "cpus": 1.0}}


def kind(old, new, state=InstanceState.RUNNING, settings=(), memory=16 * 2**20):
    have = container(old, state, memory_bytes=memory)
    plan = make_plan(spec(H1, H2, new), world(facts("h1", have, settings={"podman": settings}), facts("h2")))
    return plan.changes[0].kind.value, plan


def test_every_field_says_whether_it_can():
    assert set(FIELDS) == {field.alias for field in Container.model_fields.values()}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({}, {"restart": "always"}),
        ({"restart": "always"}, {}),
        (LIMITS, {"limits": {"memory": "128MiB", "cpus": 1.0}}),
        (LIMITS, {"limits": {"memory": "32MiB", "cpus": 0.5}, "restart": "on-failure"}),
    ],
)
def test_while_it_runs(old, new):
    found, plan = kind(workload(**old), workload(**new))
    assert found == "update" and [s.kind.value for s in plan.steps] == ["update"]
    assert not plan.changes[0].interrupts


@pytest.mark.parametrize(
    ("old", "new", "more"),
    [
        (LIMITS, {}, {}),
        ({}, LIMITS, {}),
        (LIMITS, {"limits": {"memory": "16MiB", "cpus": 1.0}}, {"memory": 32 * 2**20}),
        ({}, {"restart": "always", "env": {"A": "1"}}, {}),
        ({}, {"restart": "always"}, {"settings": (LOSES_UPDATES,)}),
        ({}, {"restart": "always"}, {"state": InstanceState.EXITED}),
    ],
)
def test_only_made_anew(old, new, more):
    assert kind(workload(**old), workload(**new), **more)[0] == "recreate"


def test_elsewhere_at_the_same_time_it_is_made_anew_there():
    assert kind(workload(), workload(on="h2", restart="always"))[0] == "recreate"
