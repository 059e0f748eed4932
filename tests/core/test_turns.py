"""Moves that share a host take turns, and the plan says what that saves."""

from __future__ import annotations

import pytest

from reconciler.cli.views import outlook
from reconciler.core.planner import make_plan
from reconciler.core.turns import in_turn
from reconciler.model.outlook import HeldMove, Outlook, Span
from reconciler.model.plan import Change
from tests.core.test_plan import H1, H2, H3
from tests.core.worlds import container, facts, spec, workload, world

MEMORY = 512 * 2**20


def moving(*routes):
    """The plan of moves by these ways, of workloads `w0`, `w1`, ..."""
    names = [f"w{number}" for number in range(len(routes))]
    held = {"h1": [], "h2": [], "h3": []}
    for name, (source, _) in zip(names, routes, strict=True):
        before = workload(name, on=source)
        held[source].append(container(before, memory_bytes=MEMORY))
    desired = [workload(name, on=destination) for name, (_, destination) in zip(names, routes, strict=True)]
    return make_plan(spec(H1, H2, H3, *desired), world(*(facts(host, *there) for host, there in held.items())))


def test_moves_over_the_same_hosts_take_turns():
    plan = moving(("h1", "h2"), ("h1", "h2"), ("h3", "h2"))
    assert len(plan.changes) == 3
    for change in plan.changes:
        held = change.outlook.held_move
        assert set(held.turns.others) == {"w0", "w1", "w2"} - {change.workload}
        assert held.turns.in_turn.least_s == pytest.approx(3 * held.downtime.least_s, abs=0.01)
        assert held.turns.at_once.least_s == pytest.approx(
            3 * held.downtime.least_s + 6 * held.copying.least_s, abs=0.01
        )
        (row,) = [text for label, text in outlook.rows(change) if label == "turns"]
        assert "one is frozen at a time" in row


def test_a_move_with_hosts_of_its_own_waits_for_nobody():
    (change,) = moving(("h1", "h2")).changes
    assert change.outlook.held_move.turns is None
    assert "turns" not in dict(outlook.rows(change))


def move(name, copying, source="h1", destination="h2"):
    span = Span(least_s=copying, most_s=copying)
    held = HeldMove.model_construct(downtime=Span(least_s=copying + 1, most_s=copying + 1), copying=span)
    told = Outlook.model_construct(held_move=held)
    return Change.model_construct(workload=name, source=source, destination=destination, outlook=told)


def test_of_two_that_share_a_link_each_would_take_as_much_longer_as_the_shorter_takes():
    first, _ = in_turn([move("a", 1.0), move("b", 3.0)])
    assert first.outlook.held_move.turns.in_turn.least_s == 6.0
    assert first.outlook.held_move.turns.at_once.least_s == 8.0, (
        "they end after 2 and 4 s of copying, each 1 s more"
    )


def test_of_many_the_first_are_named():
    told = in_turn([move(f"w{number}", 1.0) for number in range(6)])
    assert told[1].outlook.held_move.turns.others == ("w0", "w2", "w3")
    assert told[5].outlook.held_move.turns.others == ("w0", "w1", "w2")
    assert {change.outlook.held_move.turns.more for change in told} == {2}
    assert told[0].outlook.held_move.turns.at_once.least_s == 6 * 2 + 6 * 5 * 1


def test_those_that_share_no_host_with_it_are_none_of_its_others():
    first, second, third = in_turn([move("a", 1.0), move("b", 1.0, "h2", "h3"), move("c", 1.0, "h4", "h3")])
    assert first.outlook.held_move.turns.others == ("b",)
    assert second.outlook.held_move.turns.others == ("a", "c")
    assert third.outlook.held_move.turns.others == ("b",)
