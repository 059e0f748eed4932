"""The real program in a process of its own, struck at exact boundaries.

Journal and fleet are wrapped from outside: `Journal.append` tells where in the run we are, a `FaultyFleet` sees
each command. Processes come from a fork server that has the program loaded: all cases start it a thousand times.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import reconciler.cli.views.apply
import reconciler.cli.views.progress
import reconciler.cli.views.status
import reconciler.commands.compose
import reconciler.commands.recover
import reconciler.hosts.ssh
import reconciler.load
from reconciler.cli.main import shielded
from reconciler.hosts.wrap import About, Fault, FaultKind, FaultyFleet, When
from reconciler.lab import Lab
from reconciler.model.record import Mark
from reconciler.state.journal import Journal
from tests.faults.blows import BLOWS
from tests.faults.model import Point, Strike
from tests.faults.outputs import OUTPUTS

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.faults.controller"])
RECONCILE = str(Path(sys.executable).with_name("reconcile"))
CHATTER = ("beat", "lease")
"""Commands of the guard that belong to no step."""


@dataclass(frozen=True)
class Job:
    """One run of the program. Strikes name real hosts here."""

    argv: tuple[str, ...]
    folder: str
    journal: str
    output: str
    lab: str
    strikes: tuple[Strike, ...] = ()


def start(job: Job) -> Any:
    """Run a job in a process of its own; `exitcode` and `pid` as of multiprocessing."""
    process = CONTEXT.Process(target=_main, args=(job,), daemon=True)
    process.start()
    return process


def strikes_log(output: str) -> Path:
    """When strikes happened: a line each, with the monotonic clock's seconds."""
    return Path(f"{output}.strikes")


def _main(job: Job) -> None:
    file = os.open(job.output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.chdir(job.folder)
    os.environ |= {"RECONCILE_JOURNAL": job.journal, "NO_COLOR": "1"}
    if job.strikes:
        Striker(job).install()
    sys.exit(shielded(list(job.argv)))


@dataclass
class Striker:
    """Knows where the run is, and strikes there."""

    job: Job
    _at: tuple[str, bool] = ("", False)
    _struck: dict[Strike, int] = field(default_factory=dict)

    def install(self) -> None:
        """Wrap journal and fleet of this process."""
        append: Callable[..., Any] = Journal.append
        reach = reconciler.commands.compose.reach

        def wrapped(journal: Journal, run_id: str, step: str, mark: Mark, *rest: Any, **more: Any) -> Any:
            kind, undo = step.split("/")[1], mark in (Mark.UNDO, Mark.UNDONE, Mark.UNDO_FAILED)
            begins = mark in (Mark.INTENT, Mark.UNDO)
            self._boundary(kind, undo, Point.BEFORE_INTENT if begins else Point.BEFORE_OUTCOME)
            if not begins:
                self._at = ("", False)
            record = append(journal, run_id, step, mark, *rest, **more)
            if begins:
                self._at = (kind, undo)
            self._boundary(kind, undo, Point.AFTER_INTENT if begins else Point.AFTER_OUTCOME)
            return record

        Journal.append = wrapped  # type: ignore[method-assign]
        reconciler.commands.compose.reach = lambda spec: FaultyFleet(reach(spec), self._rule)

    def _boundary(self, kind: str, undo: bool, point: Point) -> None:
        for strike in self.job.strikes:
            if (strike.step, strike.undo, strike.point) == (kind, undo, point) and self._due(strike):
                self._strike(strike)

    def _due(self, strike: Strike) -> bool:
        """Whether it is still to happen; counts it."""
        count = self._struck[strike] = self._struck.get(strike, 0) + 1
        return strike.times == 0 or count <= strike.times

    def _strike(self, strike: Strike) -> None:
        with strikes_log(self.job.output).open("a") as log:
            log.write(f"{time.monotonic()} {strike}\n")
        if strike.do in SIGNALS:
            os.kill(os.getpid(), SIGNALS[strike.do])
        elif strike.do == "nothing":
            return
        elif strike.do in OUTPUTS:
            OUTPUTS[strike.do](strike.argument)
        elif strike.do == "fill_journal":
            fill(Path(self.job.journal).with_name("filler"))
        elif strike.do == "apply_too":
            other = os.environ | {"RECONCILE_JOURNAL": strike.argument or self.job.journal}
            done = subprocess.run(
                [RECONCILE, "apply", "--yes"], env=other, capture_output=True, text=True, check=False
            )
            Path(f"{self.job.output}.other").write_text(f"{done.returncode}\n{done.stdout}{done.stderr}")
        else:
            BLOWS[strike.do](Lab.load(self.job.lab), strike.host, strike.argument)

    def _rule(self, when: When, about: About) -> Fault | None:
        """FaultyFleet asks this before and after each operation."""
        if _is_chatter(about) or (about.command is not None and not about.command.changes):
            return None
        point = Point.COMMAND_BEFORE if when is When.BEFORE else Point.COMMAND_AFTER
        for strike in self.job.strikes:
            here = (strike.step, strike.undo) == self._at and strike.point is point
            if here and strike.host in ("", about.host, about.peer) and self._due(strike):
                return self._command_fault(strike)
        return None

    def _command_fault(self, strike: Strike) -> Fault:
        if strike.do in COMMAND_FAULTS:
            with strikes_log(self.job.output).open("a") as log:
                log.write(f"{time.monotonic()} {strike}\n")
            return Fault(COMMAND_FAULTS[strike.do], delay=float(strike.argument or 0))

        async def blow() -> None:
            # In a thread: the heartbeat and the other commands go on, as they would.
            await asyncio.to_thread(self._strike, strike)
            await asyncio.sleep(0.05)  # a signal has been seen by then

        return Fault(FaultKind.NOTHING, blow=blow)


SIGNALS = {"kill": signal.SIGKILL, "interrupt": signal.SIGINT, "stop": signal.SIGSTOP} | {
    "terminate": signal.SIGTERM,
    "hang_up": signal.SIGHUP,
}
COMMAND_FAULTS = {"refuse": FaultKind.UNREACHABLE, "lose": FaultKind.LOST, "hang": FaultKind.LOST}


def _is_chatter(about: About) -> bool:
    return about.command is not None and len(about.command.argv) > 2 and about.command.argv[2] in CHATTER


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file:
        for size in (65536, 4096, 512, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue
