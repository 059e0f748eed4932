"""What a watch costs, and how quickly its page answers while it looks at thousands of workloads: a process of its
own (`tests.bench.watched`), asked over HTTP at odd moments for as long as several looks take."""

from __future__ import annotations

import os
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

from tests.bench.figures import Figure
from tests.load.fleet import write_fleet
from tests.load.test_git import git

ROOT = Path(__file__).parents[2]
TICKS = os.sysconf("SC_CLK_TCK")
PAGES = ("/", "/workloads", "/history", "/checkpoints", "/plan", "/workloads?page=37")
STARTS_WITHIN = 300.0
POLL = 5.0
"""Seconds between two questions for a commit, more or less by a tenth."""


@dataclass
class Watching:
    """One that runs."""

    job: subprocess.Popen[bytes]
    port: int
    folder: Path
    took: list[float] = field(default_factory=list)

    def ask(self, path: str) -> bytes:
        began = time.perf_counter()
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == 200, (path, answer.status)
        finally:
            connection.close()
        self.took.append(time.perf_counter() - began)
        return body

    @property
    def looks(self) -> int:
        return int(self.metric("reconciler_look_seconds_count"))

    def metric(self, name: str) -> float:
        found = re.search(rf"^{name} (\S+)$", self.ask("/metrics").decode(), re.MULTILINE)
        return float(found[1]) if found else 0.0

    @property
    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.job.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    @property
    def memory_mib(self) -> float:
        status = Path(f"/proc/{self.job.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024

    def until_looks(self, number: int) -> None:
        end = time.monotonic() + STARTS_WITHIN
        while self.looks < number:
            assert self.job.poll() is None and time.monotonic() < end, "the watch does not look"
            time.sleep(0.2)


@contextmanager
def watching(workloads: int, drift: str, poll: str = "") -> Iterator[Watching]:
    """A watch over so many workloads that are all as they should be; it has looked once. `poll`: of a repository,
    asked that often."""
    with tempfile.TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as free:
        folder, port = Path(name), free.getsockname()[1]
        free.close()
        (folder / "specs").mkdir()
        write_fleet(folder / "specs", workloads)
        if poll:
            git(folder, "init", "-q", "-b", "main")
            commit(folder)
        words = [
            sys.executable,
            *os.environ.get("WRAP", "-m tests.bench.watched").split(),
            str(folder),
            str(port),
            *(drift, *([poll] if poll else [])),
        ]
        job = subprocess.Popen(words, cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            found = Watching(job, port, folder)
            _until_it_listens(found)
            found.until_looks(1)
            found.took.clear()
            yield found
        finally:
            job.terminate()
            job.wait(60)


def _until_it_listens(found: Watching) -> None:
    end = time.monotonic() + STARTS_WITHIN
    while True:
        try:
            found.ask("/healthz")
            return
        except OSError:
            assert found.job.poll() is None and time.monotonic() < end, "the watch does not listen"
            time.sleep(0.2)


def answers(seconds: float, workloads: int = 5_000, drift: str = "5s") -> list[Figure]:
    """At odd moments, so that looks, plans and searches for garbage fall between asking and answering."""
    chance = random.Random(1)
    with watching(workloads, drift) as found:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found.ask(chance.choice(PAGES))
            time.sleep(chance.random() / 10)
        took = sorted(found.took)
        looks = found.looks
    assert looks > 3, f"{looks} looks in {seconds:.0f} s"
    asked = f"the page of a watch that looks at {workloads:,} workloads every {drift}"
    return [
        Figure(f"{asked}: half of {len(took)} answers", statistics.median(took), "s", 0.1),
        Figure("the same, 99 of 100", took[int(len(took) * 0.99)], "s", 0.1),
        Figure("the same, the longest", took[-1], "s", 0.1),
    ]


def costs(looks: int, workloads: int = 500) -> list[Figure]:
    """CPU of each look, told as a share of a core at one look a minute; memory after the first looks and at the
    end."""
    with watching(workloads, "100ms") as found:
        found.until_looks(10)
        began, first, memory = found.cpu_s, found.looks, found.memory_mib
        found.until_looks(first + looks)
        spent, done, after = found.cpu_s - began, found.looks - first, found.memory_mib
    reconciles = done * workloads
    return [
        Figure(
            f"watch over {workloads} unchanged workloads, at one look a minute",
            spent / done / 60,
            "of a core",
            0.02,
        ),
        Figure(f"memory of it after {reconciles:,} reconciles", after, "MiB", 150),
        Figure("the same, against that after the first looks", after / memory, "times", 1.1),
    ]


def commits(n: int, workloads: int = 500) -> list[Figure]:
    """From an edit of a folder to the look that is taken for it; from a commit in a repository, the same."""
    with watching(workloads, "1h") as found:
        edits = _until_seen(found, n, lambda: None)
    with watching(workloads, "1h", f"{POLL:.0f}s") as found:
        by_git = _until_seen(found, n, lambda: commit(found.folder))
    of = f"{workloads} workloads"
    asked = f"from a commit to the end of the look for it, {of}, asked for every {POLL:.0f} s"
    return [
        Figure(f"from an edit to the end of the look for it, {of}", statistics.median(edits), "s", 2.0),
        Figure(f"{asked}: the longest of {n}", max(by_git), "s", POLL + 2.0),
    ]


def _until_seen(found: Watching, n: int, then: Callable[[], None]) -> list[float]:
    """What it takes from an edit, and what follows it, to the end of the look for it, in seconds."""
    took = []
    found.until_looks(1)
    time.sleep(5)  # its own files have settled
    for number in range(n):
        hosts = found.folder / "specs" / "hosts.yaml"
        hosts.write_text(hosts.read_text() + "# edited\n")
        then()
        before, began = found.looks, time.monotonic()
        while found.looks == before:
            assert time.monotonic() < began + STARTS_WITHIN, "nobody looks"
            time.sleep(0.05)
        took.append(time.monotonic() - began)
        time.sleep(number * POLL / n)  # at all times between two questions
    return took


def commit(folder: Path) -> None:
    git(folder, "add", "specs")
    git(folder, "commit", "-q", "-m", "an edit")


if __name__ == "__main__":
    for figure in (*answers(float(sys.argv[1])), *costs(int(sys.argv[2])), *commits(3)):
        print(f"{figure.what}: {figure.value:.3f} {figure.unit}")
