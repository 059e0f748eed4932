"""How checkpoints were restored for trial, as people read that."""

from __future__ import annotations

from datetime import UTC, datetime

from reconciler.core.rehearsing import Practice
from reconciler.model.checkpoint import KeptRehearsal
from reconciler.model.units import TIME_ENDS, format_seconds


def instant(at: float) -> str:
    """Seconds since the epoch, by UTC. Hosts may say anything."""
    if not 0 <= at < TIME_ENDS:
        return f"second {at:.0f}"
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def rehearsed_text(done: KeptRehearsal) -> str:
    where = f" on {done.host}" if done.host else ""
    if done.ok:
        return f"rehearsed{where} at {instant(done.at)}"
    return f"did not come up when it was rehearsed{where} at {instant(done.at)}: {done.why}"


def practice_text(one: Practice | None) -> str:
    """How long ago one was, where the policy has that; else empty."""
    if one is None or one.newest is None:
        return ""
    if one.why:
        return ", does not come up"
    when = "never rehearsed" if one.age_s is None else f"rehearsed {format_seconds(one.age_s)} ago"
    return f", {when}{', too long' if one.late and one.age_s is not None else ''}"
