"""Times that come again, in their zone and with each workload's part of the jitter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from reconciler.load import cron, load_all
from reconciler.load.cron import came, comes, never_closes, open_until, opens_at, problem
from reconciler.model.checkpointing import CheckpointTime
from reconciler.model.sync import Window


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


NIGHTLY = CheckpointTime(cron="30 2 * * *", time_zone="Europe/Berlin")


@pytest.mark.parametrize(
    ("now", "last", "then"),
    [
        ("2026-07-02 00:29:59", "2026-07-01 00:30:00", "2026-07-02 00:30:00"),
        ("2026-07-02 00:30:00", "2026-07-02 00:30:00", "2026-07-03 00:30:00"),
        ("2026-12-02 01:29:59", "2026-12-01 01:30:00", "2026-12-02 01:30:00"),
        ("2026-03-29 12:00:00", "2026-03-29 01:00:00", "2026-03-30 00:30:00"),  # 2:30 is skipped that night
    ],
)
def test_a_time_of_its_zone(now: str, last: str, then: str) -> None:
    assert came(NIGHTLY, "web", at(now)) == at(last)
    assert comes(NIGHTLY, "web", at(now)) == at(then)


def test_each_workload_has_its_own_part_of_the_jitter() -> None:
    often = CheckpointTime(cron="0 * * * *", jitter="3h")  # longer than from one to the next
    now = at("2026-07-02 12:00:01")
    spread = {comes(often, f"w{number}", now) for number in range(50)}
    assert len(spread) == 50 and all(found and now < found <= now + 4 * 3600 for found in spread)
    last = came(often, "web", now)
    assert last is not None and now - 4 * 3600 < last <= now
    later = comes(often, "web", now)
    assert later is not None and came(often, "web", later) == later
    assert came(often, "web", later - 0.001) != later


CHANGES = {
    "Europe/Berlin": ("2026-10-25 01:00:00", "2026-03-29 01:00:00"),
    "America/Santiago": ("2026-04-05 03:00:00", "2026-09-06 04:00:00"),  # by midnight
    "America/Havana": ("2026-11-01 05:00:00", "2026-03-08 05:00:00"),  # from 1:00 to midnight, and over it
    "Australia/Lord_Howe": ("2026-04-04 15:00:00", "2026-10-03 15:30:00"),  # half an hour
    "UTC": ("2026-10-25 01:00:00",),
}
MOMENTS = [(zone, at(text)) for zone, texts in CHANGES.items() for text in texts]
OFTEN = ["*/15 * * * *", "30 * * * *", "*/10 2 * * *", "*/20 0-3,23 * * SAT", "0 */2 * * *", "7 * 25 10 *"]
NAMED = ["30 2 * * *", "0,30 1,2,3 * * *", "15 23 * * *", "45 0 * * SUN", "0 2 * * *"]
MINUTE, DAY = 60, 86400


def fitting(expression: str, begin: datetime) -> set[datetime]:
    """What clocks show at such a time in the days from `begin` on; there is no daylight saving in it."""
    times = CronSim(expression, begin)
    return set(takewhile(lambda one: one < begin + timedelta(days=5), times))


def shown(moment: float, zone: str) -> datetime:
    return datetime.fromtimestamp(moment, UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def slowly(expression: str, zone: str, begin: float, end: float) -> list[float]:
    """Minute by minute: all when clocks show such a time; a named one only once, or where they are put over it."""
    found, before, known = [], shown(begin - MINUTE, zone), set()
    fits = fitting(expression, before - timedelta(days=1))
    for moment in range(int(begin), int(end), MINUTE):
        now = shown(moment, zone)
        if expression in OFTEN:
            here = now in fits
        else:
            passed = [before + timedelta(minutes=n + 1) for n in range(int((now - before).total_seconds()) // 60)]
            here = any(one in fits and one not in known for one in passed or [now])
            known |= {*passed, now}
        if here:
            found.append(float(moment))
        before = now
    return found


@given(st.sampled_from(MOMENTS), st.sampled_from([*OFTEN, *NAMED]), st.integers(-5 * 3600, 5 * 3600))
def test_no_time_is_left_out_where_clocks_are_put(change: tuple[str, float], expression: str, apart: int) -> None:
    zone, moment = change
    time, now = CheckpointTime(cron=expression, time_zone=zone), moment + apart
    there = slowly(expression, zone, moment - 1.5 * DAY, moment + 1.5 * DAY)
    past, future = [one for one in there if one <= now], [one for one in there if one > now]
    if past:
        assert came(time, "web", now) == past[-1]
    if future:
        assert comes(time, "web", now) == future[0]


def test_a_window_is_open_for_its_whole_hour_where_clocks_are_put_back() -> None:
    window = Window(kind="allow", cron="30 2 * * *", time_zone="Europe/Berlin", duration="1h")
    opened, closes = at("2026-10-25 00:30:00"), at("2026-10-25 01:30:00")
    assert open_until(window, opened - 0.5) is None and opens_at(window, opened - 0.5) == opened
    for now in range(int(opened), int(closes), 300):
        assert open_until(window, now) == closes
        assert opens_at(window, now) == at("2026-10-26 01:30:00")
    assert open_until(window, closes) is None


def test_a_window_stays_open_in_the_second_before_it_opens_again() -> None:
    always = Window(kind="allow", cron="* * * * *", duration="5m")
    assert open_until(always, at("2026-07-01 12:00:59") + 0.5) == at("2026-07-01 12:05:00")


class Counted(CronSim):
    looked = 0

    def __next__(self) -> datetime:
        Counted.looked += 1
        return super().__next__()


@pytest.mark.parametrize(
    ("expression", "jitter", "most"),
    [("30 2 * * *", None, 3), ("0 0 29 2 *", None, 3), ("*/5 * * * *", "5m", 5), ("0 * * * *", "3h", 9)],
)
def test_no_more_times_are_looked_at_than_may_be_the_one(
    expression: str, jitter: str | None, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cron, "CronSim", Counted)
    time, now = (
        CheckpointTime(cron=expression, time_zone="Europe/Berlin", jitter=jitter),
        at("2026-07-01 12:00:01"),
    )
    for asked in (came, comes):
        Counted.looked = 0
        assert asked(time, "web", now) is not None and Counted.looked <= most


@given(st.integers(0, 3 * DAY), st.sampled_from(["10m", "3h", "1d"]))
def test_with_jitter_nothing_lies_between_the_last_and_the_next(apart: int, jitter: str) -> None:
    time, now = (
        CheckpointTime(cron="0 * * * *", time_zone="Europe/Berlin", jitter=jitter),
        at("2026-07-01 12:00:00"),
    )
    last, following = came(time, "web", now + apart), comes(time, "web", now + apart)
    assert last is not None and following is not None
    assert comes(time, "web", last) == following and came(time, "web", following - 0.001) == last


def deny(times: str, duration: str, zone: str = "UTC") -> Window:
    return Window(kind="deny", cron=times, duration=duration, time_zone=zone)


def test_a_time_that_never_comes_is_told() -> None:
    never = "0 0 */30 2 MON#5"  # a fifth Monday that is the first of February
    assert problem(deny(never, "1h"))[:2] == ("cron", f"`{never}` never comes")


@pytest.mark.parametrize(
    ("times", "duration", "never"),
    [
        ("0 0 * * *", "10d", True),
        ("0 0 * * *", "1d", True),
        ("0 0 * * *", "23h", False),
        ("0 * * * *", "2h", True),
        ("0 0 1 1 *", "999999999d", True),
        ("0 0 1 * *", "30d", False),
        ("0 0 1 * *", "31d", True),
        ("0 0 24 12 *", "3d", False),
        ("*/5 * * * MON", "10m", False),
    ],
)
def test_a_window_that_comes_again_before_it_is_over_never_closes(times: str, duration: str, never: bool) -> None:
    assert never_closes(deny(times, duration)) is never


def test_windows_that_overlap_close_with_the_one_that_began_last() -> None:
    days = deny("0 0 * * *", "2d")
    assert open_until(days, at("2026-07-02 12:00:00")) == at("2026-07-04 00:00:00")
    assert open_until(days, at("2026-07-03 00:00:00")) == at("2026-07-05 00:00:00")


def test_policies_that_never_let_or_are_about_nothing_are_warned_of(tmp_path: Path) -> None:
    (tmp_path / "specs.yaml").write_text("""\
apiVersion: reconciler/v1alpha1
kind: Host
metadata: {name: h1}
spec: {address: 192.0.2.1}
---
apiVersion: reconciler/v1alpha1
kind: Workload
metadata: {name: web, labels: {team: a, tier: front}}
spec: {container: {image: "registry.example/a:1"}, placement: {host: h1}}
---
apiVersion: reconciler/v1alpha1
kind: SyncPolicy
metadata: {name: always}
spec:
  labels: {team: a}
  windows: [{kind: deny, cron: "0 0 * * *", duration: 10d}, {kind: allow, cron: "0 0 * * *", duration: 10d}]
---
apiVersion: reconciler/v1alpha1
kind: SyncPolicy
metadata: {name: nobody}
spec: {labels: {team: a, tier: back}, suspend: moving house}
""")
    found = [(one.code, one.line) for one in load_all([tmp_path]).warnings]
    assert found == [("W103", 16), ("W104", 21)]
