"""A lab with one workload on it, specs for it, and ways to run the program; used by one case after the other.

A case that ended well leaves its workload running where it was moved to, and the next case moves it on from there.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reconciler.lab import Lab
from tests.faults import blows, controller
from tests.faults.controller import Job
from tests.faults.grounds import PODMAN, Ground
from tests.faults.model import Strike
from tests.faults.watch import Watch
from tests.lab.repo import Repo

HOSTS = ("h1", "h2")
SILENCE = "15s"  # longer than the next command takes to come on a busy machine
PATIENCE_SECONDS = 150.0


@dataclass
class Done:
    """A run of the program that has ended."""

    exit: int
    output: str
    struck_at: tuple[float, ...] = ()


class Bench:
    """One lab. `memory` is the workload's, in MiB."""

    def __init__(self, lab: Lab, folder: Path, memory: int = 8, ground: Ground = PODMAN) -> None:
        self.lab = lab
        self.ground = ground
        self.folder = folder
        self.memory = memory
        self.repo = Repo(folder, lab)
        self.dirty = True
        self.watch: Watch | None = None
        self._runs = 0
        self.policy({})
        ground.prepare(lab)

    # --- the workload ---

    @property
    def address(self) -> str:
        return self.repo.address()

    def policy(self, spec: dict[str, Any]) -> None:
        """How the workload moves, beside the short silence limit."""
        self.repo.policy("fast", **({"silenceLimit": SILENCE} | spec))

    def declare(self, host: str, **more: Any) -> None:
        """Say in the specs that the workload belongs on a host."""
        self.ground.declare(self.repo, host, self.memory, {"migration": {"policy": "fast"}} | more)

    def settle(self) -> str:
        """The workload runs on one host, cleanly; returns that host."""
        blows.repair(self.lab)
        blows.large_disks(self.lab)
        for file in self.folder.glob("*.db*"):
            if file.is_file() and not file.name.startswith("journal.db"):
                file.unlink()
        running = self.running()
        if self.dirty or len(running) != 1:
            self.reset()
            self.declare("h1")
            self.run("apply", "--yes")
            running = self.running()
            assert running == ["h1"], f"no start: {self.last}"
        self.dirty = True  # until the case has ended well
        self.declare(running[0])
        return running[0]

    def reset(self) -> None:
        """Nothing of ours is on any host, and no journal is kept."""
        blows.repair(self.lab)
        blows.large_disks(self.lab)
        for host in HOSTS:
            self.lab.exec(host, ["sh", "-c", self.ground.tidy])
        for file in self.folder.glob("*.db*"):
            if file.is_file():
                file.unlink()

    def running(self) -> list[str]:
        """Hosts on which the kernel runs the workload, once for each process."""
        assert self.watch
        return sorted(task.host for task in self.watch.tasks() if task.runs)

    def said_to_run(self) -> list[str]:
        """Hosts on which the runtime says that it runs."""
        argv = ["sh", "-c", self.ground.says]
        return [host for host in HOSTS if self.lab.exec(host, argv, check=False).stdout.strip() == "running"]

    def leftovers(self) -> list[str]:
        """What a finished hand-over should have removed."""
        found = []
        for host in HOSTS:
            lines = self.lab.exec(host, ["sh", "-c", self.ground.left]).stdout.splitlines()
            found += [f"left on {host}: {line}" for line in lines]
        return found

    # --- the program ---

    def start(self, *argv: str, strikes: tuple[Strike, ...] = (), journal: str = "") -> tuple[Any, Job]:
        """Start the program; returns its process and job."""
        self._runs += 1
        path = self.folder / (journal or self.repo.journal)
        output = self.folder / f"run-{self._runs}.out"
        job = Job(argv, str(self.folder), str(path), str(output), self.lab.name, strikes)
        return controller.start(job), job

    def finish(self, process: Any, job: Job) -> Done:
        """Wait for it to end."""
        process.join(PATIENCE_SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()
        log = controller.strikes_log(job.output)
        at = tuple(float(line.split()[0]) for line in log.read_text().splitlines()) if log.exists() else ()
        self.last = Done(process.exitcode, Path(job.output).read_text(errors="replace"), at)
        return self.last

    def run(self, *argv: str, strikes: tuple[Strike, ...] = (), journal: str = "") -> Done:
        """Run the program to its end."""
        return self.finish(*self.start(*argv, strikes=strikes, journal=journal))

    def status(self, journal: str = "") -> tuple[int, list[dict[str, Any]]]:
        """Exit code and rows of `reconcile status`."""
        done = self.run("status", "--json", journal=journal)
        try:
            return done.exit, json.loads(done.output)["unfinished"]
        except (ValueError, KeyError):
            return done.exit, [{"next": "", "error": done.output}]

    # --- the journal's disk ---

    def mount_small(self, journal: str) -> str:
        """A journal on a small disk; returns its name."""
        folder = self.folder / "small"
        folder.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=True)
        return f"small/{journal}"

    def free_small(self) -> None:
        (self.folder / "small" / "filler").unlink(missing_ok=True)

    def unmount_small(self) -> None:
        subprocess.run(["umount", "-l", self.folder / "small"], check=False, capture_output=True)


def placed(strikes: tuple[Strike, ...], hosts: dict[str, str]) -> tuple[Strike, ...]:
    """Strikes with real hosts instead of roles."""
    return tuple(replace(strike, host=hosts.get(strike.host, strike.host)) for strike in strikes)
