"""`python -m tests.bench`: see `--help`, and docs/bench.md for what the figures mean."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from reconciler.errors import CommandFailed, ReconcilerError
from reconciler.lab import install_packages
from tests import results
from tests.bench import (
    clients,
    copies,
    figures,
    kept,
    manual,
    ours,
    picture,
    report,
    runtimes,
    stores,
    targets,
    watching,
)
from tests.bench.cells import CELLS, MEMORY_CELL, MIB, VM_CELLS, BrokenRun, Cell, Measured, Run, Series, chosen
from tests.bench.ground import Ground, ground, touch_for
from tests.bench.page import page_figures
from tests.bench.profile import profile

ROOT = Path(__file__).parents[2]
JSON = results.details("bench")
DOCS = ROOT / "docs" / "bench.md"
PICTURE = ROOT / "docs" / "bench.svg"
PROFILED = (Cell(4), Cell(512))
PARTS = ("moves", "figures", "watch", "copies", "clients", "kept", "stores", "runtimes")
CONTROLLER_LIMIT = 120.0
WIDTH = 120
"""Of tables where there is no terminal."""

Move = Callable[[Ground, Cell], Run]


def main() -> int:
    asked = _arguments()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    if asked.last:
        rows = report.read(JSON)
    else:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            rows = _measure(asked, console)
        except (ReconcilerError, BrokenRun) as error:
            console.print(f"bench: {error}", style="red", markup=False)
            return 1
        if asked.profile:
            return 0
        if asked.keep:
            fresh = {row["case"] for row in rows}
            old = (row for row in report.read(JSON) if row["case"] not in {*fresh, targets.PREDICTIONS})
            rows = [*rows, *old]
        rows += [report.figure_row(f.what, f.value, f.unit, f.limit) for f in targets.predictions(rows)]
        report.save(rows, JSON)
        results.write("bench", (row for row in rows if row["kind"] == "move"))
    places = {cell.name: place for place, cell in enumerate((*CELLS, *VM_CELLS))}
    rows.sort(key=lambda row: places.get(row["case"], len(places)))
    report.show(rows, console)
    if asked.write_docs:
        drawn = picture.draw(rows) if not asked.only else ""
        if drawn:
            PICTURE.write_text(drawn, encoding="utf-8")
        report.write_docs(rows, DOCS, PICTURE.name if drawn else "", keep=bool(asked.only))
    for way in ("ours", "manual"):
        for row in rows:
            for why in row.get(f"{way}_broken", ()):
                console.print(f"broken run, {way}, {row['case']}: {why}", style="red", markup=False)
    # What is lost by hand is a result; what the product loses is a failure.
    return 1 if any(row.get("ours_broken") for row in rows) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description="Moves by hand and ours, side by side."
    )
    parser.add_argument("--n", type=int, default=5, help="runs of each way in each cell (5)")
    parser.add_argument("--quick", action="store_true", help="one run, the small cells, no warm-up")
    parser.add_argument(
        "--cells", nargs="*", default=[], metavar="NAME", help="only these, such as 512-* 4-idle-*"
    )
    parser.add_argument("--only", choices=PARTS, help="only this part")
    parser.add_argument(
        "--profile", action="store_true", help="where the downtime of a move goes; measures nothing else"
    )
    parser.add_argument(
        "--keep", action="store_true", help="keep rows of earlier runs that this one does not measure"
    )
    parser.add_argument("--last", action="store_true", help="measure nothing, show the last run again")
    parser.add_argument("--write-docs", action="store_true", help="write docs/bench.md and docs/bench.svg")
    asked = parser.parse_args()
    if asked.quick:
        asked.n = 1
        asked.cells = asked.cells or ["4-idle-unshaped", "64-idle-*", "512-idle-unshaped"]
    if asked.n < 1:
        parser.error("--n must be at least 1")
    if asked.cells and not chosen(asked.cells):
        parser.error(
            f"no cell is named like {' '.join(asked.cells)}; there are: {', '.join(c.name for c in chosen([]))}"
        )
    return asked


def _measure(asked: argparse.Namespace, console: Console) -> list[report.Row]:
    def say(text: str) -> None:
        console.print(text, style="dim", markup=False)

    install_packages(say)
    rows = [report.machine_row()]
    found = [] if asked.profile else _without_cells(asked, say)
    cells = chosen(asked.cells) if asked.only not in ("watch", "runtimes") else []
    measured: list[Measured] = []
    for backend in ("vm", "namespace"):
        wanted = [cell for cell in cells if cell.backend == backend]
        if not wanted or (backend == "vm" and (asked.profile or asked.only not in (None, "moves"))):
            continue
        with ground(say, backend) as lab:
            manual.prepare(lab)
            if asked.profile:
                for cell in wanted if asked.cells else PROFILED:
                    lab.shape(cell.rate)
                    profile(lab, cell, console)
                return []
            if backend == "namespace":
                found += _in_a_lab(lab, asked, say)
            if asked.only in (None, "moves"):
                measured += [_cell(lab, cell, asked.n, not asked.quick, say) for cell in wanted]
    rows += [report.move_row(m) for m in measured]
    found = [*targets.move_targets(measured), *found]
    return [*rows, *(report.figure_row(f.what, f.value, f.unit, f.limit) for f in found)]


def _without_cells(asked: argparse.Namespace, say: Callable[[str], None]) -> list[figures.Figure]:
    """Figures that need no hosts, or hosts of their own."""
    found: list[figures.Figure] = []
    if asked.only in (None, "figures"):
        say("start-up, validation, plans of large fleets")
        found += [
            *figures.start_up(asked.n),
            *figures.large_fleets(min(asked.n, 3)),
            *figures.many_moves(min(asked.n, 3)),
        ]
    if asked.only in (None, "figures", "watch"):
        say("a watch over thousands of workloads, and its page")
        found += [
            *page_figures(asked.n),
            *watching.answers(30.0 if asked.quick else 180.0),
            *watching.costs(20 if asked.quick else 200),
            *watching.commits(asked.n),
        ]
    if asked.only in (None, "runtimes"):
        say("moves of trees of processes, of Docker's containers and of virtual machines")
        found += runtimes.measure(say, asked.n)
    return found


def _in_a_lab(lab: Ground, asked: argparse.Namespace, say: Callable[[str], None]) -> list[figures.Figure]:
    """Figures that need hosts, and are no cells."""
    found: list[figures.Figure] = []
    if asked.only in (None, "figures"):
        found += [figures.observing(lab, asked.n), *_controller(lab)]
    if asked.only in (None, "copies"):
        say("copies of 512 MiB from host to host")
        found += targets.copy_targets(copies.measure(lab, asked.n))
    if asked.only in (None, "clients"):
        say("clients with data in flight, with a stream, with datagrams")
        found += clients.measure(lab, asked.n)
    if asked.only in (None, "kept"):
        say(f"moves of {kept.FILES:,} files with and without ACLs, and of a hole of 100 GB")
        found += kept.measure(lab, min(asked.n, 3))
    if asked.only in (None, "stores"):
        say(f"{stores.CHECKPOINTS} checkpoints of {stores.CELL.memory_mib} MiB in three kinds of places")
        found += stores.measure(lab)
    return found


def _cell(lab: Ground, cell: Cell, n: int, warm: bool, say: Callable[[str], None]) -> Measured:
    """Both ways in turn, so that whatever else this machine does falls on both."""
    measured = Measured(cell, Series(), Series())
    lab.shape(cell.rate)
    lab.forget()
    touch_for(cell)
    for turn in range(0 if warm else 1, n + 1):
        for name, move, series in (("by hand", manual.move, measured.manual), ("ours", ours.move, measured.ours)):
            said = _once(lab, cell, move, series if turn else Series())
            say(f"{cell.name}  {f'{turn}/{n}' if turn else 'warm-up'}  {name:<8} {said}")
    return measured


def _once(lab: Ground, cell: Cell, move: Move, series: Series) -> str:
    try:
        lab.reset()
        run = move(lab, cell)
    except (BrokenRun, CommandFailed, OSError, subprocess.TimeoutExpired) as error:
        series.broken.append(str(error))
        return f"BROKEN: {error}"
    finally:
        lab.reset()
    series.runs.append(run)
    return f"{run.downtime_s:.2f} s"


def _controller(lab: Ground) -> Sequence[figures.Figure]:
    series = Series()
    touch_for(MEMORY_CELL)
    _once(lab, MEMORY_CELL, ours.move, series)
    if not series.runs:
        raise BrokenRun(f"the move of {MEMORY_CELL.memory_mib} MiB: {series.broken[0]}")
    peak = (series.runs[0].controller_bytes or 0) / MIB
    return [figures.Figure("memory of the controller while it moves 1 GiB", peak, "MiB", CONTROLLER_LIMIT)]


if __name__ == "__main__":
    sys.exit(main())
