"""What is printed never decides what happens: streams that cannot fail and do not block, for the whole process.

A reader that went away, a full disk, a terminal that is closed or stopped with Ctrl-S: a thread of its own meets
them, and keeps the first error. The program goes on, and `judged` says at the end what that means.
"""

from __future__ import annotations

import errno
import io
import os
import select
import signal
import sys
import threading
from collections.abc import Sequence
from queue import SimpleQueue
from typing import IO, Any, Final

from reconciler.text import terminal

STDOUT, STDERR = 1, 2
MOST_WAITING: Final = 8 * 2**20
"""Bytes of progress, or of a log, that wait for their reader; what comes on top is not shown."""
ACTS: Final = frozenset({"apply", "resume", "resolve"})
"""Commands whose exit code says what became of workloads, whoever reads about it."""


class Outlet:
    """Writes to both outputs, in the order it was told to."""

    def __init__(self) -> None:
        self.failed: dict[int, OSError] = {}
        self._waiting = 0
        self._queue: SimpleQueue[tuple[int, bytes] | threading.Event] = SimpleQueue()
        threading.Thread(target=self._write_all, name="output", daemon=True).start()

    def put(self, fd: int, data: bytes) -> None:
        """Write when the reader is ready; returns at once."""
        if fd != STDOUT and self._waiting > MOST_WAITING:
            return
        self._waiting += len(data)
        self._queue.put((fd, data))

    def drain(self, limit: float | None = None) -> bool:
        """Wait until everything was written, or could not be; at most `limit` seconds. Nothing may depend on this
        coming back soon without one."""
        done = threading.Event()
        self._queue.put(done)
        return done.wait(limit)

    def _write_all(self) -> None:
        while True:
            item = self._queue.get()
            if isinstance(item, threading.Event):
                item.set()
                continue
            fd, data = item
            if fd not in self.failed:
                try:
                    _write(fd, data)
                except OSError as error:
                    self.failed[fd] = error
            self._waiting -= len(data)

    def judged(self, status: int, arguments: Sequence[str]) -> int:
        """The exit code, once all was written. Output that did not fit is said, and is a failure of a command that
        only shows; a reader that went away has seen enough."""
        self.drain()
        error = self.failed.get(STDOUT)
        if error is None or error.errno == errno.EPIPE:
            return status
        self.put(STDERR, f"error: the output could not be written: {error.strerror}\n".encode())
        self.drain()
        return status or int(not ACTS & set(arguments))


def _write(fd: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(fd, data) :]
        except BlockingIOError:
            select.select([], [fd], [])


class _Stream(io.RawIOBase):
    """A file descriptor of which every write is taken."""

    def __init__(self, outlet: Outlet, fd: int) -> None:
        super().__init__()
        self._outlet, self._fd = outlet, fd

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._fd

    def isatty(self) -> bool:
        return os.isatty(self._fd)

    def write(self, data: Any, /) -> int:
        taken = bytes(data)
        self._outlet.put(self._fd, taken)
        return len(taken)


def protect() -> Outlet:
    """Put the streams in place. Descriptors that were closed are opened on nothing, or the next file or socket
    would get their numbers, and what is printed with it."""
    for fd, mode in ((0, os.O_RDONLY), (STDOUT, os.O_WRONLY), (STDERR, os.O_WRONLY)):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, mode)  # the lowest free number: this one
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # `stty tostop` would stop us when in the background
    outlet = Outlet()
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False))
    sys.stdout, sys.stderr = _text(sys.stdout, outlet, STDOUT), _text(sys.stderr, outlet, STDERR)
    return outlet


class _Text(io.TextIOWrapper):
    """Text as it may be printed, whoever wrote it."""

    def write(self, text: str, /) -> int:
        super().write(terminal(text))
        return len(text)


def _text(former: IO[str] | None, outlet: Outlet, fd: int) -> io.TextIOWrapper:
    encoding = getattr(former, "encoding", None) or "utf-8"
    buffer = io.BufferedWriter(_Stream(outlet, fd))
    return _Text(buffer, encoding=encoding, errors="backslashreplace", line_buffering=True)
