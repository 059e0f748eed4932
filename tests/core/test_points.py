"""Recovery points: how old what would be left is, and what is said of it."""

from __future__ import annotations

import pytest

from reconciler.core.points import Point, point, policies, told
from reconciler.model.checkpointing import CheckpointPolicySpec
from tests.core.test_retention import taken
from tests.core.worlds import host, spec, workload

NOW = 1_795_657_600.0
HOURLY = CheckpointPolicySpec(every="1h")
NIGHTLY = CheckpointPolicySpec(at=[{"cron": "0 2 * * *"}], recovery_point="2d")


def seen(policy: CheckpointPolicySpec, *ages: float, **more) -> Point:
    return point("web", "p", policy, [taken(NOW - old) for old in ages], NOW, **more)


@pytest.mark.parametrize(
    ("found", "age_s", "due_in_s", "late"),
    [
        (seen(HOURLY), None, 0.0, True),
        (seen(HOURLY, 600.0, 9000.0), 600.0, 3000.0, False),
        (seen(HOURLY, 4000.0), 4000.0, 0.0, False),
        (seen(HOURLY, 7201.0), 7201.0, 0.0, True),
        (seen(HOURLY, 7201.0, unknown=("h2",)), 7201.0, 0.0, False),
        (seen(HOURLY, unknown=("h2",)), None, 0.0, False),
        (seen(NIGHTLY, 600.0, came=NOW - 900.0, comes=NOW + 80000.0), 600.0, 80000.0, False),
        (seen(NIGHTLY, 1000.0, came=NOW - 900.0, comes=NOW + 80000.0), 1000.0, 0.0, False),
        (seen(NIGHTLY, 180000.0, came=NOW - 900.0), 180000.0, 0.0, True),
    ],
)
def test_how_old_when_the_next_and_whether_too_old(
    found: Point, age_s: float | None, due_in_s: float, late: bool
) -> None:
    assert (found.age_s, found.due_in_s, found.late) == (age_s, due_in_s, late)


def test_one_from_the_future_is_neither_new_nor_shown_as_the_newest() -> None:
    found = seen(HOURLY, -9000.0, -100.0, 600.0)
    assert (found.age_s, found.due_in_s, found.late) == (600.0, 3000.0, False)
    assert [NOW - one.manifest.taken_at for one in found.kept if one.manifest] == [600.0, -9000.0, -100.0]


def test_only_what_is_late_is_told() -> None:
    points = {"a": seen(HOURLY, 600.0), "b": seen(HOURLY, 10000.0), "c": seen(HOURLY)}
    late, never = told(points)
    assert (late.rule, late.severity) == ("recovery-point", "warn") and "reconcile checkpoint --due" in late.fix
    assert late.message == "its newest checkpoint is 2 h 46 min old, and its policy p promises at most 2 h 0 min"
    assert never.message == "there is no checkpoint of it, and its policy p promises at most 2 h 0 min"


def test_what_is_not_to_run_is_not_saved() -> None:
    assert policies(spec(host("h1"), workload())) == {}
