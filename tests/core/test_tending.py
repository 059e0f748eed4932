"""What a watch begins next."""

from reconciler.core.planner import make_plan
from reconciler.core.tending import by_workload, narrowed
from tests.core.worlds import container, facts, host, spec, workload, world


def test_parts_of_a_plan_are_the_same_all_at_once_and_one_by_one() -> None:
    moves, new = workload("moves", on="h2"), workload("new", on="h1")
    there = facts("h1", container(workload("moves", on="h1")), container(workload("old", on="h1")))
    plan = make_plan(spec(host("h1"), host("h2"), moves, new), world(there, facts("h2")))
    parts = by_workload(plan)
    assert set(parts) == {"moves", "new", "old"} and plan.moves.keys() == {"moves"}
    assert parts == {name: narrowed(plan, {name}) for name in parts}
