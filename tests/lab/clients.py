"""Clients of the demo workload that feel what one that asks and waits does not."""

from __future__ import annotations

import socket
import threading
import time
from types import TracebackType
from typing import Self


class _Beside:
    """Asks beside the test, from `with` to `stop`."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> Self:
        self._stopping.set()
        self._thread.join(timeout=10)
        return self

    def _run(self) -> None:
        raise NotImplementedError


class Pushed(_Beside):
    """Data is always on its way, and a freeze catches some of it unanswered: reads what the workload sends at each
    tick, and says something now and then, from `with` to `stop`."""

    def __init__(self, address: str, port: int = 9000) -> None:
        self._socket = socket.create_connection((address, port), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(0.05)
        super().__init__()
        self.counts: list[int] = []
        self.longest_gap_seconds = 0.0
        self.error = ""

    def __enter__(self) -> Self:
        self._socket.sendall(b"push\n")
        return super().__enter__()

    def stop(self) -> Self:
        super().stop()
        self._socket.close()
        return self

    def _run(self) -> None:
        last, rest, asked = time.monotonic(), b"", 0.0
        while not self._stopping.is_set():
            try:
                if time.monotonic() - asked > 0.03:
                    self._socket.sendall(b"\n")
                    asked = time.monotonic()
                got = self._socket.recv(65536)
            except TimeoutError:
                continue
            except OSError as error:
                self.error = str(error)
                return
            if not got:
                self.error = "the workload closed the connection"
                return
            *lines, rest = (rest + got).split(b"\n")
            now = time.monotonic()
            self.longest_gap_seconds, last = max(self.longest_gap_seconds, now - last), now
            self.counts += map(int, lines)


class Datagrams(_Beside):
    """Asks over a connected UDP socket, which fails where the kernel is told that nobody is there."""

    ASK_EVERY_SECONDS = 0.02

    def __init__(self, address: str, port: int = 9000) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect((address, port))
        self._socket.settimeout(self.ASK_EVERY_SECONDS)
        super().__init__()
        self.answers = 0
        self.errors: list[str] = []

    def stop(self) -> Self:
        super().stop()
        self._socket.close()
        return self

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._socket.send(b"count\n")
                self.answers += bool(self._socket.recv(64))
            except TimeoutError:
                continue
            except OSError as error:
                self.errors.append(str(error))
            self._stopping.wait(self.ASK_EVERY_SECONDS)


class Coming(_Beside):
    """A client that connects again as soon as it can, as most do: from `with` to `stop` it asks for the count all
    the time. `longest_gap_seconds`: between two answers; `counts`: all that it was told."""

    def __init__(self, address: str, port: int = 9000) -> None:
        self._target = (address, port)
        super().__init__()
        self.counts: list[int] = []
        self.longest_gap_seconds = 0.0
        self._last = 0.0

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with socket.create_connection(self._target, timeout=0.3) as one:
                    one.settimeout(2)
                    while not self._stopping.is_set():
                        one.sendall(b"count\n")
                        self._told(int(one.recv(64)))
                        time.sleep(0.005)
            except (OSError, ValueError):
                time.sleep(0.005)

    def _told(self, count: int) -> None:
        now = time.monotonic()
        if self._last:
            self.longest_gap_seconds = max(self.longest_gap_seconds, now - self._last)
        self._last = now
        self.counts.append(count)
