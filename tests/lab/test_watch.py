"""A watch over real hosts, while a person does to them what people do. Real: everything."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.request import urlopen

import pytest

from reconciler.commands.compose import under_way
from reconciler.core.moving import Moving
from reconciler.lab import Lab
from tests.lab.repo import RECONCILE, Repo

pytestmark = pytest.mark.lab
PATIENCE = 180.0
LENIENT = {"tcp": {"port": 9000}, "within": "60s"}
"""For what a busy machine at night may take to start."""


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

    def stop(self) -> int:
        self.jobs[-1].send_signal(signal.SIGTERM)
        return self.jobs[-1].wait(timeout=PATIENCE)

    def end(self) -> None:
        for job in self.jobs:
            job.kill()
            job.wait()


@pytest.fixture
def watched(tmp_path: Path, clean_lab: Lab) -> Iterator[Watched]:
    made = Watched(Repo(tmp_path, clean_lab))
    try:
        yield made
    finally:
        made.end()


@pytest.mark.timeout(900)
def test_whatever_people_do_it_converges(watched: Watched) -> None:
    repo, lab = watched.repo, watched.repo.lab
    repo.counter()
    repo.counter("other", number=1)
    watched.start()
    watched.until_told("all 2 workloads are as the specs want them")

    repo.place("counter", "h2")  # an edit
    watched.until_on("counter", "h2")

    lab.exec("h2", ["podman", "kill", "counter"])  # by hand
    watched.until_on("counter", "h2")

    good = (repo.folder / "specs" / "workloads.yaml").read_text()
    (repo.folder / "specs" / "workloads.yaml").write_text("kind: Nothing\n")  # edited badly
    watched.until_told("unreadable")
    (repo.folder / "specs" / "workloads.yaml").unlink()
    lab.exec("h1", ["podman", "kill", "other"])
    watched.until_on("other", "h1")
    assert repo.running_on() == ["h2"]
    (repo.folder / "specs" / "workloads.yaml").write_text(good)

    lab.set_link("h2", False)  # cut off
    watched.until_told("h2 is unknown")
    lab.set_link("h2", True)
    seen = len(watched.told())
    watched.until_told("all 2 workloads are as the specs want them", after=seen)

    repo.place("counter", "h3")
    watched.until_told("+ counter: hold")
    watched.jobs[-1].kill()  # the watch itself, while the workload is frozen
    watched.jobs[-1].wait()
    watched.start()
    watched.until_on("counter", "h3")
    watched.until_told("all 2 workloads are as the specs want them")
    assert watched.stop() == 0
    assert "Traceback" not in watched.told()
    assert repo.run("status").returncode == 0
    assert repo.run("plan", "--detailed-exitcode").returncode == 0


def test_a_bad_commit_is_put_back_and_known_to_the_next_watch(watched: Watched) -> None:
    repo = watched.repo
    repo.counter()
    repo.apply()
    repo.workloads["counter"]["health"] = {"tcp": {"port": 9999}, "within": "1s"}
    repo.place("counter", "h2")
    done = repo.run("watch", "--once", expect=1)
    assert "put-back" in done.stderr and "counter waits (put-back)" in done.stdout
    assert repo.running_on() == ["h1"]
    again = repo.run("watch", "--once", expect=1)
    assert "begins" not in again.stderr and "counter waits (put-back)" in again.stdout
    repo.place("counter", "h1")
    repo.workloads["counter"]["health"] = {"tcp": {"port": 9000}, "within": "5s"}
    repo.place("counter", "h2")
    assert "Everything is as the specs want it." in repo.run("watch", "--once").stdout
    assert repo.running_on() == ["h2"]


def test_two_watches_on_the_same_hosts(watched: Watched, tmp_path: Path) -> None:
    """They share no journal: the hosts keep them apart."""
    watched.repo.counter()
    watched.start()
    watched.until_told("this watch leads")
    (tmp_path / "second").mkdir()
    second = Repo(tmp_path / "second", watched.repo.lab)
    second.counter()
    assert "works on h1" in second.run("watch", "--once", expect=6).stderr
    watched.until_on("counter", "h1")
    assert watched.stop() == 0
    second.run("watch", "--once")


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_a_move_is_seen_while_it_goes_on(watched: Watched) -> None:
    """On the page of the watch, and by another process that has its journal."""
    repo = watched.repo
    repo.counter(memory=256, health=LENIENT)
    watched.start("--page", "--listen", "127.0.0.1:0")
    watched.until_told("the only workload is as the specs want it")
    (line,) = [line for line in watched.told().splitlines() if "the page at " in line]
    address = line.partition("the page at ")[2].strip()
    repo.place("counter", "h2")
    pages, found, journal = set[str](), list[Moving](), repo.folder / repo.journal

    over = threading.Event()

    def look_on() -> None:
        while not over.wait(0.05):
            found.extend(under_way(journal, time.time()))

    onlooker = threading.Thread(target=look_on)
    onlooker.start()
    try:
        while repo.running_on() != ["h2"]:
            pages.add(_read(address))
        watched.until(lambda: not under_way(journal, time.time()), "moved")
    finally:
        over.set()
        onlooker.join()
    assert any("<h3>counter " in page for page in pages)
    assert any(one.frozen_now and one.carried_on for one in found)
    copies = [one.copying for one in found if one.copying and one.copying.done]
    assert copies and copies[-1].done <= copies[-1].total, "told while it copied"
    history = _read(f"{address}history")
    assert "clients waited" in history and "predicted" in history
    assert not list(repo.folder.glob("*-copies/*")), "nothing is left of what was told"
    assert watched.stop() == 0


@pytest.mark.nightly
@pytest.mark.timeout(7200)
def test_a_long_day(watched: Watched) -> None:
    """Whatever people do, in any order, for WATCH_SOAK seconds: `make watch-soak` takes twenty minutes."""
    repo, lab = watched.repo, watched.repo.lab
    chance = random.Random(os.environ.get("WATCH_SEED", "14"))
    repo.counter(health=LENIENT)
    repo.counter("other", number=1, health=LENIENT)
    specs = repo.folder / "specs" / "workloads.yaml"
    done: Counter[str] = Counter()

    def settled() -> None:
        planned = partial(repo.run, "plan", "--detailed-exitcode", expect=None)
        watched.until(lambda: planned().returncode == 0, "as wanted")

    def edit() -> None:
        repo.place(chance.choice(["counter", "other"]), chance.choice(["h1", "h2", "h3"]))

    def kill_by_hand() -> None:
        name = chance.choice(["counter", "other"])
        for host in repo.running_on(name):
            lab.exec(host, ["podman", "kill", name], check=False)

    def cut_link() -> None:
        host = chance.choice(["h1", "h2", "h3"])
        lab.set_link(host, False)
        watched.until_told(f"{host} is unknown")
        lab.set_link(host, True)

    def edit_badly() -> None:
        good = specs.read_text()
        specs.write_text("kind: Nothing\n")
        time.sleep(2)
        specs.write_text(good)

    def kill_the_watch() -> None:
        edit()
        time.sleep(chance.uniform(0.5, 4))
        watched.jobs[-1].kill()
        watched.jobs[-1].wait()
        watched.start()

    watched.start()
    watched.until_told("all 2 workloads are as the specs want them")
    memory: list[int] = []
    until = time.monotonic() + float(os.environ.get("WATCH_SOAK", "60"))
    while time.monotonic() < until:
        blow = chance.choice([edit, edit, kill_by_hand, cut_link, edit_badly, kill_the_watch])
        blow()
        done[blow.__name__] += 1
        settled()
        for name in ("counter", "other"):
            assert repo.running_on(name) == [repo.workloads[name]["placement"]["host"]], (blow.__name__, name)
        memory.append(_memory(watched.jobs[-1].pid))
    print(f"{sum(done.values())} events, {dict(done)}; the watch had {memory[0]} to {max(memory)} MiB")
    assert max(memory) <= 150
    assert watched.stop() == 0
    assert repo.run("status").returncode == 0


def _memory(pid: int) -> int:
    """MiB of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1]) // 1024


def _read(url: str) -> str:
    with urlopen(url, timeout=30) as answer:
        text: str = answer.read().decode()
        return text
