"""What a post-copy needs, and what a plan says where it is not there."""

from __future__ import annotations

import pytest

from reconciler.core.planner import make_plan
from reconciler.model.spec import Strategy
from tests.core.test_plan import H1, H2, under_policy
from tests.core.worlds import VERSIONS, container, facts, spec, workload, world

MEMORY = 512 * 2**20
TOOLS = ("iptables-restore", "nsenter", "flock", "setsid", "timeout", "tar", "ip")


def planned(here=None, there=None, held=None, **policy):
    before = container(workload(on="h1"), memory_bytes=MEMORY, **held or {})
    desired = under_policy(spec(H1, H2, workload(on="h2")), **policy)
    return make_plan(desired, world(facts("h1", before, **here or {}), facts("h2", **there or {})))


@pytest.mark.parametrize(
    ("lacks", "host", "says"),
    [
        ({"there": {"features": ()}}, "h2", "h2 has no userfaultfd"),
        ({"there": {"tools": (*TOOLS, "python3")}}, "h2", "h2 has no perl"),
        ({"there": {"tools": (*TOOLS, "perl")}}, "h2", "h2 has no python3"),
        ({"here": {"tools": (*TOOLS, "perl")}}, "h1", "h1 has no python3"),
        ({"held": {"processes": 3}}, "h2", "it has 3 processes"),
    ],
    ids=["no-userfaultfd", "no-keeper", "no-server", "no-feed", "several-processes"],
)
def test_where_it_is_demanded_and_not_possible_the_plan_says_why(lacks, host, says):
    plan = planned(**lacks, strategy="postcopy")
    (found,) = [f for f in plan.findings if f.rule == "strategy.postcopy"]
    assert found.severity == "refuse" and found.host == host and says in found.message
    assert not plan.steps
    assert "set strategy: auto" in found.fix
    assert ("apt-get install python3-minimal" in found.fix) == ("python3" in says)


@pytest.mark.parametrize(
    "lacks",
    [{"there": {"features": ()}}, {"there": {"tools": (*TOOLS, "perl")}}, {"held": {"processes": 3}}],
    ids=["no-userfaultfd", "no-server", "several-processes"],
)
def test_where_it_is_allowed_and_not_possible_another_way_is_taken_and_told(lacks):
    plan = planned(**lacks, allow_post_copy=True)
    assert plan.moves["web"].strategy in (Strategy.LAZY, Strategy.COLD)
    assert plan.changes[0].outlook.held_move.not_chosen


def test_a_limit_that_only_it_would_keep_is_refused_where_it_is_not_possible_and_it_is_no_way_out():
    plan = planned(there={"features": ()}, max_downtime="200ms")
    (found,) = [f for f in plan.findings if f.rule == "downtime.limit"]
    assert "allowPostCopy" not in found.fix


@pytest.mark.parametrize(("here", "there", "warned"), [("4.1.1", "4.2.1", False), ("4.2.1", "4.1.1", True)])
def test_releases_of_criu_may_differ_as_for_any_move(here, there, warned):
    """Its page servers of 4.1 and 4.2 do not understand each other; none of them is used."""
    hosts = {"here": here, "there": there}
    told = {k: {"versions": VERSIONS | {"criu": v, "kernel": "6.1"}} for k, v in hosts.items()}
    plan = planned(**told, strategy="postcopy")
    assert not any(finding.severity == "refuse" for finding in plan.findings)
    assert ("criu.older" in {finding.rule for finding in plan.findings}) == warned
    assert plan.moves["web"].strategy is Strategy.POSTCOPY
