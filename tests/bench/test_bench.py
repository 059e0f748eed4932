"""The bench's own arithmetic: windows that add up, tables and picture from few or broken runs."""

import json
from pathlib import Path

import pytest

from reconciler.core.planner import make_plan
from tests.bench import picture, report, targets
from tests.bench.breakdown import BETWEEN, Span, Trace, cut
from tests.bench.cells import CELLS, Cell, Measured, Run, Series, chosen
from tests.bench.processes import run
from tests.bench.world import fleet


def measured(memory: int, ours: float, manual: float, predicted: float) -> Measured:
    own = Run(ours, ours + 3, 10**8, {"hold": 0.2}, 50 * 2**20, ours, predicted)
    by_hand = Run(manual, manual, 10**8, {"copy": 1.0})
    return Measured(Cell(memory), Series([own]), Series([by_hand]))


def test_cells_are_chosen_by_name() -> None:
    assert chosen([]) == CELLS
    assert [cell.name for cell in chosen(["512-dirty*"])] == ["512-dirty20-unshaped", "512-dirty200-unshaped"]
    assert chosen(["none-of-them"]) == ()


def test_a_window_adds_up_and_gaps_are_the_controllers() -> None:
    spans = [Span("a", 0.0, 2.0), Span("transfer-sum (h1)", 2.5, 6.0), Span("b", 3.0, 5.0), Span("c", 8.0, 12.0)]
    row = cut(spans, 1.0, 10.0)
    assert [(s.what, s.begin, s.end) for s in row] == [
        ("a", 1.0, 2.0),
        (BETWEEN, 2.0, 2.5),
        ("transfer-sum (h1)", 2.5, 3.0),
        ("b", 3.0, 5.0),
        ("transfer-sum (h1)", 5.0, 6.0),
        (BETWEEN, 6.0, 8.0),
        ("c", 8.0, 10.0),
    ]


def test_holds_and_restores_are_cut_by_the_logs(tmp_path: Path) -> None:
    guard = ["/bin/sh", "/x/guard-1.sh"]
    dump = "(00.001) freezing cgroup x\n(00.101) net: Lock network\n(00.103) mnt: Building mountpoints tree"
    kept = f"\n@@ log dump.log 1 1000.2 1000.5\n{dump}\n(00.200) Running post-dump scripts\n"
    kept += "\n@@ file runner 1 1000.1 1000.1\n\n@@ file held 1 1000.5 1000.5"
    rows = [
        {"kind": "command", "host": "h1", "argv": [*guard, "hold", "w"], "began": 1000.0, "ended": 1000.6},
        {"kind": "kept", "host": "h1", "text": kept},
    ]
    file = tmp_path / "trace"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    spans = Trace.read(file).spans()
    assert [s.what for s in spans][3:7] == [
        "CRIU: freeze the tasks",
        "CRIU: lock the network",
        "CRIU: dump",
        "hook: interfaces down",
    ]
    assert spans[3].seconds == pytest.approx(0.1)
    assert sum(s.seconds for s in spans) == pytest.approx(0.6)


def test_rows_tables_and_picture(tmp_path: Path) -> None:
    cells = [measured(4, 0.5, 1.5, 0.4), measured(512, 1.8, 10.0, 0.9)]
    broken = Measured(Cell(2048), Series(broken=["no answer"]), Series())
    found = [*targets.move_targets(cells)]
    assert {f.what: f.ok for f in found}["downtime, 512 MiB, share of manual"] is False
    rows = [report.machine_row(), *map(report.move_row, [*cells, broken])]
    found += targets.predictions(rows)
    assert (found[-1].what, found[-1].value) == (targets.PREDICTIONS, 0.5)
    rows += [report.figure_row(f.what, f.value, f.unit, f.limit) for f in found]
    report.save(rows, tmp_path / "bench.json")
    assert report.read(tmp_path / "bench.json") == rows
    page = tmp_path / "bench.md"
    page.write_text(f"# Title\n{report.MARK}\nold\n")
    report.write_docs(rows, page)
    text = page.read_text()
    assert "old" not in text and "| 512-idle-unshaped | 1.80 s | 10.00 s | 5.6 |" in text
    assert "(1 broken)" in text and "missed" in text
    drawn = picture.draw(rows)
    assert drawn and drawn.count("<circle") == 4
    assert picture.draw(rows[:2]) is None


def test_processes_are_watched() -> None:
    done = run(["sh", "-c", "echo out; echo err >&2; sleep 0.1; exit 3"], watch=True)
    assert (done.status, done.stdout, done.stderr) == (3, "out\n", "err\n")
    assert done.peak_bytes > 0 and done.seconds >= 0.1


def test_a_made_fleet_can_be_planned() -> None:
    spec, world = fleet(hosts=4, workloads=20, moving=5)
    plan = make_plan(spec, world)
    assert len(plan.changes) == len(plan.moves) == 5


def test_a_part_that_is_measured_anew_leaves_the_rest_of_the_docs(tmp_path: Path) -> None:
    page = tmp_path / "bench.md"
    page.write_text(f"above\n{report.MARK}\n")
    whole = [measured(4, 0.2, 0.8, 0.2), measured(512, 1.0, 5.0, 1.0)]
    rows = [report.machine_row(), *map(report.move_row, whole)]
    rows += [report.figure_row("half of 450 answers", 0.2, "s", 0.1), report.figure_row("other", 1.0, "s", None)]
    report.write_docs(rows, page, "bench.svg")
    before = page.read_text().splitlines()
    for number in (500, 512):
        some = [report.machine_row(), report.figure_row(f"half of {number} answers", 0.01, "s", 0.1)]
        report.write_docs([*some, report.figure_row("new", 2.0, "s", None)], page, keep=True)
    after = page.read_text().splitlines()
    gone, come = set(before) - set(after), set(after) - set(before)
    assert gone == {"| half of 450 answers | 0.20 s | 0.10 s | missed |"}
    assert {line for line in come if line.startswith("|")} == {
        "| half of 512 answers | 0.010 s | 0.10 s | ok |",
        "| new | 2.00 s |  |  |",
    }
    assert len(after) == len(before) + 3 and after[-1].startswith("Some of it was measured anew. Measured on ")
