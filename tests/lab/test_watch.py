"""A watch over real hosts, while a person does to them what people do. Real: everything."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.commands.compose import under_way
from reconciler.core.moving import Moving
from reconciler.lab import Lab
from tests.lab.repo import Repo
from tests.lab.watched import LENIENT, PAGE, Watched, read, watching

pytestmark = pytest.mark.lab


@pytest.fixture
def watched(tmp_path: Path, clean_lab: Lab) -> Iterator[Watched]:
    with watching(tmp_path, clean_lab) as made:
        yield made


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
    watched.start(*PAGE)
    watched.until_told("the only workload is as the specs want it")
    address = watched.page()
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
            pages.add(read(address))
        watched.until(lambda: not under_way(journal, time.time()), "moved")
    finally:
        over.set()
        onlooker.join()
    assert any("<h3>counter " in page for page in pages)
    assert any(one.frozen_now and one.carried_on for one in found)
    copies = [one.copying for one in found if one.copying and one.copying.done]
    assert copies and copies[-1].done <= copies[-1].total, "told while it copied"
    history = read(f"{address}history")
    assert "clients waited" in history and "predicted" in history
    assert not list(repo.folder.glob("*-copies/*")), "nothing is left of what was told"
    assert watched.stop() == 0
