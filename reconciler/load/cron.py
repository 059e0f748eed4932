"""Times by cron: the only cronsim import. Times are seconds since the epoch; daylight saving is the zone's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Protocol
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from reconciler.model.base import digest, parse_duration
from reconciler.model.checkpointing import CheckpointTime
from reconciler.model.sync import Window

FIELDS = 5
MOST_BACK = 1000
"""Times that are looked back through for the last one: jitter may be longer than what lies between two."""


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
    length = parse_duration(window.duration)
    for start in _starts(window, now + 1, reverse=True):
        return start + length if start <= now < start + length else None
    return None


def opens_at(window: Window, now: float) -> float | None:
    """When it opens next."""
    return next(_starts(window, now, reverse=False), None)


def came(time: CheckpointTime, workload: str, now: float) -> float | None:
    """When it came last for a workload, which has its own part of the jitter; None where it never has."""
    found = islice(_starts(time, now, reverse=True), MOST_BACK)
    return next((own for start in found if (own := start + _spread(time, workload, start)) <= now), None)


def comes(time: CheckpointTime, workload: str, now: float) -> float | None:
    """When it comes next for a workload."""
    jitter = parse_duration(time.jitter) if time.jitter else 0.0
    found = islice(_starts(time, now - jitter, reverse=False), MOST_BACK)
    return min((own for start in found if (own := start + _spread(time, workload, start)) > now), default=None)


def _spread(time: CheckpointTime, workload: str, start: float) -> float:
    """A part of the jitter that is always the same for the same workload and time."""
    jitter = parse_duration(time.jitter) if time.jitter else 0.0
    return jitter * int(digest([workload, start])[:8], 16) / 2**32


def _starts(window: Timed, at: float, *, reverse: bool) -> Iterator[float]:
    moment = datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(window.time_zone))
    # It looks back from whole minutes, without the one it is in.
    begin = moment.replace(second=0, microsecond=0) + timedelta(minutes=1) if reverse else moment
    for start in CronSim(window.cron, begin, reverse=reverse):
        found = start.timestamp()
        if not reverse or found <= at:
            yield found
