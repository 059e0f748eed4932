"""Rehearsals of checkpoints: when one is due, when nobody should rely on them, and what is kept for them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.core.points import point, told
from reconciler.core.rehearsing import NEVER, Practice, practice, trial_name
from reconciler.core.retention import doomed
from reconciler.model.checkpoint import Kept, KeptRehearsal
from reconciler.model.checkpointing import CheckpointPolicySpec, RehearsalSpec, Retention
from tests.core.test_retention import NOW, taken

DAILY = RehearsalSpec(every="1d", on="h3")
WEEKLY = RehearsalSpec(at=[{"cron": "0 2 * * SUN"}], within="14d")
DAY = 86400.0


def tried(age: float, ago: float, why: str = "", number: int = 0) -> Kept:
    return replace(taken(NOW - age, number), rehearsed=KeptRehearsal(NOW - ago, "h3", why))


NEW, TRIED, OLD, BAD = (
    taken(NOW - 60.0, 9),
    tried(7200.0, 3600.0),
    tried(9e5, 3 * DAY),
    tried(7200.0, 3600.0, "no"),
)


@pytest.mark.parametrize(
    ("kept", "age_s", "due_in_s", "late", "why"),
    [
        ((), None, NEVER, False, ""),
        ((NEW,), None, 0.0, True, ""),
        ((NEW, TRIED), 3600.0, DAY - 3600.0, False, ""),
        ((NEW, OLD), 3 * DAY, 0.0, True, ""),
        ((BAD,), None, DAY - 3600.0, True, "no"),
        ((NEW, BAD), None, 0.0, True, "no"),  # a newer one is tried at once
        ((BAD, OLD), 3 * DAY, DAY - 3600.0, True, "no"),
        ((BAD, tried(9000.0, 5 * 3600.0, number=2)), 5 * 3600.0, DAY - 3600.0, False, "no"),
        ((TRIED, tried(100.0, -500.0, number=3)), 3600.0, DAY - 3600.0, False, ""),  # by a clock that was wrong
    ],
)
def test_when_it_is_due_and_whether_to_rely_on_it(
    kept: tuple[Kept, ...], age_s: float | None, due_in_s: float, late: bool, why: str
) -> None:
    found = practice(DAILY, kept, NOW)
    assert (found.age_s, found.due_in_s, found.late, found.why) == (age_s, due_in_s, late, why)
    assert found.wanting == (late or bool(why)) and found.on == "h3" and found.oldest_s == 2 * DAY


def test_times_are_made_up_for_and_what_cannot_be_asked_is_not_late() -> None:
    came, comes = NOW - 1800.0, NOW + 9000.0
    assert practice(WEEKLY, (NEW, TRIED), NOW, came=came, comes=comes).due_in_s == 0.0
    assert practice(WEEKLY, (NEW, TRIED), NOW, came=NOW - 7200.0, comes=comes).due_in_s == 9000.0
    assert not practice(DAILY, (NEW, OLD), NOW, unknown=True).late


def findings(one: Practice) -> list[str]:
    policy = CheckpointPolicySpec(every="1h")
    at = point("web", "hourly", policy, (NEW,), NOW)
    return [f"{f.rule}: {f.message}" for f in told({"web": replace(at, rehearsal=one)})]


def test_plans_say_what_nobody_should_rely_on() -> None:
    assert findings(practice(DAILY, (NEW, TRIED), NOW)) == []
    never, bad, old = (practice(DAILY, kept, NOW) for kept in ((NEW,), (BAD,), (NEW, OLD)))
    assert findings(never)[0].startswith("rehearsal: no checkpoint of it was ever restored for trial, and")
    assert findings(bad) == [
        "rehearsal: its checkpoint web@20261126-014639-00000000 did not come up when it was rehearsed on h3: no"
    ]
    assert "last restored for trial 3 d" in findings(old)[0] or "72 h" in findings(old)[0]


def test_one_from_the_future_is_not_what_is_tried() -> None:
    assert practice(DAILY, (taken(NOW + 900.0, 9), NEW), NOW).newest == NEW


def test_the_newest_that_came_up_is_kept() -> None:
    rows = [taken(NOW - n * 60.0, n) for n in range(6)]
    rows[2] = replace(rows[2], rehearsed=KeptRehearsal(NOW, "h3", "it is no good"))
    rows[4], rows[5] = (replace(one, rehearsed=KeptRehearsal(NOW, "h3")) for one in rows[4:])
    gone = doomed(rows, Retention(last=1), NOW)
    assert [one.id for one in gone] == [rows[n].id for n in (1, 2, 3, 5)]


def test_checkpoints_of_one_run_have_trials_of_their_own() -> None:
    assert trial_name(NEW) != trial_name(replace(NEW, workload="db")) and len(trial_name(NEW)) < 52
