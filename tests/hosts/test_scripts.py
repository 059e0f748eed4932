"""What is decided about copies without a host: with what to compress, and what scripts are made of."""

from __future__ import annotations

import pytest

from reconciler.hosts.link import choose_compression
from reconciler.hosts.scripts import script

GIGABIT, FAST = 117e6, 1.2e9
BOTH = ("zstd", "lz4")


@pytest.mark.parametrize(
    ("asked", "rate", "both", "chosen"),
    [
        ("auto", GIGABIT, BOTH, "zstd"),
        ("auto", GIGABIT, ("lz4",), "lz4"),
        ("auto", GIGABIT, (), "none"),
        ("auto", FAST, BOTH, "none"),
        ("none", GIGABIT, BOTH, "none"),
        ("lz4", FAST, BOTH, "lz4"),
    ],
)
def test_compression_by_the_link(asked: str, rate: float, both: tuple[str, ...], chosen: str) -> None:
    assert choose_compression(asked, rate, both) == chosen


@pytest.mark.parametrize("name", ["transfer-send", "transfer-receive"])
def test_both_ends_sum_with_the_same_text(name: str) -> None:
    common = script("transfer-sum").text
    assert common in script(name).text
    assert b"# include" not in script(name).text
