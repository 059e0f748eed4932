"""What people read fits their terminal and loses no word; what programs read is not folded. Real: the views, the
program on a pseudo-terminal; made up: the hosts."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from reconciler.cli import explain
from reconciler.cli.views.apply import render_applied
from reconciler.cli.views.diagnostics import render_diagnostics
from reconciler.cli.views.doctor import render_examination
from reconciler.cli.views.failure import render_error
from reconciler.cli.views.layout import columns_of, folded, table
from reconciler.cli.views.plan import render_plan
from reconciler.cli.views.progress import ended_line
from reconciler.cli.views.runtimes import render_runtimes
from reconciler.cli.views.status import render_accuracy, render_history, render_status
from reconciler.cli.views.stock import render_stock
from reconciler.commands.app import Applied, Seen
from reconciler.commands.doctor import Examination, _examined
from reconciler.commands.recover import Standing
from reconciler.core.accuracy import Measured
from reconciler.core.planner import make_plan
from reconciler.core.rules import MoveVerdict
from reconciler.core.saga import GroupState
from reconciler.engine.execute import Outcome
from reconciler.errors import CommandFailed, Diagnostic
from reconciler.model.event import StepEnded, Untidied
from reconciler.model.record import Mark, Record, Run, RunState
from reconciler.model.world import Following, OnDisk, Preflight
from reconciler.runtimes import registry
from tests.core.worlds import container, facts, host, spec, unknown, volume, workload, world

RECONCILE = Path(sys.executable).with_name("reconcile")
WIDTHS = (40, 80, 120, 200)
LONG = "a-workload-whose-name-is-as-long-as-names-may-be-and-says-nothing"[:63]
SAID = "錯誤 记录 無法寫入 ディスクがいっぱいです because the disk is full and nobody has looked at it for weeks"
MORE = f"{SAID}\n\n(00.012) Error (criu/tcp.c:1): cannot restore\nand then\na fourth line\n5\n6\n7\n8\n9"


@cache
def fleet():
    """Twenty workloads that move, one of them with a long name, more that are made, gone or refused; a host that
    does not answer."""
    names = [LONG, *(f"shop-{n}" for n in range(20))]
    data = [{"name": "data", "target": "/data"}]
    moving = [workload(name, on="h2", volumes=data if name == LONG else []) for name in names]
    new, nowhere = workload("new", on="h2"), workload("nowhere", labels={"disk": "none"})
    runs = [
        container(w, memory_bytes=64 * 2**20 * n, started_at=10.0, rootfs_bytes=3 * 2**20)
        for n, w in enumerate(moving)
    ]
    gone = container(workload("gone", on="h1"), memory_bytes=2**30)
    seen = world(
        facts("h1", *runs, gone, clock_s=4700.0, volumes=(volume("data", of=LONG), volume("old", of="other"))),
        facts("h2"),
        unknown("h3"),
    )
    return spec(host("h1"), host("h2"), host("h3"), *moving, new, nowhere), seen


@cache
def plan():
    return make_plan(*fleet())


def applied():
    made = plan()
    hold = next(step for step in made.steps if step.kind.value == "hold" and step.workload == LONG)
    groups = {change.workload: GroupState.DONE for change in made.changes} | {LONG: GroupState.PUT_BACK}
    outcome = Outcome(groups, {LONG: ((hold, False, MORE),)}, frozen={"shop-1": 1.234})
    return Applied(made, "20261123-140501-3fa9", outcome, untidied=(Untidied("S603", SAID),))


def history(workload):
    made = plan()
    hold = next(step for step in made.steps if step.kind.value == "hold" and step.workload == LONG)
    record = Record(seq=1, step=hold.id, mark=Mark.FAILED, at=2.0, note=MORE)
    run = Run(id="r1", plan=made, started_at=1.0, actor="anna/1", state=RunState.FAILED, records=(record,))
    return render_history([run], workload, True)


def accuracy(width):
    move = Measured("20261123-140501-3fa9", LONG, "h1", "h2", "cold", 2**30, 2**20, 0.1, 0.2, 0.3, 1.1, 0.2, 0.9)
    return render_accuracy([move] * 3, True, width)


def doctor():
    bad = _examined(host("h1"), facts("h1", preflight=Preflight(), tools=("ip",)))
    verdict = MoveVerdict(LONG, "h2", plan().findings)
    return render_examination(Examination((bad, bad), (verdict,)), True, security=True)


def status():
    row = Standing(
        LONG, "restoring", "h2", {"h1": "held", "h2": "committed"}, 10.0, "r1", f"reconcile resolve {LONG}"
    )
    waits = replace(row, following=Following(34 * 2**20, 12.0))
    lost = replace(waits, on_disk=OnDisk(12 * 2**20, 64 * 2**20, 2**20), lost=2**20)
    return render_status(fleet()[1], [row, waits, lost], True)


def findings(width):
    line = (
        f"    image: {'日本語の長い名前 ' * 9}latest # and so on, and on, and on, until nobody can see it any more"
    )
    found = [Diagnostic("E105", SAID, "specs/web.yaml", 1234, col, 12, line, SAID) for col in (1, 12, 60, 130)]
    return render_diagnostics(found, True, width)


def progress():
    step = plan().steps[0]
    return "\n".join([ended_line(StepEnded(step, False, 1.0, MORE)), ended_line(StepEnded(step, True, 1.0))])


VIEWS = {
    "plan": lambda width: render_plan(Seen(fleet()[1], plan()), True),
    "apply": lambda width: render_applied(applied(), applied().ending(), True),
    "get": lambda width: render_stock(*fleet(), True, width),
    "status": lambda width: status(),
    "history": lambda width: history(None),
    "history of one": lambda width: history(LONG),
    "accuracy": accuracy,
    "runtimes": lambda width: render_runtimes(registry.everything(), fleet()[1], width),
    "doctor": lambda width: doctor(),
    "findings": findings,
    "progress": lambda width: progress(),
    "error": lambda width: render_error(CommandFailed(SAID, stderr=MORE, where="h1", why=MORE, fix=SAID), True),
    "explain": lambda width: explain.listing(list(explain.topics().values())),
    "pages": lambda width: "\n".join(explain.page(topic) for topic in explain.topics().values()),
}


def plain(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_a_view_fits_and_loses_no_word(view, width):
    text = view(width)
    shown = plain(folded(text, width))
    too_long = [line for line in shown.split("\n") if columns_of(line) > width and len(line.split()) > 1]
    assert not too_long, too_long
    assert shown.split() == plain(text).split()


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_nothing_is_folded_in_a_pipe(view):
    text = view(None)
    assert folded(text, None) == text


def test_tables_become_blocks_that_hold_every_cell():
    head, rows = ("NAME", "FOUND", "UP"), [(LONG, "running on h1", "-"), ("日本", "nowhere", "5 s")]
    assert table(head, rows, 120)[2] == f"日本{' ' * 59}  nowhere        5 s"
    assert table(head, rows, 40) == [
        f"{LONG}\n    FOUND  running on h1",
        "日本\n    FOUND  nowhere\n    UP     5 s",
    ]


def test_a_text_goes_on_under_its_column():
    assert folded("    why         one two three four five six", 36).split("\n") == [
        "    why         one two three four",
        "                five six",
    ]
    assert folded("  a-label-that-takes-half  one two three four", 36).split("\n") == [
        "  a-label-that-takes-half  one two",
        "    three four",
    ]


def test_the_caret_stays_under_its_place_however_narrow():
    text = "x " * 200 + "HERE" + " y" * 200
    for width in WIDTHS:
        lines = render_diagnostics([Diagnostic("E105", "m", "f", 1, 401, 4, text)], False, width).split("\n")
        column = lines[4].index("^")
        assert lines[3][column : column + 4] == "HERE" and lines[4].count("^") == 4
        assert len(lines[3]) <= width


def test_a_reason_of_many_lines_is_one_line_of_progress():
    line = progress().split("\n")[0]
    assert SAID in line and line.endswith(
        "(8 more lines: reconcile history a-workload-whose-name-is-as-long-as-na" + LONG[38:] + ")"
    )


def on_a_terminal(arguments, folder, columns, **more):
    """What the program prints where both outputs are a terminal of so many columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR")} | {"TERM": "xterm"}
    with subprocess.Popen(
        [RECONCILE, *arguments], cwd=folder, env=environment | more, stdin=slave, stdout=slave, stderr=slave
    ):
        os.close(slave)
        parts = []
        while True:
            try:
                parts.append(os.read(master, 65536))
            except OSError:  # EIO: the program has ended
                break
    os.close(master)
    return b"".join(parts).decode().replace("\r\n", "\n")


@pytest.fixture
def specs(tmp_path):
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "web.yaml").write_text(
        "apiVersion: reconciler/v1alpha1\nkind: Workload\nmetadata: {name: web}\n"
        "spec: {container: {image: 'localhost/app:1', unknownField: 3}, placement: {host: nowhere}}\n"
    )
    return tmp_path


TERMINALS = [
    (40, {}, 40),
    (200, {}, 200),
    (200, {"COLUMNS": "40"}, 40),
    (0, {"NO_COLOR": "1"}, 80),
    (120, {"TERM": "dumb"}, 120),
]


@pytest.mark.parametrize(("columns", "more", "fits"), TERMINALS)
def test_on_a_terminal(specs, columns, more, fits):
    shown = on_a_terminal(["validate"], specs, columns, **more)
    assert ("\x1b[" in shown) is ("COLUMNS" in more or not more)
    assert all(columns_of(line) <= fits for line in plain(shown).split("\n"))
    assert "unknownField" in shown and "E103" in shown


def test_a_pipe_is_not_80_columns_wide(specs):
    narrow = os.environ | {"COLUMNS": "40"}
    told = subprocess.run([RECONCILE, "explain", "E103"], env=narrow, capture_output=True, text=True, check=True)
    assert max(map(len, told.stdout.split("\n"))) > 120
    assert max(map(len, on_a_terminal(["explain", "E103"], specs, 200).split("\n"))) <= explain.WIDTH
