"""Memory that follows from a source: what a dump is split into, the page server beside CRIU's daemon, and who
feeds it (templates/criu/split.py and serve.py, templates/host/transfer-feed.sh). Real programs; the daemon and SSH
are played."""

from __future__ import annotations

import json
import os
import random
import re
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from reconciler.core import pagemap
from reconciler.core.pagemap import LAZY, PAGE, PRESENT, Pagemap, PageRun
from reconciler.resources import data_path, host_script

TASK, BASE = 77, 0x10000
EAGER, LATER = 5, 600
"""Pages of the first run, which a restore needs, and of the second."""
FRAME, WORD = struct.Struct("<IIQI"), struct.Struct("<4sIQQ")
OLD, NEW = struct.Struct("<IIQQ"), struct.Struct("<I4xQQQ")
GET, CLOSE = 7, 0x1024
DAEMON = """
import socket, sys
theirs = socket.socket(fileno=int(sys.argv[sys.argv.index("--ps-socket") + 1]))
test = socket.socket(socket.AF_UNIX)
test.connect(sys.argv[1])
socket.send_fds(test, [b"x"], [theirs.fileno()])
theirs.close()
test.recv(1)
"""
"""Stands for CRIU's: hands its connection to the test."""


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    """A dump's images on the source, split."""
    (images := tmp_path / "source").mkdir()
    runs = (PageRun(BASE, EAGER, PRESENT), PageRun(BASE + 2**20, LATER, PRESENT | LAZY))
    (images / f"pagemap-{TASK}.img").write_bytes(pagemap.encode(Pagemap(1, runs, bytes(8))))
    (images / "pages-1.img").write_bytes(random.Random(1).randbytes((EAGER + LATER) * PAGE))
    (images / "inventory.img").write_bytes(b"x")
    subprocess.run([sys.executable, "-c", host_script("criu", "split", "py"), str(images)], check=True)
    return images


class Server:
    """The page server, as a restore starts it on the destination, and the daemon's end of its connection."""

    def __init__(self, folder: Path, dump: Path) -> None:
        self.home = folder / "home"
        self.images = self.home / "checkpoint"
        self.images.mkdir(parents=True)
        (self.home / "pages").mkdir()
        (self.home / "lazy-pages.pid").touch()
        for image in dump.iterdir():
            if not image.name.startswith("pages-"):
                (self.images / image.name).write_bytes(image.read_bytes())
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(folder / "t"))
        listening.listen()
        text = host_script("criu", "serve", "py")
        command = [sys.executable, "-c", DAEMON, str(folder / "t")]
        self.process = subprocess.Popen([sys.executable, "-c", text, str(self.home), *command])
        self.test = listening.accept()[0]
        _, (fd,), _, _ = socket.recv_fds(self.test, 1, 1)
        self.daemon = socket.socket(fileno=fd)
        self.daemon.settimeout(20)
        self.form = NEW

    def ask(self, address: int, count: int) -> None:
        self.daemon.sendall(self.form.pack(GET, count, address, TASK))

    def answer(self) -> tuple[int, bytes]:
        """An address, and the pages from there on."""
        _, count, address, task = self.form.unpack(exactly(self.daemon, self.form.size))
        assert task == TASK
        return address, exactly(self.daemon, count * PAGE)

    def connect(self) -> socket.socket:
        """As who hands something over does."""
        deadline = time.monotonic() + 10
        while not (self.home / "pages.socket").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        here = os.getcwd()
        os.chdir(self.home)  # paths of sockets are short
        caller = socket.socket(socket.AF_UNIX)
        caller.connect("pages.socket")
        os.chdir(here)
        return caller

    def feed(self) -> Feed:
        return Feed(self.connect())

    def restored(self) -> None:
        (self.home / "pages" / "go").touch()

    def end(self) -> None:
        with suppress(OSError):
            self.daemon.sendall(self.form.pack(CLOSE, 0, 0, 0))
            while self.daemon.recv(1 << 20):
                pass
        self.daemon.close()
        self.test.close()
        self.process.wait(timeout=10)


class Feed:
    """The source's end of a feed, played by the test."""

    def __init__(self, relay: socket.socket) -> None:
        self.relay = relay
        self.words, theirs_out = os.pipe()
        theirs_in, self.frames = os.pipe()
        socket.send_fds(self.relay, [b"x"], [theirs_in, theirs_out])
        os.close(theirs_in)
        os.close(theirs_out)

    def word(self) -> tuple[bytes, int, int, int]:
        got = b""
        while len(got) < WORD.size:
            more = os.read(self.words, WORD.size - len(got))
            assert more, "it was dropped"
            got += more
        return WORD.unpack(got)

    def send(self, at: int, data: bytes, told: int | None = None) -> None:
        os.write(self.frames, FRAME.pack(1, len(data), at, zlib.crc32(data) if told is None else told) + data)

    def close(self) -> None:
        os.close(self.words)
        os.close(self.frames)
        self.relay.close()


def exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        assert more, "it was closed"
        data += more
    return data


@pytest.fixture
def server(tmp_path: Path, dump: Path) -> Iterator[Server]:
    server = Server(tmp_path, dump)
    yield server
    server.end()


def later(dump: Path) -> bytes:
    return (dump / "pages-1.img").read_bytes()[EAGER * PAGE :]


def whole(folder: Path) -> bool:
    argv = ["/bin/sh", "-c", host_script("criu", "restorable"), "restorable", str(folder)]
    return subprocess.run(argv, check=False).returncode == 0


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


@pytest.mark.parametrize("form", [OLD, NEW], ids=["until-4.1.1", "since-4.2"])
def test_a_page_is_answered_when_it_has_come_and_asked_for_out_of_order(
    server: Server, dump: Path, form: struct.Struct
) -> None:
    server.form = form
    feed = server.feed()
    assert feed.word() == (b"need", 1, EAGER * PAGE, LATER * PAGE)
    assert (server.images / "pages-1.img").read_bytes()[: EAGER * PAGE] == (dump / "pages-1.img").read_bytes()[
        : EAGER * PAGE
    ]
    number = 300
    server.ask(BASE + 2**20 + number * PAGE, 1)
    word, _, at, length = feed.word()
    assert (word, at) == (b"want", (EAGER + number) * PAGE) and length >= PAGE
    server.daemon.settimeout(0.3)
    with pytest.raises(TimeoutError):
        server.answer()
    server.daemon.settimeout(20)
    page = later(dump)[number * PAGE :][:PAGE]
    feed.send(at, page)
    assert feed.word() == (b"ack ", 0, 0, PAGE)
    assert server.answer() == (BASE + 2**20 + number * PAGE, page)
    server.restored()
    assert feed.word()[0] == b"go  "


def test_a_page_whose_sum_differs_is_asked_for_again_and_not_answered(server: Server, dump: Path) -> None:
    feed = server.feed()
    feed.word()
    server.ask(BASE + 2**20, 1)
    _, _, at, _ = feed.word()
    feed.send(at, bytes(PAGE), told=1)
    assert feed.word() == (b"need", 1, at, PAGE)
    assert feed.word()[0] == b"ack "
    assert feed.word()[:3] == (b"want", 1, at)
    feed.send(at, later(dump)[:PAGE])
    assert server.answer() == (BASE + 2**20, later(dump)[:PAGE])


@pytest.mark.parametrize("spoiled", [b"\xff" * 64, FRAME.pack(9, PAGE, 0, 0), FRAME.pack(1, PAGE, 1 << 40, 0)])
def test_a_feed_that_says_nonsense_is_dropped_and_the_next_one_goes_on(
    server: Server, dump: Path, spoiled: bytes
) -> None:
    feed = server.feed()
    feed.word()
    os.write(feed.frames, spoiled + bytes(PAGE))
    assert feed.relay.recv(1) == b""
    feed.close()
    feed = server.feed()
    assert feed.word() == (b"need", 1, EAGER * PAGE, LATER * PAGE)
    feed.send(EAGER * PAGE, later(dump)[:PAGE])
    server.ask(BASE + 2**20, 1)
    assert server.answer()[1] == later(dump)[:PAGE]


def test_images_are_a_copy_again_when_all_pages_are_there(server: Server, dump: Path) -> None:
    feed = server.feed()
    feed.word()
    assert whole(dump) and not whole(server.images)
    for at in range(0, LATER, 200):
        assert not whole(server.images)
        feed.send((EAGER + at) * PAGE, later(dump)[at * PAGE :][: 200 * PAGE])
        assert feed.word()[0] == b"ack "
    assert whole(server.images)
    assert (server.images / "pages-1.img").read_bytes() == (dump / "pages-1.img").read_bytes()


def test_the_daemon_is_told_that_the_restore_is_over_when_all_has_come(server: Server, dump: Path) -> None:
    """Not before, for then it polls without a pause; and its connection outlives who has handed it over."""
    feed = server.feed()
    feed.word()
    daemon, restorer = socket.socketpair()
    keeper = server.connect()
    socket.send_fds(keeper, [b"\0"], [restorer.fileno()])
    keeper.close()
    restorer.close()
    feed.send(EAGER * PAGE, later(dump)[: 200 * PAGE])
    assert feed.word()[0] == b"ack "
    daemon.settimeout(0.3)
    with pytest.raises(TimeoutError):
        daemon.recv(4)
    daemon.settimeout(20)
    for at in range(200, LATER, 200):
        feed.send((EAGER + at) * PAGE, later(dump)[at * PAGE :][: 200 * PAGE])
    assert struct.unpack("<I", daemon.recv(4)) == (0x52535446,)
    daemon.settimeout(0.3)
    with pytest.raises(TimeoutError):
        daemon.recv(4)
    daemon.close()


def test_who_removes_the_folder_ends_the_server_and_with_it_the_daemon(server: Server) -> None:
    server.ask(BASE + 2**20, 1)
    (server.home / "lazy-pages.pid").unlink()
    assert server.daemon.recv(1) == b""


def test_images_without_their_pages_are_no_copy(dump: Path) -> None:
    (dump / "pages-1.img").unlink()
    assert not whole(dump)


def test_the_feed_sends_all_when_told_what_is_wanted_first_and_connects_again(
    server: Server, dump: Path, tmp_path: Path
) -> None:
    """The program that stands in transfer-feed.sh, over a pipe that breaks once."""
    text = data_path("templates", "host", "transfer-feed.sh").read_text()
    (program,) = re.findall(r"python3 -c '\n(.*?)' \"\$images\"", text, re.S)
    text = data_path("templates", "host", "transfer-receive.sh").read_text()
    (relay,) = re.findall(r"python3 -c '\n(.*?)' && status", text, re.S)
    (tmp_path / "relay").write_text(f"import os\nos.chdir({str(server.home)!r})\n{relay}")

    def feeding() -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-c", program, str(dump), sys.executable, str(tmp_path / "relay")]
        return subprocess.Popen(argv)

    first = feeding()
    number = LATER - 1
    server.ask(BASE + 2**20 + number * PAGE, 1)
    assert server.answer()[1] == later(dump)[number * PAGE :], "held back, but for what is wanted"
    first.kill()
    first.wait()
    second = feeding()
    server.restored()
    got: dict[int, bytes] = {}
    for at in range(0, LATER, 200):
        server.ask(BASE + 2**20 + at * PAGE, 200)
        done = 0
        address, data = server.answer()
        got[address], done = data, len(data) // PAGE
        while done < 200:
            server.ask(BASE + 2**20 + (at + done) * PAGE, 200 - done)
            address, data = server.answer()
            got[address] = data
            done += len(data) // PAGE
    assert b"".join(got[address] for address in sorted(got)) == later(dump)
    ending = threading.Timer(0.1, server.end)
    ending.start()
    assert second.wait(timeout=10) == 0, "nothing is left to feed"
    ending.join()
