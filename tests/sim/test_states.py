"""No state without a way out: what `status` names next ends every state of two hosts and a journal.

`SEEDS` says how many states are tried: all of those without a journal at 50,000, and as many with one."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from reconciler.core.planner import make_plan
from reconciler.hosts.memory import run_virtual
from reconciler.model.record import Mark
from tests.sim import states
from tests.sim.states import Marked, State

WANTED = max(100, int(os.environ.get("SEEDS", "500")) // 2)
REPORT = Path(__file__).parents[2] / "build" / "states.json"


async def _plan():
    course = states.Course(states.State(states.Marked(), states.Marked(), "absent", "absent", None))
    return make_plan(course.scene.spec, await course.world())


@pytest.fixture(scope="module")
def tried():
    """Evenly spread over the product: states without a journal, and with one."""
    plan = run_virtual(_plan())
    report: dict[str, dict[str, int]] = {}
    excluded: Counter[str] = Counter()
    commands: Counter[str] = Counter()
    problems = []
    for journals in (False, True):
        found, reasons = states.all_states(plan, journals)
        excluded.update(reasons)
        chosen = found[:: max(1, len(found) // WANTED)]
        report["with journals" if journals else "without"] = {"states": len(found), "tried": len(chosen)}
        for state in chosen:
            wrong, course = run_virtual(states.follow(state))
            commands.update(states.anonymous(command) for command in course.commands)
            problems += [f"{state}: {text} (after {course.commands})" for text in wrong]
    report |= {"excluded": dict(excluded), "commands": dict(commands)}
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=2))
    return report, problems


def test_every_state_has_a_way_out(tried):
    report, problems = tried
    print(f"\nstates: {report['without']}, with journals {report['with journals']}; {dict(report['commands'])}")
    assert not problems, f"{len(problems)}:\n" + "\n".join(problems[:20])


def test_a_source_that_runs_fenced_is_not_left_to_an_undo_that_lifts_no_fence():
    """A sample found it: only the reservation was left to undo, which says nothing of the source's marker."""
    here, there = (states.Marked("fenced", role, states.EPOCH) for role in ("source", "destination"))
    marks = ("undo", "undone", "undone", "failed", "", "", "", "")
    problems, course = run_virtual(states.follow(states.State(here, there, "running", "created", marks)))
    assert problems == []
    assert course.commands == ["reconcile resolve web --owner h1 --evidence TEXT"]


def test_the_way_out_is_one_of_few_commands(tried):
    report, _ = tried
    assert set(report["commands"]) <= {
        "reconcile resume",
        "reconcile resolve web --owner HOST --evidence TEXT",
        "reconcile resolve web --owner HOST --cold --evidence TEXT",
        "reconcile resolve web --lost --evidence TEXT",
    }


def found(source, destination, here, there, marks):
    (phase, role), (then, other, epoch) = source.split("/"), destination.split("/")
    sides = Marked(phase, role, 6), Marked(then, other, int(epoch))
    return State(*sides, here, there, tuple(Mark(mark) if mark != "-" else "" for mark in marks.split()))


FOUND = (
    # Nothing that was left to undo gave the source its workload again.
    found("fenced/source", "fenced/destination/6", "running", "created", "undo undone undone failed - - - -"),
    # A source that is verified under the move's own epoch was not claimed: its destination is still committed.
    found(
        "verified/source",
        "committed/destination/6",
        "running",
        "exited-images",
        "done done done done undo-failed - - -",
    ),
    found("verified/source", "committed/destination/7", "running", "created", "done done done done failed - - -"),
)
"""States whose `resume` did not end them once, though it was what status named."""


@pytest.mark.parametrize("state", FOUND, ids=str)
def test_a_state_that_was_found(state):
    wrong, course = run_virtual(states.follow(state))
    assert not wrong, (wrong, course.commands)
