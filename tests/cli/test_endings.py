"""State, exit code and summary say the same, in every form, whatever came out: over the product of what can come
out. Real: the command's views and documents; made up: what came out."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.cli import main
from reconciler.cli.views.apply import render_applied
from reconciler.cli.views.output.apply import apply_document
from reconciler.cli.views.output.plan import plan_document
from reconciler.cli.views.plan import render_plan
from reconciler.cli.views.reports import Form, render_applied_report, render_plan_report
from reconciler.commands.app import Applied, Seen
from reconciler.commands.drain import Drained
from reconciler.core.draining import Draining
from reconciler.core.planner import make_plan
from reconciler.core.saga import GroupState
from reconciler.engine.execute import Outcome
from reconciler.hosts.memory import fleet as memory_fleet
from reconciler.model.ending import Ending, PlanState
from reconciler.model.plan import Finding, Plan
from reconciler.model.record import RunState
from reconciler.model.world import World
from tests.cli.memory_fleet import two_hosts, want
from tests.core.worlds import container, facts, host, spec, unknown, workload, world

ENDED = tuple(state for state in GroupState if state.ended)
FORMS = [form for form in Form if form not in (Form.TEXT, Form.JSON)]
BOTH_3, BOTH_4 = (list(itertools.product((False, True), repeat=n)) for n in (3, 4))
REFUSED = Finding(rule="volume.taken", severity="refuse", workload="third", host="h1", message="taken", fix="no")
WELL: dict[Form, Callable[[str], bool]] = {
    Form.MARKDOWN: lambda told: "exit code 0" in told.lower(),
    Form.HTML: lambda told: bool(re.search(r'<p><strong class="good">', told)),
    Form.GITHUB: lambda told: "::error" not in told,
    Form.JUNIT: lambda told: "<failure" not in told,
    Form.SARIF: lambda told: not [r for r in json.loads(told)["runs"][0]["results"] if r["level"] == "error"],
}
"""Whether a reader of that form takes it for a success."""


def planned(refused: bool, changes: bool = True) -> Plan:
    """Two moves, or none; and one more workload, which is refused."""
    there = [workload(name, on="h1") for name in ("web", "db")]
    wanted = [workload(name, on="h2" if changes else "h1") for name in ("web", "db")]
    seen = world(facts("h1", *map(container, there)), facts("h2"))
    plan = make_plan(spec(host("h1"), host("h2"), *wanted), seen)
    return plan.model_copy(update={"findings": (*plan.findings, *([REFUSED] if refused else []))})


def expected(states: tuple[GroupState, ...], refused: bool, interrupted: bool) -> int:
    """As docs/commands.md has it."""
    if GroupState.IN_DOUBT in states:
        return 5
    if interrupted:
        return 130
    return int(refused or set(states) != {GroupState.DONE})


def agree(applied: Applied, ending: Ending) -> None:
    """All forms of how an apply ended say that it was well, or that it was not, in the same words."""
    document = apply_document(applied, ending)
    assert (document.state, document.exit_code) == (ending, ending.exit_code)
    told = ending.told(applied.counted)
    for form in FORMS:
        text = render_applied_report(document, form, None, lambda left: None)
        assert WELL[form](text) == (ending.exit_code == 0), (form, ending, text)
        if form not in (Form.JUNIT, Form.SARIF):
            assert told in text, (form, told, text)
    shown = render_applied(applied, ending, False)
    if applied.outcome:
        assert told in shown.splitlines()[-1].lower()
        assert document.state == applied.state or ending in (Ending.PARTLY, Ending.INTERRUPTED)
    assert ("as specified" in shown) == (ending is Ending.DONE and not applied.outcome), (ending, shown)


@pytest.mark.parametrize("states", list(itertools.product(ENDED, repeat=2)), ids="-".join)
def test_whatever_became_of_an_apply(states: tuple[GroupState, ...]) -> None:
    for refused, interrupted in itertools.product((False, True), repeat=2):
        groups = dict(zip(("web", "db"), states, strict=True))
        applied = Applied(planned(refused), "run1", Outcome(groups, {}))
        ending = applied.ending(interrupted)
        assert ending.exit_code == expected(states, refused, interrupted)
        agree(applied, ending)


@pytest.mark.parametrize(("changes", "refused", "blind", "interrupted"), BOTH_4)
def test_an_apply_that_begins_nothing(changes: bool, refused: bool, blind: bool, interrupted: bool) -> None:
    applied = Applied(planned(refused, changes), blind=blind)
    ending = applied.ending(interrupted)
    well = not (changes or refused or blind or interrupted)
    assert (ending is Ending.DONE) == well
    assert ending.exit_code == (130 if interrupted else 7 if blind else int(not well))
    agree(applied, ending)


@pytest.mark.parametrize("state", RunState)
def test_words_of_a_run_are_words_of_endings(state: RunState) -> None:
    assert Ending(state).exit_code == {"done": 0, "in-doubt": 5}.get(state, 1)


def test_every_ending_is_told_with_and_without_changes() -> None:
    said = [(ending.told(), ending.told("1 done")) for ending in Ending]
    assert len({nothing for nothing, _ in said}) == len(Ending) and all(all(both) for both in said)


@pytest.mark.parametrize("applied", [None, *itertools.product(ENDED, (False, True))])
@pytest.mark.parametrize("left", [False, True])
def test_a_node_that_is_emptied(applied: tuple[GroupState, bool] | None, left: bool) -> None:
    stays = Draining(spec(host("h1")), frozenset(), {"db": "no room"} if left else {}, ())
    drained = Drained("c/n", True, False, stays)
    if applied is None:
        assert drained.ending() is Ending.DECLINED and drained.ending(True) is Ending.INTERRUPTED
        return
    outcome, refused = applied
    ended = Applied(planned(refused), "run1", Outcome(dict.fromkeys(("web", "db"), outcome), {}))
    drained = replace(drained, applied=ended)
    assert (drained.ending() is Ending.DONE) == (outcome is GroupState.DONE and not refused and not left)
    assert drained.ending().exit_code == 0 or drained.ending() is not Ending.DONE


@pytest.mark.parametrize(("changes", "refused", "detailed"), BOTH_3)
def test_whatever_a_plan_says(changes: bool, refused: bool, detailed: bool) -> None:
    seen = Seen(world(facts("h1"), facts("h2")), planned(refused, changes))
    status = seen.state.exit_code(detailed)
    assert status == (1 if refused else 2 if changes and detailed else 0)
    plan_agrees(seen, status)
    assert (seen.state is PlanState.NOTHING) == ("Nothing to do." in render_plan(seen, False))


@pytest.mark.parametrize("refused", [False, True])
def test_a_plan_of_hosts_that_were_not_seen(refused: bool) -> None:
    there: World = world(unknown("h1"), unknown("h2"))
    plan = make_plan(spec(host("h1"), host("h2")), there)
    seen = Seen(there, plan.model_copy(update={"findings": (REFUSED,) if refused else ()}))
    assert seen.state.exit_code(False) == seen.state.exit_code(True) == 7
    plan_agrees(seen, 7)
    assert "No host could be seen" in render_plan(seen, False)


def plan_agrees(seen: Seen, status: int) -> None:
    document = plan_document(seen, status)
    assert document.state == seen.state and document.exit_code == status
    for form in FORMS:
        text = render_plan_report(document, form)
        if form in (Form.GITHUB, Form.JUNIT, Form.SARIF):
            assert WELL[form](text) == (status in (0, 2)), (form, seen.state, text)
        else:
            assert seen.state.told in text and ('class="bad"' in text) == (
                form is Form.HTML and status not in (0, 2)
            )


@pytest.mark.parametrize("wanted", [{}, {"web": "h1"}], ids=["hosts only", "a workload"])
def test_where_no_host_is_seen(
    wanted: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hosts = two_hosts(tmp_path, monkeypatch)
    want(tmp_path, **wanted)
    monkeypatch.setattr(memory_fleet, "CONNECT_TIMEOUT", 0.0)
    for machine in hosts.machines.values():
        machine.reachable = False
    for words in ("plan --allow-empty", "apply --yes --allow-empty", "status", "resume"):
        assert main.run([*words.split(), "--json"]) == 7, words
        document = json.loads(capsys.readouterr().out)
        assert (document["state"], document["exitCode"]) == ("unseen", 7), document
        if words in ("status", "resume"):
            assert main.run(words.split()) == 7 and "No host could be seen" in capsys.readouterr().out
            continue
        for form in (form for form in Form if form is not Form.JSON):
            assert main.run([*words.split(), "--format", form]) == 7
            said = capsys.readouterr().out
            assert "o host could be seen" in said, (words, form)
            assert form not in (Form.GITHUB, Form.JUNIT, Form.SARIF) or not WELL[form](said)
