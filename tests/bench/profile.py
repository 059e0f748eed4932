"""`--profile`: one move under the stopwatch, what its client waited for, and what single things cost here."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time

from rich.console import Console
from rich.table import Table

from reconciler.hosts.ssh import SshFleet
from reconciler.load import load
from reconciler.model.command import Command
from tests.bench import ours
from tests.bench.breakdown import BETWEEN, Span, Trace, cut
from tests.bench.cells import Cell
from tests.bench.ground import DESTINATION, NAME, SOURCE, Ground, touch_for

PRICES: tuple[tuple[str, ...], ...] = (
    ("true",),
    ("sync", "/var/lib/reconciler"),
    ("podman", "--version"),
    ("podman", "container", "inspect", NAME),
    ("runc", "--version"),
    ("criu", "--version"),
    ("iptables", "-L", "-n"),
)
"""Commands whose round trip over the kept connection is timed, idle otherwise."""
TRIES = 15


def profile(ground: Ground, cell: Cell, console: Console) -> None:
    """Move once, for warmth, then once under the stopwatch; print what the client waited for."""
    touch_for(cell)
    ground.reset()
    ours.move(ground, cell)
    ground.reset()
    ground.place(cell, SOURCE)
    ground.reconcile("apply", "--yes")
    file = ground.folder / "trace.jsonl"
    with ground.client() as client:
        ground.place(cell, DESTINATION)
        ground.program([sys.executable, "-m", "tests.bench.traced", file, "apply", "--yes"])
    begin, end = client.window
    show(console, cell, cut(Trace.read(file).spans(), begin, end))
    steps = " · ".join(
        f"{name} {took * 1000:.0f}" for name, took in ours.step_seconds(ours.latest(ground)).items()
    )
    console.print(f"steps, ms: {steps}")
    console.print(f"round trips, ms: {asyncio.run(_prices(ground))}\n")


def show(console: Console, cell: Cell, row: list[Span]) -> None:
    """The client's longest wait, span by span."""
    total = sum(span.seconds for span in row)
    table = Table(title=f"{cell.name}: the client waited {total * 1000:.0f} ms", title_justify="left")
    for name in ("at ms", "ms", "share"):
        table.add_column(name, justify="right")
    table.add_column("what")
    for span in row:
        took = span.seconds * 1000
        if took >= 0.5 and span.what != BETWEEN:
            at = (span.begin - row[0].begin) * 1000
            table.add_row(f"{at:.0f}", f"{took:.0f}", f"{span.seconds / total:.0%}", span.what)
    ours_alone = sum(span.seconds for span in row if span.what == BETWEEN)
    table.add_row("", f"{ours_alone * 1000:.0f}", f"{ours_alone / total:.0%}", BETWEEN)
    console.print(table)


async def _prices(ground: Ground) -> str:
    fleet = SshFleet(load([ground.folder / "specs"]).hosts)
    host = fleet.host(DESTINATION)
    try:
        texts = []
        for argv in PRICES:
            took = []
            for _ in range(TRIES):
                began = time.perf_counter()
                await host.run(Command(argv, ok=tuple(range(256))))
                took.append(time.perf_counter() - began)
            texts.append(f"{' '.join(argv[:3])} {statistics.median(took) * 1000:.0f}")
        return " · ".join(texts)
    finally:
        await fleet.close()
