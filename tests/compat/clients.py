"""Clients that stay attached over moves: one connection, opened once, asked again and again.

A client's `ask` raises `Lost` when the answer shows that state did not survive, and OSError when the connection
did not. Real protocols are in `wire`.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

PATIENCE_SECONDS = 60.0
"""How long an answer may take while its program is being moved."""
PAUSE_SECONDS = 0.05


class Lost(Exception):
    """State or connection of a program is not what it was before the move."""


def same(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise Lost(f"{what} is {str(found)[:60]!r}, not {str(wanted)[:60]!r}")


class Client(Protocol):
    """One attached client."""

    def ask(self) -> int:
        """One exchange; returns a number that never falls and must have grown after a while."""
        ...

    def close(self) -> None: ...


class Stream:
    """A TCP connection with buffered reading."""

    def __init__(self, address: str, port: int) -> None:
        self._socket = _connected(address, port)
        self._file = self._socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def line(self) -> str:
        """The next line without its end."""
        got = self._file.readline()
        if not got.endswith(b"\n"):
            raise Lost("the connection was closed")
        return got.rstrip(b"\r\n").decode()

    def exactly(self, count: int) -> bytes:
        got = self._file.read(count)
        if len(got) != count:
            raise Lost("the connection was closed")
        return got

    def close(self) -> None:
        self._file.close()
        self._socket.close()


def _connected(address: str, port: int) -> socket.socket:
    """Connect, trying again until the program listens; a keep-alive for the connection's whole life."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            made = socket.create_connection((address, port), timeout=PATIENCE_SECONDS)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return made
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


class Answers:
    """Our own programs: each line is answered with `TOKEN COUNT STATE`."""

    def __init__(self, address: str, port: int = 9000) -> None:
        self._stream = Stream(address, port)
        self._token = ""

    def ask(self) -> int:
        self._stream.send(b"?\n")
        return self.judge(self._stream.line())

    def judge(self, line: str) -> int:
        token, count, state = line.split(" ", 2)
        if state != "ok":
            raise Lost(state)
        if self._token and token != self._token:
            raise Lost("it is another process than before")
        self._token = token
        return int(count)

    def close(self) -> None:
        self._stream.close()


class Http:
    """HTTP/1.1 with one connection for all requests."""

    def __init__(self, address: str, port: int) -> None:
        self._stream = Stream(address, port)
        self._host = address

    def request(self, path: str, body: bytes = b"", *, method: str = "") -> tuple[int, bytes]:
        """Status and body of one exchange."""
        method = method or ("POST" if body else "GET")
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Length: {len(body)}\r\n\r\n"
        self._stream.send(head.encode() + body)
        return self.response()

    def response(self) -> tuple[int, bytes]:
        status = int(self._stream.line().split()[1])
        fields: dict[str, str] = {}
        while line := self._stream.line():
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip().lower()
        if fields.get("connection") == "close":
            raise Lost("the server ends its keep-alive connection")
        if fields.get("transfer-encoding") == "chunked":
            return status, b"".join(iter(self.chunk, b""))
        return status, self._stream.exactly(int(fields.get("content-length", "0")))

    def chunk(self) -> bytes:
        """The next chunk; empty at the end."""
        content = self._stream.exactly(int(self._stream.line(), 16))
        self._stream.line()
        return content

    def close(self) -> None:
        self._stream.close()


@dataclass
class Watch:
    """Asks a client all the time, in a thread, and remembers the longest wait and the first trouble."""

    client: Client
    asked: int = 0
    longest_wait_seconds: float = 0.0
    trouble: str = ""
    first: int = 0
    last: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> Watch:
        self.first = self.last = self.client.ask()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def _run(self) -> None:
        while not self._stop.wait(PAUSE_SECONDS) and not self.trouble:
            before = time.monotonic()
            self.trouble = _guarded(self._once)
            self.longest_wait_seconds = max(self.longest_wait_seconds, time.monotonic() - before)

    def _once(self) -> None:
        count = self.client.ask()
        if count < self.last:
            raise Lost(f"its count fell from {self.last} to {count}")
        self.last = count
        self.asked += 1

    def progress(self, within_seconds: float) -> str:
        """Empty once the count has grown from now on; what is wrong otherwise."""
        then, until = self.last, time.monotonic() + within_seconds
        while not self.trouble and self.last <= then:
            if time.monotonic() > until:
                return f"its count stays at {then}"
            time.sleep(PAUSE_SECONDS)
        return self.trouble

    def stop(self) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join(PATIENCE_SECONDS)
        self.client.close()


def _guarded(ask: Callable[[], None]) -> str:
    try:
        ask()
    except Lost as error:
        return str(error)
    except TimeoutError:
        return f"no answer for {PATIENCE_SECONDS:.0f} s"
    except OSError as error:
        return f"the connection broke: {error}"
    except (ValueError, IndexError, KeyError) as error:
        return f"an answer made no sense: {error}"
    return ""
