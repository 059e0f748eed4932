"""Pre-copy: when another round is worth it, and what will be left for the freeze.

Between two rounds memory changes at some rate. As long as copying is faster, each round is smaller than the one
before; what is left for the freeze is what changes while the last one is copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from reconciler.core.strategy import EAGER_RESTORE_RATE, Prediction, Rates, of_parts
from reconciler.model.command import Bytes, Seconds

CONVERGES = 0.7
"""A round that would not be smaller than this share of the one before is not made."""
NOTHING: Seconds = 0.03
"""What is left costs less than this: clients would not notice another round."""


@dataclass(frozen=True)
class MeasuredRound:
    """One round: what it wrote, and how long it took to write it down and to copy it."""

    bytes: Bytes
    dump_s: Seconds
    copy_s: Seconds

    @property
    def seconds(self) -> Seconds:
        return self.dump_s + self.copy_s


def dirty_rate(rounds: Sequence[MeasuredRound]) -> float | None:
    """Bytes per second that changed during the round before the last; None when there was only one."""
    if len(rounds) < 2:
        return None
    return rounds[-1].bytes / max(rounds[-2].seconds, 0.001)


def left(rounds: Sequence[MeasuredRound]) -> Bytes:
    """What the freeze will have to copy when it comes now."""
    rate = dirty_rate(rounds)
    last = rounds[-1]
    return last.bytes if rate is None else min(round(rate * last.seconds), rounds[0].bytes)


def cost(size: Bytes, rates: Rates) -> Seconds:
    """Seconds that clients wait for so many bytes: dumped, copied, and restored before the tasks run."""
    return size / rates.dump + size / rates.link + size / EAGER_RESTORE_RATE


def measured_rates(rounds: Sequence[MeasuredRound], rates: Rates) -> Rates:
    """With the link that round 1, which is the largest, has seen."""
    first = rounds[0]
    return replace(rates, link=first.bytes / first.copy_s) if first.copy_s > 0 else rates


def enough(rounds: Sequence[MeasuredRound], most: int, rates: Rates) -> str:
    """Why no other round should be made; empty when one should."""
    rates = measured_rates(rounds, rates)
    last = rounds[-1].bytes
    if cost(last, rates) < NOTHING:
        return "the last round was small"
    if len(rounds) >= most:
        return "maxRounds is reached"
    if len(rounds) == 1:
        return ""
    if cost(left(rounds), rates) < NOTHING:
        return "little changes meanwhile"
    if left(rounds) >= CONVERGES * last:
        return "memory changes about as fast as it is copied"
    return ""


def predict(rounds: Sequence[MeasuredRound], files: Bytes, rates: Rates) -> Prediction:
    """Of the freeze after these rounds. Pages of later rounds are restored before the tasks run, those of round 1
    follow."""
    rest = left(rounds)
    first = min(rest + sum(one.bytes for one in rounds[1:]), rounds[0].bytes)
    return of_parts(measured_rates(rounds, rates), rest, files, eager=first)
