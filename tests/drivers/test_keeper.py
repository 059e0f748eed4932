"""Who stands between a lazy restore and CRIU's page daemon (templates/criu/keeper.pl)."""

from __future__ import annotations

import os
import platform
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from reconciler.resources import data_path

KEEPER = data_path("templates", "criu", "keeper.pl")


def _removed(home: Path) -> None:
    home.rmdir()


def _cannot_note_itself(home: Path) -> None:
    (home / "keeper.pid").mkdir()


def _removed_while_it_waits(home: Path) -> None:
    """The daemon listens; then the folder with its note goes, as by `podman rm`."""
    (home / "pages").mkdir()
    listens = socket.socket(socket.AF_UNIX)
    listens.bind(str(home / "pages" / "lazy-pages.socket"))
    listens.listen()

    def remove() -> None:
        with listens, suppress(OSError):
            listens.accept()
            (home / "keeper.pid").unlink()

    threading.Thread(target=remove, daemon=True).start()


@pytest.mark.parametrize("spoil", [_removed, _cannot_note_itself, _removed_while_it_waits])
def test_a_page_daemon_that_nobody_asked_ends_with_its_keeper(tmp_path: Path, spoil: object) -> None:
    """It would wait for ever: whoever removed the container while its restore began has not seen it."""
    assert callable(spoil)
    (home := tmp_path / "h").mkdir()
    spoil(home)
    with subprocess.Popen(["sleep", "60"]) as daemon:
        try:
            argv = ["perl", str(KEEPER), str(home), str(daemon.pid)]
            keeper = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
            assert keeper.returncode != 0
            assert daemon.wait(timeout=5) == -signal.SIGTERM, keeper.stderr
        finally:
            daemon.kill()


FINISHED = 0x52535446
RESTORER = """
import ctypes, fcntl, os, socket, struct, sys
held = ctypes.CDLL(None, use_errno=True).syscall(NUMBER, os.O_CLOEXEC)
if held < 0:
    sys.exit(9)
fcntl.ioctl(held, 0xc018aa3f, struct.pack("QQQ", 0xaa, 0, 0)) # UFFDIO_API
os.chdir(sys.argv[1])
keeper = socket.socket(socket.AF_UNIX)
keeper.connect("lazy-pages.socket")
keeper.send(struct.pack("i", 7))
socket.send_fds(keeper, [b"x"], [held])
keeper.send(struct.pack("I", FINISHED))
sys.stdin.read(1)
"""
"""Stands for `criu restore` and what it restores: a process with a userfaultfd, which the keeper gets."""
USERFAULTFD = {"x86_64": 323, "aarch64": 282}


class Restore:
    """A keeper between a daemon, played by the test, and a restore that is over."""

    def __init__(self, home: Path) -> None:
        (home / "pages").mkdir(parents=True)
        self.daemon = subprocess.Popen(["sleep", "60"])
        self.listens = self._listen(home / "pages" / "lazy-pages.socket")
        self.keeper = subprocess.Popen(["perl", str(KEEPER), str(home), str(self.daemon.pid)])
        self.connection = self.listens.accept()[0]
        self.connection.settimeout(20)
        deadline = time.monotonic() + 10
        while not (home / "lazy-pages.socket").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        text = RESTORER.replace("NUMBER", str(USERFAULTFD[platform.machine()])).replace("FINISHED", str(FINISHED))
        argv = [sys.executable, "-c", text, str(home)]
        self.restored = subprocess.Popen(argv, stdin=subprocess.PIPE)

    @staticmethod
    def _listen(path: Path) -> socket.socket:
        listens = socket.socket(socket.AF_UNIX)
        listens.settimeout(20)
        listens.bind(str(path))
        listens.listen()
        return listens

    def task(self) -> None:
        """What the daemon hears of the one task."""
        if self.connection.recv(4) == b"":
            assert self.restored.wait(timeout=10) == 9
            pytest.skip("nobody may have a userfaultfd here")
        _, (fd,), _, _ = socket.recv_fds(self.connection, 1, 1)
        os.close(fd)

    def word(self) -> int:
        return int(struct.unpack("I", self.connection.recv(4))[0])

    def close(self) -> None:
        self.connection.close()
        self.listens.close()
        for process in (self.restored, self.keeper, self.daemon):
            process.kill()
            process.communicate()


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:  # paths of sockets are short
        yield Path(folder)


def test_the_daemon_hears_that_the_restore_is_over(home: Path) -> None:
    restore = Restore(home)
    try:
        restore.task()
        assert restore.word() == FINISHED
    finally:
        restore.close()
