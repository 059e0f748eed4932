"""Which checkpoints are kept, by the calendar; the standard library's is the measure."""

from __future__ import annotations

import datetime
import random
import time
from dataclasses import replace

import pytest
from pydantic import ValidationError

from reconciler.core.checkpoints import newest_first
from reconciler.core.retention import _month, _week, _year, age, doomed, is_due, is_late
from reconciler.model.checkpoint import Kept, KeptAt, KeptRehearsal, Manifest, TakenFrom
from reconciler.model.checkpointing import CheckpointPolicySpec, Retention

NOW = 1795657600.0
HOUR, DAY = 3600, 86400
PLAIN = Manifest.model_construct(taken_at=0.0, came_from=TakenFrom(host="h1", runtime="podman"), files=())


def taken(seconds: float, number: int = 0, pinned: bool = False) -> Kept:
    manifest = PLAIN.model_copy(update={"taken_at": seconds})
    return Kept(KeptAt("h1"), "web", f"20261126-014639-{number:08x}", pinned, manifest)


def left(kept: list[Kept], **keep: int) -> list[float]:
    gone = {one.id for one in doomed(kept, Retention(**keep), NOW)}
    return sorted(NOW - one.manifest.taken_at for one in kept if one.id not in gone and one.manifest)


def test_periods_are_those_of_the_calendar() -> None:
    for _ in range(3000):
        seconds = random.Random(_).uniform(0, 4e9)
        at = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
        assert (_year(seconds), _month(seconds) % 12) == (at.year, at.month - 1)
        monday = at.date() - datetime.timedelta(days=at.weekday())
        assert _week(seconds) == (monday - datetime.date(1969, 12, 29)).days // 7


def test_the_newest_of_each_period_stays() -> None:
    kept = [taken(NOW - n * HOUR / 2, n) for n in range(200)]
    assert left(kept, last=2) == [0, HOUR / 2]
    hourly = left(kept, last=1, hourly=3)
    assert len(hourly) == 3 and hourly[-1] < 3 * HOUR
    daily = left(kept, last=1, daily=4)
    assert len(daily) == 4 and 3 * DAY - DAY < daily[-1] < 4 * DAY
    assert left(kept, last=1, yearly=5) == [0]


def test_what_is_pinned_or_cannot_be_read_is_never_removed() -> None:
    broken = Kept(KeptAt("h1"), "web", "20261126-014639-ffff", broken="it is none")
    kept = [*(taken(NOW - n * DAY, n, pinned=n == 7) for n in range(10)), broken]
    gone = doomed(kept, Retention(last=1), NOW)
    assert len(gone) == 8 and broken not in gone and all(not one.pinned for one in gone)
    assert doomed([taken(NOW)], Retention(last=1), NOW) == [] == doomed([], Retention(), NOW)


def test_one_from_the_future_takes_the_place_of_none_and_stays() -> None:
    ahead = [taken(NOW + n * DAY, 50 + n) for n in range(1, 4)]
    kept = [*ahead, *(taken(NOW - n * HOUR, n) for n in range(5))]
    gone = doomed(kept, Retention(last=3, daily=2), NOW)
    assert gone == kept[6:]
    assert [one.id for one in newest_first(kept, NOW)[:2]] == [kept[3].id, kept[4].id]
    assert newest_first(kept, NOW)[-3:] == ahead[::-1]
    assert doomed([*ahead, taken(NOW)], Retention(last=3), NOW) == []
    tried = [replace(ahead[0], rehearsed=KeptRehearsal(NOW, "h3")), taken(NOW), taken(NOW - 5, 1)]
    tried[2] = replace(tried[2], rehearsed=KeptRehearsal(NOW, "h3"))
    assert doomed(tried, Retention(last=1), NOW) == [], "the newest that came up, of those with an age"


def test_a_hundred_thousand_are_no_work() -> None:
    kept = [taken(NOW - n * 600, n) for n in range(100_000)]
    random.Random(1).shuffle(kept)
    began = time.process_time()
    gone = doomed(kept, Retention(last=5, hourly=24, daily=7, weekly=4, monthly=12, yearly=3), NOW)
    assert time.process_time() - began < 20  # 0.3 s on a quiet machine
    assert 40 < len(kept) - len(gone) < 60


def test_when_one_is_due_and_when_it_is_late() -> None:
    policy = CheckpointPolicySpec(every="1h")
    for old, due, late in ((None, True, True), (60.0, False, False), (3600.0, True, False), (7201.0, True, True)):
        assert (is_due(old, policy), is_late(old, policy)) == (due, late)
    assert not is_late(90000.0, CheckpointPolicySpec(every="1h", recovery_point="2d"))
    assert age([taken(NOW - 5), taken(NOW - 50)], NOW) == 5
    assert age([taken(NOW + 900)], NOW) is None, "a clock that was wrong"


def test_a_time_that_came_since_makes_one_due() -> None:
    nightly = CheckpointPolicySpec(at=[{"cron": "0 2 * * *"}], recovery_point="2d")
    assert is_due(None, nightly, 60.0) and is_due(61.0, nightly, 60.0)
    assert not is_due(59.0, nightly, 60.0) and not is_due(90000.0, nightly)
    both = CheckpointPolicySpec(at=[{"cron": "0 2 * * *"}], every="1h")
    assert is_due(3600.0, both) and both.oldest == 7200.0


def test_a_promise_that_cannot_be_kept_is_no_policy() -> None:
    with pytest.raises(ValidationError, match="is shorter than `every`"):
        CheckpointPolicySpec(every="1h", recovery_point="30m")
    with pytest.raises(ValidationError, match="give `recoveryPoint` with `at`"):
        CheckpointPolicySpec(at=[{"cron": "0 2 * * *"}])
    with pytest.raises(ValidationError):
        Retention(last=0)
