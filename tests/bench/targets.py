"""What the figures should be, and whether they are. Nothing fails here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tests.bench.cells import MIB, SHAPED_BYTES_PER_S, Measured
from tests.bench.figures import Figure
from tests.bench.report import Row

PREDICTED_WITHIN = 0.3
MISPREDICTED_SHARE = 0.2
PREDICTIONS = "cells whose predicted downtime is off by more than 30 %"


def move_targets(measured: Sequence[Measured]) -> Iterator[Figure]:
    """Targets of moves, as far as their cells were measured."""
    cells = {m.cell.name: m for m in measured if m.ours.runs}
    if small := cells.get("4-idle-unshaped"):
        yield Figure("downtime, 4 MiB", _ours(small), "s", 0.35)
    if big := cells.get("512-idle-unshaped"):
        yield Figure("downtime, 512 MiB", _ours(big), "s", 1.5)
        if by_hand := _manual(big):
            yield Figure("downtime, 512 MiB, share of manual", _ours(big) / by_hand, "", 1 / 6)
    if (shaped := cells.get("512-idle-1gbit")) and (sent := shaped.ours.median(lambda run: run.wire_bytes)):
        limit = 1.25 * sent / SHAPED_BYTES_PER_S + 0.5
        yield Figure(f"downtime, 512 MiB at 1 Gbit/s ({sent / MIB:.0f} MiB sent)", _ours(shaped), "s", limit)
    yield from _precopy(cells)
    yield from _drains(cells)


def _drains(cells: Mapping[str, Measured]) -> Iterator[Figure]:
    """How fast memory follows a post-copy, until the processes have it. The share is of what the cold copy of the
    same memory takes over the same link, from the begin of its dump, beside which it runs."""
    for name, after in cells.items():
        if not (seconds := after.ours.parts().get("drain")):
            continue
        yield Figure(f"drain, {name}", after.cell.memory_mib * MIB / seconds / 1e6, "MB/s")
        if whole := cells.get(name.removesuffix("-postcopy")):
            parts = whole.ours.parts()
            copied = parts["hold"] + parts["transfer"]
            yield Figure(f"drain, {name}, share of the rate of the copy in the freeze", copied / seconds, "")


def _precopy(cells: Mapping[str, Measured]) -> Iterator[Figure]:
    """On machines whose kernel tracks changed memory, both ways there."""
    if (half := cells.get("512-idle-vm")) and (by_hand := _manual(half)):
        yield Figure("downtime, 512 MiB with pre-copy, share of manual", _ours(half) / by_hand, "", 1 / 10)
    if (small := cells.get("256-idle-vm")) and (large := cells.get("1024-idle-vm")):
        yield Figure("downtime with pre-copy, 1 GiB against 256 MiB", _ours(large) / _ours(small), "times", 1.3)


def predictions(rows: Sequence[Row]) -> Iterator[Figure]:
    """How good they are, over all cells there are figures of."""
    errors = [
        abs(row["predicted_s"] / row["ours_s"] - 1)
        for row in rows
        if row["kind"] == "move" and row["predicted_s"] and row["ours_s"]
    ]
    if errors:
        missed = sum(error > PREDICTED_WITHIN for error in errors) / len(errors)
        yield Figure(PREDICTIONS, missed, "", MISPREDICTED_SHARE)


def copy_targets(rates: Mapping[str, float]) -> Iterator[Figure]:
    """Copy rates; the fastest other way is no limit, it is there to compare with."""
    for way, rate in rates.items():
        yield Figure(f"copy 512 MiB: {way}", rate / 1e6, "MB/s")


def _ours(measured: Measured) -> float:
    return measured.ours.median(lambda run: run.downtime_s) or 0.0


def _manual(measured: Measured) -> float | None:
    return measured.manual.median(lambda run: run.downtime_s)
