"""When a pre-copy stops, and what it says about the freeze."""

import pytest

from reconciler.core.rounds import MeasuredRound, dirty_rate, enough, left, predict
from reconciler.core.strategy import DEFAULT

MIB = 2**20


def rounds(*sizes: int, rate: float = 200 * MIB) -> list[MeasuredRound]:
    """Rounds of so many MiB, copied at `rate` bytes per second."""
    return [MeasuredRound(size * MIB, 0.1, size * MIB / rate) for size in sizes]


@pytest.mark.parametrize(
    ("sizes", "why"),
    [
        ((512,), ""),
        ((1,), "small"),
        ((512, 1), "small"),
        ((512, 60), ""),
        ((512, 60, 55), "as fast as it is copied"),
        ((512, 500), "as fast as it is copied"),
        ((512, 200, 100, 60, 40), "maxRounds"),
    ],
)
def test_rounds_go_on_as_long_as_they_help(sizes, why):
    found = enough(rounds(*sizes), 5, DEFAULT)
    assert why in found and bool(found) is bool(why)


def test_a_workload_that_has_calmed_down_needs_no_other_round():
    busy_then_idle = [MeasuredRound(512 * MIB, 0.4, 2.6), MeasuredRound(40 * MIB, 0.05, 0.2)]
    assert left(busy_then_idle) < 4 * MIB
    assert enough(busy_then_idle, 5, DEFAULT) == "little changes meanwhile"


def test_the_rate_is_what_changed_during_the_round_before():
    assert dirty_rate(rounds(512)) is None
    done = [MeasuredRound(400 * MIB, 1.0, 3.0), MeasuredRound(80 * MIB, 0.5, 0.5)]
    assert dirty_rate(done) == 20 * MIB
    assert left(done) == 20 * MIB
    assert left(rounds(512)) == 512 * MIB


def test_the_prediction_hardly_grows_with_memory_when_little_changes():
    small, large = (predict(rounds(size, 1), 0, DEFAULT).downtime for size in (256, 1024))
    assert large < 1.3 * small
    assert predict(rounds(512, 400), 0, DEFAULT).downtime > 3 * small
