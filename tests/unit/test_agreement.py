"""A host that lies about the hand-over it remembers, to a controller without a journal. Fake: hosts, as files."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from reconciler.core.planner import make_plan
from reconciler.engine.agreement import agreed
from reconciler.errors import HostError
from reconciler.guard import dossier
from reconciler.model.plan import Plan
from reconciler.model.world import Marker
from tests.core import worlds
from tests.unit.lies import Liar

PLAN = dossier.part_of(
    make_plan(
        worlds.spec(worlds.host("h1"), worlds.host("h2"), worlds.host("h3"), worlds.workload("web", on="h2")),
        worlds.world(worlds.facts("h1", worlds.container(worlds.workload("web"))), worlds.facts("h2")),
    ),
    "web",
)
RUN = "r1"


class Pair:
    """A fleet in which each host has kept some text as its dossier."""

    def __init__(self, **kept: str) -> None:
        self.hosts = {name: Liar(name, lambda _, text=text: text) for name, text in kept.items()}

    def host(self, name: str) -> Liar:
        return self.hosts[name]


def text(plan: Plan, run: str = RUN) -> str:
    return json.dumps({"run": run, "plan": plan.model_dump(mode="json", by_alias=True)})


def marker(phase: str, epoch: int | None = None) -> Marker:
    return worlds.marker("web", PLAN.moves["web"].epoch if epoch is None else epoch, phase, "source", run=RUN)


async def ask(theirs: str, phase: str, mine: Plan = PLAN, **more: Any) -> Plan:
    world = worlds.world(worlds.facts("h1"), more.get("seen", worlds.facts("h2")))
    markers = {"h1": marker(phase), **more.get("markers", {})}
    return await agreed("web", "h1", (RUN, mine), markers, Pair(h1="", h2=theirs), world)  # type: ignore[arg-type]


def with_action(plan: Plan) -> Plan:
    """As a liar would have it: a command of its own on the other host."""
    raw = plan.model_dump(mode="json", by_alias=True)
    raw["workloads"]["web"]["spec"]["migration"] = {
        "actions": {"afterRestore": [{"do": ["sh", "-c", "id"], "undo": ["true"]}]}
    }
    return Plan.model_validate(raw)


def elsewhere(plan: Plan) -> Plan:
    steps = (*plan.steps, plan.steps[-1].model_copy(update={"id": "x", "host": "h3"}))
    return plan.model_copy(update={"steps": steps})


@pytest.mark.parametrize("phase", ["reserved", "held", "committed"])
async def test_what_both_have_kept_is_believed(phase: str) -> None:
    assert await ask(text(PLAN), phase) == PLAN


@pytest.mark.parametrize("phase", ["reserved", "held", "committed"])
@pytest.mark.parametrize("lie", [with_action, elsewhere])
async def test_a_dossier_that_the_other_host_does_not_have_is_not(phase: str, lie: Callable[[Plan], Plan]) -> None:
    with pytest.raises(HostError, match="not believed") as caught:
        await ask(text(PLAN), phase, mine=lie(PLAN))
    assert caught.value.where == "h1"
    assert "resolve web" in caught.value.fix


async def test_none_on_the_other_host_is_only_undone() -> None:
    assert await ask("", "reserved") == PLAN
    for phase in ("held", "verified", "committed", "confirmed"):
        with pytest.raises(HostError, match="not believed"):
            await ask("", phase)


async def test_one_of_another_run_counts_when_the_workload_has_gone_on() -> None:
    later = marker("running", PLAN.moves["web"].epoch + 2)
    assert await ask(text(PLAN, "r2"), "committed", markers={"h2": later}) == PLAN
    with pytest.raises(HostError, match="not believed"):
        await ask(text(PLAN, "r2"), "committed")


async def test_a_host_that_is_gone_cannot_be_asked() -> None:
    assert await ask("", "committed", seen=worlds.unknown("h2")) == PLAN


async def test_what_concerns_other_workloads_is_left_out() -> None:
    other = PLAN.steps[0].model_copy(update={"workload": "victim", "host": "h3", "peer": ""})
    assert await ask(text(PLAN), "committed", mine=PLAN.model_copy(update={"steps": (*PLAN.steps, other)})) == PLAN
