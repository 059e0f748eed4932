"""Times by cron: the only cronsim import. Times are seconds since the epoch; daylight saving is the zone's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import islice
from typing import Protocol
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from reconciler.model.base import digest, parse_duration
from reconciler.model.checkpointing import CheckpointTime
from reconciler.model.sync import Window

FIELDS = 5
MOST = 10_000
"""Times that are looked through for the one that counts: jitter may be longer than what lies between two."""


MOST_AHEAD = 10_000
"""Times that are looked at for whether a window ever closes: those of a year, of one that comes every hour."""
YEAR = 366 * 86400.0


class Timed(Protocol):
    """What comes again when `cron` says, in a time zone."""

    @property
    def cron(self) -> str: ...

    @property
    def time_zone(self) -> str: ...


def problem(window: Timed) -> tuple[str, str, str]:
    """The field of such a time that is wrong, why, and a hint; empty texts for a good one."""
    zones = "name one of the IANA database, such as Europe/Berlin or UTC"
    try:
        zone = ZoneInfo(window.time_zone)
    except (ValueError, OSError, LookupError):
        return "time_zone", f"there is no time zone `{window.time_zone}`", zones
    fields = "minute hour day month weekday, such as `0 22 * * MON-FRI`"
    if len(window.cron.split()) != FIELDS:
        return "cron", f"`{window.cron}` does not have five fields", fields
    try:
        next(CronSim(window.cron, datetime.now(zone)))
    except CronSimError as error:
        return "cron", f"`{window.cron}` is no cron expression: {error}", fields
    except StopIteration:
        return "cron", f"`{window.cron}` never comes", "choose days that there are"
    return "", "", ""


def open_until(window: Window, now: float) -> float | None:
    """When a window that is open now closes; None for one that is closed."""
    start = next(_starts(window, now, reverse=True), None)
    end = None if start is None else start + parse_duration(window.duration)
    return end if end is not None and now < end else None


def opens_at(window: Window, now: float) -> float | None:
    """When it opens next."""
    return next(_starts(window, now, reverse=False), None)


def never_closes(window: Window) -> bool:
    """Whether it is open all the time: each time comes before the one before is over, for a year. False where that
    takes too long to know."""
    length, last = parse_duration(window.duration), None
    begin = datetime(2027, 1, 1, tzinfo=UTC).timestamp()
    for start in islice(_starts(window, begin, reverse=False), MOST_AHEAD):
        if last is not None and start > last + length:
            return False
        if last is None and length < start - begin:
            return False
        if start > begin + YEAR:
            return True
        last = start
    return False


def came(time: CheckpointTime, workload: str, now: float) -> float | None:
    """When it came last for a workload, which has its own part of the jitter; None where it never has."""
    jitter = _jitter(time)
    best: float | None = None
    for start in islice(_starts(time, now, reverse=True), MOST):
        if best is not None and start + jitter <= best:
            break
        own = start + _spread(time, workload, start)
        if own <= now and (best is None or own > best):
            best = own
    return best


def comes(time: CheckpointTime, workload: str, now: float) -> float | None:
    """When it comes next for a workload."""
    best: float | None = None
    for start in islice(_starts(time, now - _jitter(time), reverse=False), MOST):
        if best is not None and start >= best:
            break
        own = start + _spread(time, workload, start)
        if own > now and (best is None or own < best):
            best = own
    return best


def _jitter(time: CheckpointTime) -> float:
    return parse_duration(time.jitter) if time.jitter else 0.0


def _spread(time: CheckpointTime, workload: str, start: float) -> float:
    """A part of the jitter that is always the same for the same workload and time."""
    jitter = _jitter(time)
    return jitter * int(digest([workload, start])[:8], 16) / 2**32 if jitter else 0.0


def _starts(window: Timed, at: float, *, reverse: bool) -> Iterator[float]:
    """Those after `at`, or backwards those not after it. What the zone's clocks show is counted, and then looked
    up in the zone: clocks that are put back show some of it twice, with what comes later in between."""
    zone = ZoneInfo(window.time_zone)
    moment = datetime.fromtimestamp(at, UTC).astimezone(zone)
    shown = moment.replace(tzinfo=None)
    if reverse:
        # It looks back from whole minutes, without the one it is in.
        begin = shown.replace(second=0, microsecond=0) + timedelta(minutes=1)
        begin += _put_back(moment) if moment.fold else timedelta()
    else:
        begin = shown if moment.fold else shown - _put_back(moment)
    found = (_instants(window, one, zone) for one in CronSim(window.cron, begin, reverse=reverse))
    if reverse:
        yield from (-one for one in _ascending((-b, -a) for a, b in filter(None, found)) if -one <= at)
    else:
        yield from (one for one in _ascending(filter(None, found)) if one > at)


def _put_back(moment: datetime) -> timedelta:
    """By how much clocks are put back around a moment that they show twice; nothing where they show it once."""
    first, second = (moment.replace(fold=fold).utcoffset() or timedelta() for fold in (0, 1))
    return max(timedelta(), first - second)


def _instants(window: Timed, shown: datetime, zone: ZoneInfo) -> tuple[float, float] | None:
    """The first and the last time that clocks show this. As with Debian's cron a named hour and minute comes once
    a day: the first time, or when the clocks are put forward over it; any other just as often as it is shown."""
    named = not any(field.startswith("*") for field in window.cron.split()[:2])
    moment = shown.replace(tzinfo=zone)
    while moment.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != moment.replace(tzinfo=None):
        if not named:
            return None
        moment += timedelta(minutes=1)
    first = moment.timestamp()
    return first, first if named else moment.replace(fold=1).timestamp()


def _ascending(pairs: Iterable[tuple[float, float]]) -> Iterator[float]:
    """Each once and in order, of pairs whose first ones ascend."""
    waiting: list[float] = []
    for first, second in pairs:
        while waiting and waiting[0] < first:
            yield from _next(waiting)
        for one in {first, second}:
            heappush(waiting, one)
    while waiting:
        yield from _next(waiting)


def _next(waiting: list[float]) -> Iterator[float]:
    found = heappop(waiting)
    if found not in waiting:
        yield found
