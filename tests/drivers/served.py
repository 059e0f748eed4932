"""Who serves memory that follows (templates/criu/serve.py), as a restore starts it; and who feeds it, played."""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import time
import zlib
from contextlib import suppress
from pathlib import Path

from reconciler.core import pagemap
from reconciler.core.pagemap import LAZY, PAGE, PRESENT, Pagemap, PageRun
from reconciler.resources import data_path, host_script
from tests.drivers.restored import BASE, TASK

EAGER, LATER = 5, 600
"""Pages of the first run, which a restore needs, and of the second."""
KILLED = (("lazy-pages",), ("keeper",), ("lazy-pages", "keeper"))
FRAME, WORD = struct.Struct("<IIQI"), struct.Struct("<4sIQQ")


def dumped(images: Path, later: int = LATER) -> Path:
    """A dump's images on the source, split."""
    images.mkdir(parents=True)
    runs = (PageRun(BASE - 2**20, EAGER, PRESENT), PageRun(BASE, later, PRESENT | LAZY))
    (images / f"pagemap-{TASK}.img").write_bytes(pagemap.encode(Pagemap(1, runs, bytes(8))))
    (images / "pages-1.img").write_bytes(random.Random(1).randbytes((EAGER + later) * PAGE))
    (images / "inventory.img").write_bytes(b"x")
    subprocess.run([sys.executable, "-c", host_script("criu", "split", "py"), str(images)], check=True)
    return images


class Server:
    """Who serves the memory, as a restore starts it on the destination."""

    def __init__(self, folder: Path, dump: Path, *words: str, program: str = "", cgroups: str = "") -> None:
        self.home = folder / "home"
        self.images = self.home / "checkpoint"
        self.images.mkdir(parents=True)
        (self.home / "pages").mkdir()
        for image in dump.iterdir():
            if image.is_file() and not image.name.startswith("pages-"):
                (self.images / image.name).write_bytes(image.read_bytes())
        program = program or host_script("criu", "serve", "py")
        argv = [sys.executable, "-c", program, "lazy-pages", *words, str(self.home)]
        environment = os.environ | {"RECONCILER_CGROUPS": cgroups or str(folder)}
        self.log = folder / "pages.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(argv, stderr=log, env=environment)
        wait_for(lambda: (self.home / "lazy-pages.socket").exists())

    def pid(self, name: str) -> int:
        return int((self.home / f"{name}.pid").read_text())

    def kill(self, *names: str) -> None:
        """Some of its processes, when they have noted what they heard; others have made them anew then."""
        time.sleep(0.05)
        pids = {name: self.pid(name) for name in names}
        for pid in pids.values():
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: all(self.pid(name) != pid for name, pid in pids.items()))

    def connect(self) -> socket.socket:
        """As who hands something over does."""
        here = os.getcwd()
        os.chdir(self.home)  # paths of sockets are short
        caller = socket.socket(socket.AF_UNIX)
        caller.connect("pages.socket")
        os.chdir(here)
        return caller

    def feed(self) -> Feed:
        feed = Feed(self.connect())
        return feed

    def restored(self) -> None:
        (self.home / "pages" / "go").touch()

    def status(self) -> str:
        wait_for(lambda: (self.home / "lazy-pages.status").exists())
        return (self.home / "lazy-pages.status").read_text().strip()

    def end(self) -> None:
        for name in ("lazy-pages.pid", "keeper.pid"):
            with suppress(FileNotFoundError):
                (self.home / name).unlink()
        wait_for(lambda: not serves(self.home))


def wait_for(done: object, within: float = 20) -> None:
    assert callable(done)
    until = time.monotonic() + within
    while not done():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.005)


def serves(home: Path) -> bool:
    found = subprocess.run(["pgrep", "-f", f"lazy-pages.* {home}$"], check=False, capture_output=True)
    return found.returncode == 0


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

    def bring(self, dump: Path, page: int, count: int) -> None:
        """Pages of the second run."""
        for at in range(page, page + count, 10):  # a pipe holds no more
            most = min(10, page + count - at)
            self.send((EAGER + at) * PAGE, later(dump)[at * PAGE :][: most * PAGE])
            while self.word()[0] != b"ack ":
                pass

    def close(self) -> None:
        os.close(self.words)
        os.close(self.frames)
        self.relay.close()


def feeding(dump: Path, server: Server) -> subprocess.Popen[bytes]:
    """The program that stands in transfer-feed.sh, and the one in transfer-receive.sh as the way to the server."""
    text = data_path("templates", "host", "transfer-feed.sh").read_text()
    (program,) = re.findall(r"python3 -c '\n(.*?)' \"\$images\"", text, re.S)
    text = data_path("templates", "host", "transfer-receive.sh").read_text()
    (relay,) = re.findall(r"python3 -c '\n(.*?)' && status", text, re.S)
    (server.home / "relay").write_text(f"import os\nos.chdir({str(server.home)!r})\n{relay}")
    argv = [sys.executable, "-c", program, str(dump), sys.executable, str(server.home / "relay")]
    return subprocess.Popen(argv)


def later(dump: Path) -> bytes:
    return (dump / "pages-1.img").read_bytes()[EAGER * PAGE :]


def crc(dump: Path, page: int, count: int) -> int:
    return zlib.crc32(later(dump)[page * PAGE :][: count * PAGE])


def zeros(count: int) -> int:
    return zlib.crc32(bytes(count * PAGE))


def looked(folder: Path) -> subprocess.CompletedProcess[str]:
    argv = ["/bin/sh", "-c", host_script("criu", "restorable"), "restorable", str(folder)]
    return subprocess.run(argv, check=False, capture_output=True, text=True)


def whole(folder: Path) -> bool:
    return looked(folder).returncode == 0
