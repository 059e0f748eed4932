"""Which checkpoints of a workload go. Pure: times are seconds since the epoch, calendars are UTC's."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from reconciler.core.checkpoints import newest_first
from reconciler.model.checkpoint import Kept
from reconciler.model.checkpointing import Recurring, Retention

DAY = 86400


def _day(seconds: float) -> int:
    return int(seconds // DAY)


def _week(seconds: float) -> int:
    return (_day(seconds) + 3) // 7  # the first day was a Thursday


def _month(seconds: float) -> int:
    """Months since year 0 (Howard Hinnant's days_from_civil, backwards)."""
    day = _day(seconds) + 719468
    era, left = divmod(day, 146097)
    year = (left - left // 1460 + left // 36524 - left // 146096) // 365
    month = (5 * (left - (365 * year + year // 4 - year // 100)) + 2) // 153  # 0 is March
    return 12 * (era * 400 + year) + month + 2


def _year(seconds: float) -> int:
    return _month(seconds) // 12


def doomed(kept: Iterable[Kept], keep: Retention, now: float) -> list[Kept]:
    """Those that no rule keeps. One that is pinned stays, and so does one whose manifest cannot be used: of that a
    person decides. One from the future, by a wrong clock, stays for the same reason, and takes the place of
    none. The newest is always kept, and so is the newest that came up well when it was rehearsed: of no other is
    that known."""
    usable = [one for one in newest_first(kept, now) if one.manifest and one.manifest.taken_at <= now]
    rules: tuple[tuple[int, Callable[[float], int]], ...] = (
        (keep.hourly, lambda seconds: int(seconds // 3600)),
        (keep.daily, _day),
        (keep.weekly, _week),
        (keep.monthly, _month),
        (keep.yearly, _year),
    )
    stays = {one.id for one in usable[: keep.last]}
    stays |= {one.id for one in [one for one in usable if one.rehearsed and one.rehearsed.ok][:1]}
    for count, period in rules:
        seen: set[int] = set()
        for one in usable:
            if len(seen) >= count:
                break
            if (which := period(one.manifest.taken_at if one.manifest else 0.0)) not in seen:
                seen.add(which)
                stays.add(one.id)
    return [one for one in usable if one.id not in stays and not one.pinned]


def age(kept: Iterable[Kept], now: float) -> float | None:
    """Seconds since the newest checkpoint that can be used; None where there is none. One from the future, of a
    clock that was wrong, is none."""
    ages = [now - one.manifest.taken_at for one in kept if one.manifest is not None]
    return min((found for found in ages if found >= 0), default=None)


def is_due(found: float | None, policy: Recurring, since: float | None = None) -> bool:
    """`found`: the age of the newest one; `since`: seconds since a time that the policy names came last."""
    if found is None:
        return True
    interval = policy.interval
    return (interval is not None and found >= interval) or (since is not None and found > since)


def overdue(found: float | None, oldest: float) -> float:
    """How late the newest one is, as a share of what is promised: who waits for longest comes first."""
    return float("inf") if found is None else found / oldest


def is_late(found: float | None, policy: Recurring) -> bool:
    """Whether more would be lost than the policy promises."""
    return found is None or found > policy.oldest
