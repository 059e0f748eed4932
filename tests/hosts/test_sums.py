"""Sums of pieces, joined, are what `cksum` says of the whole."""

from __future__ import annotations

import random
import subprocess

import pytest

from reconciler.hosts.sums import Sum, Sums, joined


def cksum(data: bytes) -> Sum:
    crc, length = subprocess.run(["cksum"], input=data, capture_output=True, check=True).stdout.split()
    return int(crc), int(length)


@pytest.mark.parametrize("cuts", [[], [0], [1], [255, 256, 257], [1000, 70_000], [70_000, 70_000, 99_999]])
def test_pieces_join_to_the_whole(cuts: list[int]) -> None:
    data = random.Random(len(cuts)).randbytes(100_000)
    ends = [*cuts, len(data)]
    pieces = [data[start:end] for start, end in zip([0, *cuts], ends, strict=True)]
    assert joined(cksum(piece) for piece in pieces) == cksum(data)


def test_nothing_has_the_sum_of_nothing() -> None:
    assert joined([]) == cksum(b"")


def said(near: bytes, *far: bytes) -> Sums:
    sums = Sums({"near": "1 2", "far": "1 2"})
    for end, pieces in (("near", (near,)), ("far", far)):
        for piece in pieces:
            crc, length = cksum(piece)
            sums.add(end, "pages-1.img", crc, length)
    return sums


def test_the_same_pages_are_no_difference() -> None:
    assert said(b"one two", b"one", b" two").difference() == ""


@pytest.mark.parametrize("far", [(b"one", b" twp"), (b" two", b"one"), (b"one",), (), (b"one two", b"\0")])
def test_other_pages_are(far: tuple[bytes, ...]) -> None:
    assert "the sum of pages-1.img" in said(b"one two", *far).difference()


def test_pages_that_the_source_never_had_are() -> None:
    sums = said(b"one", b"one")
    sums.add("far", "pages-2.img", *cksum(b"x"))
    assert "pages-2.img" in sums.difference()


def test_a_sum_that_is_missing_is_a_difference() -> None:
    assert "missing" in Sums().difference()
