"""CRIU's maps of memory pages after pre-copy: which pages may follow a restore, and which must be there before it.

A pre-copy leaves a chain of images: round 1 with all memory, each later round with what changed, then the dump.
CRIU's page daemon serves pages from one folder only, not from a chain (its `io_complete` belongs to the newest
pagemap), and marks pages of a parent as not lazy, so that a stock restore reads all of them before the tasks run.
Both are mended here without moving a page:

    restored from   the dump's pagemap; pages that did not change since round 1 are marked lazy in it
    served from     round 1's pages file under a pagemap in which exactly those pages are lazy

Pages of the dump and of rounds between are few, and are restored first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from reconciler.core.criu_images import encoded, entries
from reconciler.model.command import Bytes

PAGE: Bytes = 4096
PARENT, LAZY, PRESENT = 1, 2, 4
"""Flags as in CRIU's criu/include/pagemap.h."""
_ANONYMOUS, _PRIVATE, _LOCKED, _HUGE = 0x20, 0x2, 0x2000, 0x40000
_VSYSCALL, _VDSO, _VVAR = 1 << 2, 1 << 3, 1 << 12
"""Flags of mmap(2), and status as in CRIU's criu/include/image.h."""
_HEADER = 8
_UINT32 = 2**32 - 1

Spans = list[tuple[int, int]]
"""Address ranges, sorted, without overlap: first byte, and the one behind the last."""


@dataclass(frozen=True, slots=True)
class PageRun:
    """`pages` pages from the address `start`. Those that are present follow one another in the pages file."""

    start: int
    pages: int
    flags: int

    @property
    def end(self) -> int:
        return self.start + self.pages * PAGE


@dataclass(frozen=True)
class Pagemap:
    """Of one process in one dump. `pages_id` names its file of pages."""

    pages_id: int
    runs: tuple[PageRun, ...]
    header: bytes = b""

    @property
    def present_bytes(self) -> Bytes:
        return sum(run.end - run.start for run in self.runs if run.flags & PRESENT)


def parse(data: bytes, name: str) -> Pagemap:
    """InputError when it is no image of CRIU."""
    found = entries(data, "pagemap", name, head="pagemap_head")
    head = next(found, None)
    runs = []
    for entry in found:
        # Versions before flags: a run is in the parent, or here.
        flags = entry.flags or (PARENT if entry.in_parent else PRESENT)
        runs.append(PageRun(int(entry.vaddr), int(entry.many_pages or entry.nr_pages), int(flags)))
    return Pagemap(int(head.pages_id) if head is not None else 0, tuple(runs), data[:_HEADER])


def encode(pagemap: Pagemap) -> bytes:
    """The image, as CRIU 3.x and 4.x read it."""
    return encoded(
        pagemap.header,
        ("pagemap_head", {"pages_id": pagemap.pages_id}),
        *(("pagemap", _fields(run)) for run in pagemap.runs),
    )


def _fields(run: PageRun) -> dict[str, int]:
    fields = {"vaddr": run.start, "nr_pages": min(run.pages, _UINT32), "flags": run.flags}
    return fields | ({"many_pages": run.pages} if run.pages > _UINT32 else {})


def can_be_lazy(data: bytes, name: str) -> Spans:
    """Where memory may follow a restore, of a process whose mappings are in this image: what CRIU's own
    vma_entry_can_be_lazy allows. InputError when it is no image of CRIU."""
    return [
        (int(vma.start), int(vma.end))
        for mm in entries(data, "mm", name)
        for vma in mm.vmas
        if vma.flags & _ANONYMOUS and vma.flags & _PRIVATE and not vma.flags & (_LOCKED | _HUGE)
        if not vma.status & (_VSYSCALL | _VDSO | _VVAR)
    ]


def marked(found: Pagemap, lazy: Spans) -> Pagemap:
    """With the pages that are here and may follow marked as lazy. CRIU means to leave out pages that stack
    pointers are in, but compares offsets within a page: it marks none where a thread's stack pointer begins a
    page, and else all, stacks too."""
    return replace(
        found,
        runs=tuple(
            replace(piece, flags=piece.flags | LAZY) if inside and piece.flags & PRESENT else piece
            for piece, inside in _cut(found.runs, lazy)
        ),
    )


def divide(dump: Pagemap, rounds: Sequence[Pagemap | None]) -> tuple[Pagemap, Pagemap]:
    """The pagemap to restore from, and the one to serve pages from. `rounds` in order; None where the process was
    not there yet."""
    first = rounds[0]
    inherited = [(run.start, run.end) for run in dump.runs if run.flags & PARENT]
    lazy: Spans = [(run.start, run.end) for run in first.runs if run.flags & LAZY] if first else []
    lazy = common(inherited, lazy)
    for later in rounds[1:]:
        if later is not None:
            lazy = without(lazy, [(run.start, run.end) for run in later.runs if run.flags & PRESENT])
    restored = []
    for piece, inside in _cut(dump.runs, lazy):
        kept = piece.flags & ~LAZY
        restored.append(replace(piece, flags=kept | LAZY if inside else kept))
    served = [
        replace(piece, flags=piece.flags if inside else piece.flags & ~LAZY)
        for piece, inside in _cut(first.runs if first else (), lazy)
    ]
    return (
        replace(dump, runs=tuple(restored)),
        Pagemap(first.pages_id if first else 0, tuple(served), dump.header),
    )


def common(one: Spans, other: Spans) -> Spans:
    """What is in both."""
    found: Spans = []
    i = j = 0
    while i < len(one) and j < len(other):
        start, end = max(one[i][0], other[j][0]), min(one[i][1], other[j][1])
        if start < end:
            found.append((start, end))
        if one[i][1] < other[j][1]:
            i += 1
        else:
            j += 1
    return found


def without(spans: Spans, taken: Spans) -> Spans:
    """What is in `spans` and not in `taken`."""
    left: Spans = []
    j = 0
    for start, end in spans:
        while j < len(taken) and taken[j][1] <= start:
            j += 1
        k = j
        while k < len(taken) and taken[k][0] < end:
            if start < taken[k][0]:
                left.append((start, taken[k][0]))
            start = max(start, taken[k][1])
            k += 1
        if start < end:
            left.append((start, end))
    return left


def _cut(runs: Iterable[PageRun], spans: Spans) -> Iterator[tuple[PageRun, bool]]:
    """The runs in pieces, each wholly inside or wholly outside the spans."""
    j = 0
    for run in runs:
        at = run.start
        while j < len(spans) and spans[j][1] <= at:
            j += 1
        k = j
        while at < run.end:
            while k < len(spans) and spans[k][1] <= at:
                k += 1
            inside = k < len(spans) and spans[k][0] <= at
            end = min(run.end, spans[k][1 if inside else 0]) if k < len(spans) else run.end
            yield PageRun(at, (end - at) // PAGE, run.flags), inside
            at = end
