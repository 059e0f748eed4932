"""What is measured: cells of memory, dirtying and link, and what one run of a cell gave."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

MIB = 2**20
SHAPED = "1gbit"
SHAPED_BYTES_PER_S = 125e6


@dataclass(frozen=True)
class Cell:
    """One kind of move. `dirty` is in MiB/s; `rate` is as `Lab.up` takes it, empty: the link is as it is.
    `backend` of the lab: the kernel of virtual machines tracks changed memory, so that ours copies in rounds.
    `strategy`: of ours; empty: `auto`."""

    memory_mib: int
    dirty: int = 0
    rate: str = ""
    backend: str = "namespace"
    strategy: str = ""

    @property
    def name(self) -> str:
        load = f"dirty{self.dirty}" if self.dirty else "idle"
        where = "vm" if self.backend == "vm" else self.rate or "unshaped"
        return "-".join((str(self.memory_mib), load, where, *([self.strategy] if self.strategy else ())))


CELLS = (
    *(Cell(memory) for memory in (4, 16, 64, 128, 512, 2048)),
    *(Cell(512, dirty=dirty) for dirty in (20, 200)),
    *(Cell(memory, rate=SHAPED) for memory in (64, 512)),
    *(Cell(512, rate=rate, strategy="postcopy") for rate in ("", SHAPED, "100mbit")),
)
VM_CELLS = tuple(Cell(memory, backend="vm") for memory in (256, 512, 1024))
"""Only when asked for by name: emulated machines take minutes for each."""
MEMORY_CELL = Cell(1024)
"""The move during which the controller's memory is judged."""


def chosen(patterns: Iterable[str]) -> tuple[Cell, ...]:
    """Cells whose name matches one of the patterns, such as `512-*` or `4-idle-unshaped`; without any, all that
    need no virtual machine. Those with one are meant only by patterns that end in `vm`."""
    wanted = tuple(patterns)
    if not wanted:
        return CELLS
    machines = VM_CELLS if any(pattern.endswith("vm") for pattern in wanted) else ()
    return tuple(cell for cell in (*CELLS, *machines) if any(fnmatchcase(cell.name, p) for p in wanted))


@dataclass(frozen=True)
class Run:
    """One move, seen from outside. `parts`: seconds of its commands or steps, in order.

    `wire_bytes`: sent by the source's card. `controller_bytes`: peak of the resident memory of the controller's
    whole process tree. What only one of the two ways knows is None in the other.
    """

    downtime_s: float
    total_s: float
    wire_bytes: int
    parts: dict[str, float]
    controller_bytes: int | None = None
    frozen_s: float | None = None
    predicted_s: float | None = None


class BrokenRun(Exception):
    """A move that failed, or after which the workload was not what it had been: no figure."""


@dataclass
class Series:
    """All runs of one way in one cell."""

    runs: list[Run] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def median(self, of: Callable[[Run], float | None]) -> float | None:
        """Median over the runs; None without any."""
        values = [value for run in self.runs if (value := of(run)) is not None]
        return statistics.median(values) if values else None

    def parts(self) -> dict[str, float]:
        """Median of each part."""
        names = list(dict.fromkeys(name for run in self.runs for name in run.parts))
        return {name: self.median(lambda run, name=name: run.parts.get(name)) or 0.0 for name in names}  # type: ignore[misc]


@dataclass(frozen=True)
class Measured:
    """A cell with both ways."""

    cell: Cell
    ours: Series
    manual: Series
