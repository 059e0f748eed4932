"""A watch over the hosts of a lab: the real program, which can die and be begun again."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

from reconciler.lab import Lab
from tests.lab.repo import RECONCILE, Repo

PATIENCE = 180.0
LENIENT = {"tcp": {"port": 9000}, "within": "60s"}
"""For what a busy machine at night may take to start."""
PAGE = ("--page", "--listen", "127.0.0.1:0")


@dataclass
class Watched:
    """Specs, and a watch over them that can die."""

    repo: Repo
    jobs: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def log(self) -> Path:
        return self.repo.folder / f"watch-{len(self.jobs)}.log"

    def start(self, *options: str) -> None:
        argv, environment = [RECONCILE, "watch", "--drift", "2s", *options], self.repo.environment()
        with open(self.repo.folder / f"watch-{len(self.jobs) + 1}.log", "wb") as out:
            job = subprocess.Popen(argv, cwd=self.repo.folder, env=environment, stdout=out, stderr=out)
        self.jobs.append(job)

    def told(self) -> str:
        return self.log.read_text(errors="replace")

    def until(self, holds: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not holds():
            assert self.jobs[-1].poll() is None, f"the watch has ended:\n{self.told()}"
            assert time.monotonic() < end, f"not {what}:\n{self.told()}"
            time.sleep(0.2)

    def until_told(self, *texts: str, after: int = 0) -> None:
        self.until(lambda: all(text in self.told()[after:] for text in texts), f"told: {texts}")

    def until_on(self, name: str, host: str) -> None:
        self.until(lambda: self.repo.running_on(name) == [host], f"{name} on {host}")

    def page(self) -> str:
        """Its address, which it tells."""
        lines = [line for line in self.told().splitlines() if "the page at " in line]
        return lines[-1].partition("the page at ")[2].strip()

    def stop(self) -> int:
        self.jobs[-1].send_signal(signal.SIGTERM)
        return self.jobs[-1].wait(timeout=PATIENCE)

    def end(self) -> None:
        for job in self.jobs:
            job.kill()
            job.wait()


@contextmanager
def watching(folder: Path, lab: Lab) -> Iterator[Watched]:
    """Ends all that was begun."""
    made = Watched(Repo(folder, lab))
    try:
        yield made
    finally:
        made.end()


def read(url: str) -> str:
    with urlopen(url, timeout=30) as answer:
        text: str = answer.read().decode()
        return text
