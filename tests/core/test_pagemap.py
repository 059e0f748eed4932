"""Which pages of a pre-copy may follow a restore: CRIU's maps of pages, read, divided and written."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.pagemap import (
    LAZY,
    PAGE,
    PARENT,
    PRESENT,
    Pagemap,
    PageRun,
    can_be_lazy,
    common,
    divide,
    encode,
    marked,
    parse,
    without,
)
from reconciler.errors import InputError

HEADER = struct.pack("<II", 0x54564319, 0x56084025)


def pages(*runs: tuple[int, int, int], pages_id: int = 1) -> Pagemap:
    """Runs as page number, count, flags."""
    return Pagemap(pages_id, tuple(PageRun(start * PAGE, count, flags) for start, count, flags in runs), HEADER)


def flags(found: Pagemap) -> dict[int, int]:
    return {run.start // PAGE + n: run.flags for run in found.runs for n in range(run.pages)}


def test_a_map_is_written_as_it_was_read():
    data = encode(pages((1, 2, PRESENT | LAZY), (9, 1, PARENT), pages_id=7))
    assert data[:8] == HEADER
    found = parse(data, "pagemap-1.img")
    assert (found.pages_id, flags(found)) == (7, {1: 6, 2: 6, 9: 1})
    assert encode(found) == data
    assert found.present_bytes == 2 * PAGE


def test_runs_of_criu_3_have_no_flags():
    from reconciler.core.criu_images import encoded

    data = encoded(
        HEADER,
        ("pagemap_head", {"pages_id": 1}),
        ("pagemap", {"vaddr": 0, "nr_pages": 1, "in_parent": 1}),
        ("pagemap", {"vaddr": PAGE, "nr_pages": 1}),
    )
    assert flags(parse(data, "x")) == {0: PARENT, 1: PRESENT}


@pytest.mark.parametrize("data", [b"", b"abc", HEADER + b"\xff\xff\xff\xff"])
def test_what_is_no_map_is_said_so(data):
    with pytest.raises(InputError) as caught:
        parse(data, "pagemap-1.img")
    assert caught.value.code == "E187"


def test_pages_that_did_not_change_since_round_1_follow_and_the_others_come_first():
    first = pages((0, 8, PRESENT | LAZY), (20, 1, PRESENT))
    second = pages((0, 2, PARENT), (2, 1, PRESENT | LAZY), (3, 5, PARENT), (20, 1, PARENT))
    dump = pages((0, 1, PARENT), (1, 1, PRESENT | LAZY), (2, 4, PARENT), (20, 1, PARENT), (30, 1, PRESENT | LAZY))
    restored, served = divide(dump, [first, second])
    lazy = {0, 3, 4, 5}
    assert flags(restored) == {p: PARENT | LAZY if p in lazy else PARENT for p in (0, 2, 3, 4, 5, 20)} | {
        1: PRESENT,
        30: PRESENT,
    }
    assert flags(served) == {p: PRESENT | LAZY if p in lazy else PRESENT for p in (*range(8), 20)}
    again = divide(restored, [first, second])
    assert (flags(again[0]), flags(again[1])) == (flags(restored), flags(served))


ANON = 0x22
VMAS = [
    (0, 4, ANON, 1),
    (4, 6, ANON | 0x2000, 1),  # locked
    (6, 7, ANON | 0x40000, 1),  # huge
    (7, 8, ANON, 1 << 3),  # vDSO
    (8, 9, 0x2, 1 << 6),  # of a file
    (9, 10, 0x21, 1 << 8),  # shared
    (10, 12, ANON, 1 << 1),  # stack
]


def mappings(*rows):
    from reconciler.core.criu_images import _classes

    image = _classes()["mm"]()
    for start, end, how, status in rows:
        image.vmas.add(start=start * PAGE, end=end * PAGE, flags=how, status=status)
    body = image.SerializeToString()
    return HEADER + struct.pack("<I", len(body)) + body


def test_where_criu_marked_nothing_private_memory_may_follow_and_nothing_else():
    found = pages((1, 5, PRESENT), (6, 5, PRESENT), (11, 1, PARENT))
    after = marked(found, can_be_lazy(mappings(*VMAS), "mm-1.img"))
    assert {p for p, how in flags(after).items() if how & LAZY} == {1, 2, 3, 10}
    assert {p: how & ~LAZY for p, how in flags(after).items()} == flags(found)


def test_host_scripts_see_by_two_bytes_whether_anything_is_marked():
    mark = b" \x06"
    for number in (1, 32, 6 * 2**20, 2**35 - 1):
        for count in (1, 32, 6, 2**20 + 6):
            assert mark not in encode(pages((number, count, PRESENT), pages_id=32))
            assert mark in encode(pages((number, count, PRESENT | LAZY), pages_id=32))


def test_a_process_that_came_after_round_1_is_restored_whole():
    dump = pages((0, 2, PARENT), (2, 1, PRESENT | LAZY), pages_id=4)
    restored, served = divide(dump, [None, pages((0, 2, PRESENT | LAZY))])
    assert flags(restored) == {0: PARENT, 1: PARENT, 2: PRESENT}
    assert served.runs == ()


MEMORY = st.lists(st.sampled_from("-pl"), min_size=24, max_size=24)
"""What each of 24 pages is in round 1: not there, present, or present and lazy."""


@given(MEMORY, st.lists(st.sets(st.integers(0, 23)), min_size=1, max_size=4))
def test_every_page_comes_once_and_from_where_it_is_newest(start, changes):
    """`changes`: pages written between the rounds; the last before the dump. Pages that appear are lazy ones."""
    chain = [pages(*((n, 1, PRESENT | (LAZY if c == "l" else 0)) for n, c in enumerate(start) if c != "-"))]
    there = {n: c == "l" for n, c in enumerate(start) if c != "-"}
    for written in changes:
        there |= {n: there.get(n, True) for n in written}
        runs = (
            (n, 1, (PRESENT | (LAZY if lazy else 0)) if n in written else PARENT)
            for n, lazy in sorted(there.items())
        )
        chain.append(pages(*runs))
    *rounds, dump = chain
    restored, served = divide(dump, rounds)
    follow = {page for page, flag in flags(restored).items() if flag & LAZY}
    changed = set().union(*changes)
    assert follow == {page for page, lazy in there.items() if lazy and page not in changed}
    assert follow == {page for page, flag in flags(served).items() if flag & LAZY}
    assert all(flag & PRESENT for flag in flags(served).values()), "else the daemon would read from a wrong place"
    assert set(flags(restored)) == set(there) and set(flags(served)) == set(flags(rounds[0]))


SPANS = st.sets(st.integers(0, 40)).map(lambda found: [(n, n + 1) for n in sorted(found)])


@given(SPANS, SPANS)
def test_spans(one, other):
    def numbers(spans):
        return {n for start, end in spans for n in range(start, end)}

    assert numbers(common(one, other)) == numbers(one) & numbers(other)
    assert numbers(without(one, other)) == numbers(one) - numbers(other)


def test_wide_spans_are_cut():
    assert without([(0, 10)], [(2, 4), (6, 7)]) == [(0, 2), (4, 6), (7, 10)]
    assert common([(0, 4), (6, 9)], [(2, 8)]) == [(2, 4), (6, 8)]
