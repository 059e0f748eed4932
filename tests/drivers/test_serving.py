"""Memory that follows from a source: what a dump is split into, who puts it in place, and who feeds it
(templates/criu/split.py and serve.py, templates/host/transfer-feed.sh). Real programs and a real userfaultfd; CRIU
and SSH are played."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.core.pagemap import PAGE
from reconciler.resources import host_script
from tests.drivers.restored import Restored
from tests.drivers.served import (
    EAGER,
    FRAME,
    KILLED,
    LATER,
    Feed,
    Server,
    crc,
    dumped,
    feeding,
    later,
    looked,
    serves,
    wait_for,
    whole,
    zeros,
)


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    """A dump's images on the source, split."""
    return dumped(tmp_path / "source")


@pytest.fixture
def server(tmp_path: Path, dump: Path) -> Iterator[Server]:
    server = Server(tmp_path, dump)
    yield server
    server.end()


@pytest.fixture
def task(server: Server) -> Iterator[Restored]:
    """Restored, and its restore is over. It has more memory than images have pages, all of it registered."""
    task = Restored(server.home, LATER + 100)
    task.do("over")
    yield task
    task.end()


def test_what_a_restore_needs_is_set_apart(dump: Path) -> None:
    head, _, data = (dump / "first").read_bytes().partition(b"\n")
    assert json.loads(head) == {"sizes": {"1": (EAGER + LATER) * PAGE}, "parts": [[1, 0, EAGER * PAGE]]}
    assert data == (dump / "pages-1.img").read_bytes()[: EAGER * PAGE]


def test_a_dump_that_its_maps_do_not_describe_is_refused(dump: Path) -> None:
    with (dump / "pages-1.img").open("ab") as pages:
        pages.write(bytes(PAGE))
    argv = [sys.executable, "-c", host_script("criu", "split", "py"), str(dump)]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert done.returncode != 0 and "not as long" in done.stderr


def test_a_page_is_there_when_it_has_come_and_is_asked_for_out_of_order(
    server: Server, task: Restored, dump: Path
) -> None:
    feed = server.feed()
    assert feed.word() == (b"need", 1, EAGER * PAGE, LATER * PAGE)
    eager = (dump / "pages-1.img").read_bytes()[: EAGER * PAGE]
    assert (server.images / "pages-1.img").read_bytes()[: EAGER * PAGE] == eager
    task.say("sum", 300, 1)
    word, _, at, length = feed.word()
    assert (word, at) == (b"want", (EAGER + 300) * PAGE) and length >= PAGE
    assert not task.answers(0.3)
    feed.send(at, later(dump)[300 * PAGE :][:PAGE])
    assert feed.word() == (b"ack ", 0, 0, PAGE)
    assert task.answer() == crc(dump, 300, 1)
    server.restored()
    assert feed.word()[0] == b"go  "
    assert task.do("sum", LATER, 100) == zeros(100), "what no image has a page of"


def test_while_it_is_restored_a_task_gets_what_it_waits_for_and_no_more(server: Server, dump: Path) -> None:
    """Its memory is not registered as a whole until then."""
    task = Restored(server.home, LATER)
    feed = server.feed()
    feed.word()
    task.say("sum", 0, 1)
    assert feed.word()[0] == b"want"
    feed.bring(dump, 0, 20)
    assert task.answer() == crc(dump, 0, 1)
    task.do("over")
    feed.bring(dump, 20, LATER - 20)
    assert server.status() == "0"
    assert task.do("sum", 0, LATER) == crc(dump, 0, LATER)
    task.end()


def test_a_page_whose_sum_differs_is_asked_for_again_and_not_put_in_place(
    server: Server, task: Restored, dump: Path
) -> None:
    feed = server.feed()
    feed.word()
    task.say("sum", 0, 1)
    _, _, at, _ = feed.word()
    feed.send(at, bytes(PAGE), told=1)
    assert feed.word() == (b"need", 1, at, PAGE)
    assert feed.word()[0] == b"ack "
    assert feed.word()[:3] == (b"want", 1, at)
    assert not task.answers(0.2)
    feed.send(at, later(dump)[:PAGE])
    assert task.answer() == crc(dump, 0, 1)


@pytest.mark.parametrize("spoiled", [b"\xff" * 64, FRAME.pack(9, PAGE, 0, 0), FRAME.pack(1, PAGE, 1 << 40, 0)])
def test_a_feed_that_says_nonsense_is_dropped_and_the_next_one_goes_on(
    server: Server, task: Restored, dump: Path, spoiled: bytes
) -> None:
    feed = server.feed()
    feed.word()
    os.write(feed.frames, spoiled + bytes(PAGE))
    assert feed.relay.recv(1) == b""
    feed.close()
    feed = server.feed()
    assert feed.word() == (b"need", 1, EAGER * PAGE, LATER * PAGE)
    feed.send(EAGER * PAGE, later(dump)[:PAGE])
    assert task.do("sum", 0, 1) == crc(dump, 0, 1)


def test_images_are_a_copy_again_when_all_pages_are_there(server: Server, task: Restored, dump: Path) -> None:
    feed = server.feed()
    feed.word()
    assert whole(dump) and not whole(server.images)
    for at in range(0, LATER, 200):
        assert not whole(server.images)
        feed.bring(dump, at, 200)
    assert server.status() == "0"
    assert whole(server.images)
    assert (server.images / "pages-1.img").read_bytes() == (dump / "pages-1.img").read_bytes()
    assert task.do("sum", 0, LATER) == crc(dump, 0, LATER)
    wait_for(lambda: not serves(server.home))


@pytest.mark.parametrize("killed", KILLED, ids=" and ".join)
def test_who_serves_is_made_anew_and_nothing_is_lost(
    server: Server, task: Restored, dump: Path, killed: tuple[str, ...]
) -> None:
    feed = server.feed()
    feed.word()
    feed.bring(dump, 0, 50)
    task.do("set", 10, 7)
    task.say("sum", 300, 1)
    assert feed.word()[0] == b"want"
    for _ in range(3):
        server.kill(*killed)
    assert not task.answers(0.3), "it waits on"
    assert feed.relay.recv(1) == b"", "so that it is made anew"
    feed.close()
    feed = server.feed()
    assert feed.word() == (b"need", 1, (EAGER + 50) * PAGE, (LATER - 50) * PAGE), "what came is not asked for"
    assert feed.word()[0] == b"want"
    feed.bring(dump, 50, LATER - 50)
    assert task.answer() == crc(dump, 300, 1)
    assert server.status() == "0"
    assert task.do("sum", 0, 10) == crc(dump, 0, 10)
    assert task.do("sum", 10, 1) == zlib.crc32(b"\7" * PAGE), "what it has written meanwhile"
    assert task.do("sum", 11, LATER - 11) == crc(dump, 11, LATER - 11)


@pytest.mark.parametrize("killed", KILLED, ids=" and ".join)
def test_what_a_task_did_with_its_memory_outlives_who_heard_of_it(
    server: Server, task: Restored, dump: Path, killed: tuple[str, ...]
) -> None:
    task.do("unmap", 100, 50)
    task.do("empty", 200, 50)
    task.do("move", 300, 50, 620)
    task.do("move", 350, 50, 400)
    server.kill(*killed)
    task.do("empty", 0, 10)
    feed = server.feed()
    feed.word()
    feed.bring(dump, 0, LATER)
    assert server.status() == "0"
    assert task.do("sum", 0, 10) == zeros(10)
    assert task.do("sum", 10, 90) == crc(dump, 10, 90)
    assert task.do("sum", 200, 50) == zeros(50)
    assert task.do("sum", 620, 50) == crc(dump, 300, 50)
    assert task.do("sum", 400, 50) == crc(dump, 350, 50)
    assert task.do("sum", 450, 150) == crc(dump, 450, 150)


def _target(descriptor: Path) -> str:
    """What it is of; empty where it has been closed meanwhile."""
    try:
        return os.readlink(descriptor)
    except FileNotFoundError:
        return ""


def test_who_heard_of_a_change_and_did_not_note_it_goes_on_no_more(server: Server, task: Restored) -> None:
    """Nobody knows what was read. Tasks wait for what is missing, and never get zeros."""
    keeper = server.pid("keeper")
    notes = [f for f in Path(f"/proc/{keeper}/fd").iterdir() if "notes" in _target(f)]
    with open(notes[0], "r+b") as file:
        file.write(b"\1")
    os.kill(server.pid("lazy-pages"), signal.SIGKILL)
    assert server.status() == "3"
    task.say("sum", 0, 1)
    assert not task.answers(0.5)
    task.end()
    wait_for(lambda: not serves(server.home))
    assert "killed while it heard" in server.log.read_text()


def test_without_room_for_what_arrives_nobody_reads_anything_else(
    server: Server, task: Restored, dump: Path
) -> None:
    """As when memory for images has run out: who serves them gives up, and tasks wait until they are ended."""
    feed = server.feed()
    feed.word()
    feed.bring(dump, 0, 50)
    room = f"--fsize={(EAGER + 100) * PAGE}"
    subprocess.run(["prlimit", "--pid", str(server.pid("lazy-pages")), room], check=True)
    feed.send((EAGER + 300) * PAGE, later(dump)[300 * PAGE :][:PAGE])
    assert server.status() == "3"
    assert "pages-1.img cannot be written" in server.log.read_text()
    assert task.do("sum", 0, 50) == crc(dump, 0, 50)
    task.say("sum", 300, 1)
    assert not task.answers(0.5)
    task.end()
    wait_for(lambda: not serves(server.home))


def test_who_looks_hears_what_is_missing_and_for_how_long_somebody_has_waited(
    server: Server, task: Restored, dump: Path
) -> None:
    task.say("sum", 0, 1)
    wait_for(lambda: looked(server.images).stdout.split() == ["missing", str(LATER * PAGE), "1"])
    feed = server.feed()
    feed.word()
    feed.bring(dump, 0, 100)
    task.answer()
    wait_for(lambda: looked(server.images).stdout.split() == ["missing", str((LATER - 100) * PAGE), "0"])
    feed.bring(dump, 100, LATER - 100)
    wait_for(lambda: looked(server.images).stdout == "")


def test_a_workload_that_ends_ends_who_serves_it(server: Server, task: Restored) -> None:
    task.end()
    assert server.status() == "0"
    wait_for(lambda: not serves(server.home))


def test_a_restore_that_fails_ends_who_serves_it(server: Server) -> None:
    task = Restored(server.home, LATER)
    task.do("unmap", 0, 1)
    task.end()
    assert server.status() == "5"
    wait_for(lambda: not serves(server.home))


def test_who_removes_the_notes_ends_both(server: Server) -> None:
    assert serves(server.home)
    server.end()


def test_images_without_their_pages_are_no_copy(dump: Path) -> None:
    (dump / "pages-1.img").unlink()
    assert not whole(dump)


def test_whatever_a_task_does_and_whoever_is_killed_its_memory_is_right(
    server: Server, task: Restored, dump: Path
) -> None:
    """At random: pages come in any order, the task changes its memory, and both processes are killed."""
    chance = random.Random(7)
    memory = bytearray(later(dump) + bytes(100 * PAGE))
    feed: Feed | None = None
    missing = list(range(0, LATER, 5))
    chance.shuffle(missing)
    for step in range(120):
        kind = chance.choice(["bring", "bring", "bring", "set", "empty", "kill"])
        page = chance.randrange(LATER)
        if feed is None:
            feed = server.feed()
        if kind == "bring" and missing:
            feed.bring(dump, missing.pop(), 5)
        elif kind == "set":
            task.say("set", page, step)
            while not task.answers(0.05):
                feed.bring(dump, page, 1)
            task.answer()
            memory[page * PAGE : (page + 1) * PAGE] = bytes([step]) * PAGE
        elif kind == "empty":
            count = min(chance.randrange(1, 30), LATER - page)
            task.do("empty", page, count)
            memory[page * PAGE : (page + count) * PAGE] = bytes(count * PAGE)
        elif kind == "kill":
            server.kill(*chance.choice(KILLED))
            feed.close()
            feed = None
    feed = feed or server.feed()
    feed.bring(dump, 0, LATER)
    assert server.status() == "0"
    assert task.do("sum", 0, LATER) == zlib.crc32(memory[: LATER * PAGE])


def test_the_feed_sends_all_when_told_what_is_wanted_first_and_connects_again(
    server: Server, task: Restored, dump: Path
) -> None:
    """The program that stands in transfer-feed.sh, over a pipe that breaks once."""
    first = feeding(dump, server)
    assert task.do("sum", LATER - 1, 1) == crc(dump, LATER - 1, 1)
    assert not whole(server.images), "held back, but for what is wanted"
    first.kill()
    first.wait()
    second = feeding(dump, server)
    server.restored()
    assert second.wait(timeout=20) == 0, "nothing is left to feed"
    assert server.status() == "0"
    assert task.do("sum", 0, LATER) == crc(dump, 0, LATER)
