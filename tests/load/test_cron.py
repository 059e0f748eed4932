"""Times that come again, in their zone and with each workload's part of the jitter."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from reconciler.load.cron import came, comes
from reconciler.model.checkpointing import CheckpointTime


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
