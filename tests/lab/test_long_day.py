"""A watch for as long as somebody wants, while people do whatever they do to its hosts. Real: everything."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from reconciler.lab import Lab
from tests.faults import blows
from tests.faults.controller import fill
from tests.lab.watched import LENIENT, PAGE, Watched, read, watching
from tests.load.test_git import git
from tests.watch.promtool import checked, promtool

pytestmark = [pytest.mark.lab, pytest.mark.nightly, pytest.mark.timeout(7200)]
HOSTS, NAMES = ("h1", "h2", "h3"), ("counter", "other")
SECONDS = float(os.environ.get("WATCH_SOAK", "60"))
SEED = os.environ.get("WATCH_SEED", "14")
MOST_MIB = 150


@dataclass
class Day:
    """What happens in it. Everything is as it was wanted before the next thing happens."""

    watched: Watched
    chance: random.Random
    done: Counter[str] = field(default_factory=Counter)
    memory_mib: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.repo, self.lab = self.watched.repo, self.watched.repo.lab
        self.events = (
            *(self.commit, self.commit, self.kill_by_hand, self.cut_link),
            *(self.fill_a_disk, self.fill_our_own_disk, self.edit_badly, self.kill_the_watch),
        )

    def goes_on(self) -> None:
        """One event, and what there is after it."""
        event = self.chance.choice(self.events)
        event()
        self.done[event.__name__] += 1
        planned = partial(self.repo.run, "plan", "--detailed-exitcode", expect=None)
        self.watched.until(lambda: planned().returncode == 0, f"as wanted after {event.__name__}")
        for name in NAMES:
            wanted = [self.repo.workloads[name]["placement"]["host"]]
            assert self.repo.running_on(name) == wanted, (event.__name__, name)
        self.memory_mib.append(_memory(self.watched.jobs[-1].pid))
        assert "reconcile watch" in read(self.watched.page())

    def commit(self) -> None:
        self.repo.place(self.chance.choice(NAMES), self.chance.choice(HOSTS))
        git(self.repo.folder, "add", "specs")
        git(self.repo.folder, "commit", "-q", "--allow-empty", "-m", "by the script")

    def kill_by_hand(self) -> None:
        name = self.chance.choice(NAMES)
        for host in self.repo.running_on(name):
            self.lab.exec(host, ["podman", "kill", name], check=False)

    def cut_link(self) -> None:
        host = self.chance.choice(HOSTS)
        self.lab.set_link(host, False)
        self.watched.until_told(f"{host} is unknown")
        self.lab.set_link(host, True)

    def fill_a_disk(self) -> None:
        """Reconciler's folder on a host, which is on a small disk; somebody else wants a move just then."""
        host = self.chance.choice(HOSTS)
        blows.fill_disk(self.lab, host, "")
        self.commit()
        time.sleep(self.chance.uniform(2, 10))
        free_disk(self.lab, host)

    def fill_our_own_disk(self) -> None:
        """The one that the journal is on."""
        filler = (self.repo.folder / self.repo.journal).with_name("filler")
        fill(filler)
        self.commit()
        time.sleep(self.chance.uniform(2, 10))
        filler.unlink()

    def edit_badly(self) -> None:
        specs = self.repo.folder / "specs" / "workloads.yaml"
        good = specs.read_text()
        specs.write_text("kind: Nothing\n")
        time.sleep(2)
        specs.write_text(good)

    def kill_the_watch(self) -> None:
        self.commit()
        time.sleep(self.chance.uniform(0.5, 4))
        self.watched.jobs[-1].kill()
        self.watched.jobs[-1].wait()
        self.watched.start(*PAGE)
        self.watched.until_told("the page at ")


def test_a_long_day(tmp_path: Path, clean_lab: Lab) -> None:
    """In any order, for WATCH_SOAK seconds: `make watch-soak` takes twenty minutes."""
    with small_disk(tmp_path / "state"), watching(tmp_path / "fleet", clean_lab) as watched:
        repo, day = watched.repo, Day(watched, random.Random(SEED))
        repo.journal = "../state/journal.db"
        git(repo.folder, "init", "-q")
        for number, name in enumerate(NAMES):
            repo.counter(name, number=number, health=LENIENT)
        try:
            for host in HOSTS:
                blows.small_disk(clean_lab, host, "")
            watched.start(*PAGE)
            watched.until_told("all 2 workloads are as the specs want them")
            until = time.monotonic() + SECONDS
            while time.monotonic() < until:
                day.goes_on()
            assert checked(read(f"{watched.page()}metrics").encode(), promtool(tmp_path)) == ""
            assert watched.stop() == 0
            assert repo.run("status").returncode == 0
        finally:
            watched.end()
            for host in HOSTS:
                free_disk(clean_lab, host)
            blows.large_disks(clean_lab)
    told = f"{sum(day.done.values())} events, {dict(day.done)}"
    print(f"{told}; the watch had {min(day.memory_mib)} to {max(day.memory_mib)} MiB")
    assert max(day.memory_mib) <= MOST_MIB


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """On this machine."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def free_disk(lab: Lab, host: str) -> None:
    lab.exec(host, ["rm", "-f", "/var/lib/reconciler/filler"])


def _memory(pid: int) -> int:
    """MiB of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1]) // 1024
