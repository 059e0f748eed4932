"""Who reads what is printed decides nothing. Real: the program and its outputs; fake: nothing."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from reconciler.model.plan import Change, ChangeKind, Plan, Step, StepKind
from reconciler.model.record import Mark, Run, RunState
from reconciler.state.journal import Journal
from reconciler.text import terminal

RECONCILE = Path(sys.executable).with_name("reconcile")
ACTING = """
import sys, time
from reconciler.cli import main
import typer
app = typer.Typer()
@app.command()
def apply(code: int, wait: float = 0.0):
    from reconciler.cli.signals import run_until_done
    import asyncio
    async def job():
        typer.echo("under way " + "x" * 100, err=True)
        await asyncio.sleep(wait)
        open("done", "w").close()
    run_until_done(job, lambda: open("asked", "w").close())
    typer.echo("moved " + "x" * 100)
    return code
@app.command()
def show(): typer.echo("x" * 100)
main.app = app
sys.exit(main.shielded(sys.argv[1:]))
"""
"""A command that acts, under the program's own entry point."""


def acting(tmp_path, *arguments, shell="exec", **more):
    command = f'{shell} "$0" -c "$1" apply {" ".join(arguments)}'
    text = {"text": True, "cwd": tmp_path, "stderr": subprocess.PIPE, "check": False} | more
    return subprocess.run(["bash", "-c", command, sys.executable, ACTING], **text)


@pytest.mark.parametrize(
    ("how", "code"),
    [(">&-", 5), (">/dev/full", 0), (">/dev/full", 5), (">&- 2>&- <&-", 0), ("2>/dev/full >&-", 1), ("2>&-", 0)],
)
def test_the_exit_code_is_the_outcomes(tmp_path, how, code):
    done = acting(tmp_path, str(code), how, stdout=subprocess.DEVNULL)
    assert done.returncode == code and (tmp_path / "done").exists() and "Traceback" not in (done.stderr or "")


@pytest.mark.parametrize("code", [0, 5])
def test_a_reader_that_goes_away(tmp_path, code):
    done = acting(tmp_path, str(code), "2>&1 | true; exit ${PIPESTATUS[0]}", shell="")
    assert done.returncode == code and (tmp_path / "done").exists()


def test_a_reader_that_does_not_read_stops_nothing(tmp_path):
    read, write = os.pipe()
    os.set_blocking(write, False)
    with suppress(BlockingIOError):
        while os.write(write, b"\0" * 65536):
            pass
    os.set_blocking(write, True)
    argv = [sys.executable, "-c", ACTING, "apply", "0"]
    with subprocess.Popen(argv, cwd=tmp_path, stdout=write, stderr=write) as job, open(read, "rb") as reader:
        os.close(write)
        deadline = time.monotonic() + 60
        while not (tmp_path / "done").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert (tmp_path / "done").exists() and job.poll() is None, "it is done, and still has to say so"
        said = reader.read()
    assert b"under way" in said and b"moved" in said and job.returncode == 0


@pytest.mark.parametrize(("ignored", "asked"), [(False, True), (True, False)])
def test_a_closed_terminal_is_like_ctrl_c_unless_nohup(tmp_path, ignored, asked):
    shell = "trap '' HUP; exec" if ignored else "exec"
    command = f'{shell} "$0" -c "$1" apply 0 --wait 2'
    argv = ["bash", "-c", command, sys.executable, ACTING]
    with subprocess.Popen(argv, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as job:
        assert job.stderr is not None and "under way" in job.stderr.readline()
        job.send_signal(signal.SIGHUP)
        job.stderr.close()
    assert job.returncode == 0 and (tmp_path / "done").exists()
    assert (tmp_path / "asked").exists() is asked


def test_what_is_only_shown_fails_when_it_did_not_fit():
    with open("/dev/full", "w") as full:
        done = subprocess.run([RECONCILE, "schema"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1 and "could not be written" in done.stderr


def test_both_outputs_keep_their_order(tmp_path):
    done = acting(tmp_path, "0", "2>&1", stdout=subprocess.PIPE)
    assert done.stdout.index("under way") < done.stdout.index("moved")


HOSTILE = "\x1b[2J\x1b]0;pwned\x07\x9b31m\u202e\x08"


def test_what_others_wrote_commands_no_terminal(tmp_path):
    """A journal with hosts' words in it, as an earlier release may have kept them."""
    change = Change(kind=ChangeKind.CREATE, workload="web", destination="h1", reason=HOSTILE)
    step = Step(id="s1", kind=StepKind.CREATE, workload="web", host="h1")
    with Journal.open(tmp_path / "j.db") as journal:
        journal.begin(Run(id="r1", plan=Plan(changes=(change,), steps=(step,)), started_at=1.0, actor=HOSTILE))
        journal.append("r1", "s1", Mark.FAILED, 2.0, note=HOSTILE)
        journal.end("r1", RunState.FAILED, 3.0)
    for words in (("history",), ("history", "--json")):
        done = subprocess.run([RECONCILE, *words, "--journal", tmp_path / "j.db"], capture_output=True, check=True)
        assert b"r1" in done.stdout
        assert not set("\x1b\x07\x9b\u202e\x08") & set(done.stdout.decode())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[1mbold\x1b[0m", "\x1b[1mbold\x1b[0m"),
        ("\r\x1b[2K\x1b[1A", "\r\x1b[2K\x1b[1A"),
        ("\x1b[2Jx", "\\x1b[2Jx"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b2J\x08", "\\x9b2J\\x08"),
        ("\u202eevil", "\\u202eevil"),
        ("a\tb\nü 😀", "a\tb\nü 😀"),
    ],
)
def test_a_terminal_gets_colours_and_bars_and_nothing_else(text, shown):
    assert terminal(text) == shown
