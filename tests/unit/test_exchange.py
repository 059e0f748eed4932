"""What a channel of SSH brings, in pieces of any size, also from a host that means no good. Fake: the channel."""

from __future__ import annotations

import pytest

from reconciler.hosts.ssh.session import Exchange

TEXT = b"login noise\n\x1etoken 4711\nfirst\n\nthird \xff\nlast, without an end"


@pytest.mark.parametrize("size", [1, 2, 5, 7, 1000])
def test_lines_are_passed_on_whatever_the_pieces(size: int) -> None:
    lines: list[str] = []
    exchange = Exchange("token", 1000, lines.append)
    for start in range(0, len(TEXT), size):
        exchange.data_received(TEXT[start : start + size], None)
    assert lines == ["first", "", "third \ufffd"]
    assert exchange.group == 4711
    assert (exchange.answer() or "")[0] == "first\n\nthird \ufffd\nlast, without an end"


def test_a_host_that_answers_without_end_is_cut_off() -> None:
    lines: list[str] = []
    exchange = Exchange("token", 10_000, lines.append)
    exchange.data_received(b"\x1etoken 1\n", None)
    for _ in range(1000):
        exchange.data_received(b"rc: bytes 1\n" * 100, None)
    assert exchange.too_much
    assert len(lines) < 1000


@pytest.mark.parametrize("group", [b"-1", b"1; reboot", b"9" * 5000, b"x", b""])
def test_a_process_group_that_is_none(group: bytes) -> None:
    exchange = Exchange("token", 100_000, None)
    exchange.data_received(b"\x1etoken " + group + b"\nanswer", None)
    assert exchange.group == 0
    assert (exchange.answer() or "")[0] == "answer"
