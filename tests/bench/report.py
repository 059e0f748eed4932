"""What was measured, as rows for scripts, a table for the terminal and a table for docs/bench.md."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench.cells import MIB, Measured, Series

Row = dict[str, Any]
"""One line of build/bench-details.json; `kind` says which fields it has: machine, move or figure."""

MARK = "<!-- written by `make bench ARGS=--write-docs`; do not edit below -->"
ANEW = "Some of it was measured anew. "
_HEADS = (
    "case",
    "downtime",
    "by hand",
    "times shorter",
    "predicted",
    "total",
    "by hand",
    "sent",
    "by hand",
    "controller",
    "n",
)


def machine_row() -> Row:
    """Where this was measured."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "case": "machine",
        "kind": "machine",
        "cpus": os.cpu_count(),
        "memory_gib": round(memory / 2**30),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_1min": round(os.getloadavg()[0], 1),
    }


def move_row(measured: Measured) -> Row:
    """One cell."""
    ours, manual, cell = measured.ours, measured.manual, measured.cell
    down, down_manual = ours.median(lambda r: r.downtime_s), manual.median(lambda r: r.downtime_s)
    return {
        "case": cell.name,
        "kind": "move",
        "memory_mib": cell.memory_mib,
        "dirty_mib_s": cell.dirty,
        "rate": cell.rate,
        "n": len(ours.runs),
        "ours_s": _round(down),
        "manual_s": _round(down_manual),
        "ratio": _round(down_manual / down if down and down_manual else None),
        "predicted_s": _round(ours.median(lambda r: r.predicted_s)),
        "frozen_s": _round(ours.median(lambda r: r.frozen_s)),
        "ours_total_s": _round(ours.median(lambda r: r.total_s)),
        "manual_total_s": _round(manual.median(lambda r: r.total_s)),
        "ours_bytes": ours.median(lambda r: r.wire_bytes),
        "manual_bytes": manual.median(lambda r: r.wire_bytes),
        "controller_peak_bytes": max((r.controller_bytes or 0 for r in ours.runs), default=None),
        "ours_steps_s": _parts(ours),
        "manual_steps_s": _parts(manual),
        "ours_runs_s": [_round(r.downtime_s) for r in ours.runs],
        "manual_runs_s": [_round(r.downtime_s) for r in manual.runs],
        "ours_broken": ours.broken,
        "manual_broken": manual.broken,
    }


def figure_row(what: str, value: float, unit: str, limit: float | None) -> Row:
    """One figure that is no cell."""
    verdict = None if limit is None else value <= limit
    return {
        "case": what,
        "kind": "figure",
        "value": _round(value),
        "unit": unit,
        "limit": _round(limit),
        "ok": verdict,
    }


def show(rows: Sequence[Row], console: Console) -> None:
    """For the terminal."""
    moves = Table(title="Moves: what a client waits, medians", title_justify="left")
    for number, head in enumerate(_HEADS):
        moves.add_column(head, justify="left" if number == 0 else "right", no_wrap=number == 0)
    for row in rows:
        if row["kind"] == "move":
            moves.add_row(*_move_cells(row))
    figures = Table(title="Targets and other figures", title_justify="left")
    for number, head in enumerate(("what", "is", "at most", "")):
        figures.add_column(head, justify="right" if number in (1, 2) else "left")
    for row in rows:
        if row["kind"] == "figure":
            style = {True: "green", False: "red", None: ""}[row["ok"]]
            figures.add_row(*_figure_cells(row), style=style)
    for table in (moves, figures):
        if table.row_count:
            console.print(table)


def markdown(rows: Sequence[Row]) -> str:
    """For docs/bench.md."""
    lines = _table(_HEADS, [_move_cells(row) for row in rows if row["kind"] == "move"])
    lines += [
        "",
        *_table(("what", "is", "at most", ""), [_figure_cells(r) for r in rows if r["kind"] == "figure"]),
    ]
    for row in rows:
        if row["kind"] == "machine":
            lines += [
                "",
                f"Measured on {row['cpus']} CPUs and {row['memory_gib']} GiB, which both hosts, the client and "
                f"the controller share; Linux {row['kernel'].split('-')[0]}, Python {row['python']}; "
                f"load {row['load_1min']} when it began.",
            ]
    return "\n".join(lines) + "\n"


def write_docs(rows: Sequence[Row], file: Path, drawn: str = "", keep: bool = False) -> None:
    """Replace what stands below the mark; with `keep` only the rows that there are. `drawn`: the picture to show,
    if there is one."""
    shown = f"![Downtime against memory]({drawn})\n\n" if drawn else ""
    text = file.read_text(encoding="utf-8")
    above, mark, below = text.partition(MARK)
    if not mark:
        raise SystemExit(f"{file} has no line {MARK}")
    if keep:
        file.write_text(f"{above}{mark}{merged(below, markdown(rows))}", encoding="utf-8")
        return
    file.write_text(f"{above}{mark}\n\n{shown}{markdown(rows)}", encoding="utf-8")


def merged(before: str, now: str) -> str:
    """Tables with the rows of `now` in the place of those of the same name, new ones at the end of theirs, and
    where each was measured."""
    text, _, _ = before.partition(f"\n{ANEW}")
    lines = text.rstrip("\n").splitlines()
    for table in (part.splitlines() for part in now.strip().split("\n\n")):
        if table[0].startswith("Measured on "):
            lines += ["", f"{ANEW}{table[0]}"]
            continue
        head = lines.index(table[0]) if table[0] in lines else None
        if head is None:
            lines += ["", *table]
            continue
        for row in table[2:]:
            end = next(n for n in range(head, len(lines) + 1) if n == len(lines) or not lines[n].startswith("|"))
            same = (n for n in range(head + 2, end) if _named(lines[n]) == _named(row))
            at = next(same, end)
            lines[at : at + (at < end)] = [row]
    return "\n".join(lines) + "\n"


def _named(row: str) -> str:
    """The first cell of a line of a table, without what is counted in it."""
    return re.sub(r"\d[\d,]* (answers|reconciles)", r"\1", row.split(" | ")[0])


def save(rows: Sequence[Row], file: Path) -> None:
    """Write build/bench-details.json."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(list(rows), indent=1) + "\n", encoding="utf-8")


def read(file: Path) -> list[Row]:
    """The rows of an earlier run; none when there was none."""
    rows: list[Row] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    return rows


def _move_cells(row: Row) -> list[str]:
    broken = len(row["ours_broken"]), len(row["manual_broken"])
    return [
        row["case"],
        _s(row["ours_s"]) + (f" ({broken[0]} broken)" if broken[0] else ""),
        _s(row["manual_s"]) + (f" ({broken[1]} broken)" if broken[1] else ""),
        f"{row['ratio']:.1f}" if row["ratio"] else "-",
        _s(row["predicted_s"]),
        _s(row["ours_total_s"]),
        _s(row["manual_total_s"]),
        _mib(row["ours_bytes"]),
        _mib(row["manual_bytes"]),
        _mib(row["controller_peak_bytes"]),
        str(row["n"]),
    ]


def _figure_cells(row: Row) -> list[str]:
    verdict = {True: "ok", False: "missed", None: ""}[row["ok"]]
    return [row["case"], _value(row["value"], row["unit"]), _value(row["limit"], row["unit"]), verdict]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return " | ".join(cell.replace("|", "\\|") for cell in cells)

    return [f"| {line(heads)} |", f"|{'---|' * len(heads)}", *(f"| {line(row)} |" for row in rows)] if rows else []


def _value(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    if not unit:
        return f"{value:.0%}"
    digits = 0 if value >= 100 else 2 if value >= 0.1 else 3
    return f"{value:.{digits}f} {unit}"


def _s(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"


def _mib(value: float | None) -> str:
    return "-" if not value else f"{value / MIB:.0f} MiB"


def _parts(series: Series) -> dict[str, float | None]:
    return {name: _round(value) for name, value in series.parts().items()}


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
