"""What clients other than one that asks and waits see of a move of 4 MiB: data on its way, a stream, datagrams."""

from __future__ import annotations

import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from reconciler.lab.probe import PORT
from tests.bench.cells import BrokenRun, Cell
from tests.bench.figures import Figure
from tests.bench.ground import DESTINATION, READY_S, SOURCE, Ground
from tests.lab.clients import Datagrams, Pushed

CELL = Cell(4)
STREAM_S = 1.5
"""How long a stream is measured before and after a move."""
MORE_THAN_OUTAGE_S = 0.03
LOST_THROUGHPUT = 0.05


def measure(ground: Ground, n: int) -> list[Figure]:
    """Medians over n moves each, by the product. BrokenRun when a connection does not survive."""
    flight = [_in_flight(ground) for _ in range(n)]
    streams = [_stream(ground) for _ in range(n)]
    refused = [_datagrams(ground) for _ in range(n)]
    outage, gap = (statistics.median(column) for column in zip(*flight, strict=True))
    before, after = (statistics.median(column) for column in zip(*streams, strict=True))
    return [
        Figure("outage of a client that asks and waits, 4 MiB", outage, "s"),
        Figure("longest gap of a client with data in flight both ways, 4 MiB", gap, "s", 0.35),
        Figure("the same, beyond the outage", gap - outage, "s", MORE_THAN_OUTAGE_S),
        Figure("throughput of a connection before its move", before / 1e6, "MB/s"),
        Figure("throughput lost by a moved connection, share", max(0.0, 1 - after / before), "", LOST_THROUGHPUT),
        Figure("errors of a connected UDP client during a move", statistics.median(refused), "errors", 0),
    ]


@contextmanager
def _moved(ground: Ground) -> Iterator[None]:
    """The workload runs at the source; inside of the block the caller connects and moves it."""
    ground.reset()
    ground.place(CELL, SOURCE)
    ground.reconcile("apply", "--yes")
    try:
        yield
    finally:
        ground.reset()


def _move(ground: Ground) -> None:
    ground.place(CELL, DESTINATION)
    ground.reconcile("apply", "--yes")
    time.sleep(0.5)


def _in_flight(ground: Ground) -> tuple[float, float]:
    """Seconds: the outage that one client saw, and the longest gap of another."""
    with _moved(ground), ground.client() as asking, Pushed(ground.address) as pushed:
        _move(ground)
        seen = pushed.stop()
        if seen.error or seen.counts != sorted(seen.counts):
            raise BrokenRun(f"data in flight: {seen.error or 'something is missing or came twice'}")
        return asking.downtime_s, seen.longest_gap_seconds


def _stream(ground: Ground) -> tuple[float, float]:
    """Bytes/s of one connection, before and after its move."""
    connect = socket.create_connection
    with _moved(ground), ground.client(), connect((ground.address, PORT), timeout=READY_S) as stream:
        stream.sendall(b"pour\n")
        before = _rate(stream)
        done = threading.Event()
        reader = threading.Thread(target=_read_until, args=(stream, done), daemon=True)
        reader.start()
        _move(ground)
        done.set()
        reader.join()
        return before, _rate(stream)


def _read_until(stream: socket.socket, done: threading.Event) -> None:
    while not done.is_set():
        if not stream.recv(2**20):
            raise BrokenRun("the stream ended")


def _rate(stream: socket.socket) -> float:
    began, got = time.monotonic(), 0
    while (took := time.monotonic() - began) < STREAM_S:
        read = len(stream.recv(2**20))
        if not read:
            raise BrokenRun("the stream ended")
        got += read
    return got / took


def _datagrams(ground: Ground) -> int:
    """How often a connected UDP socket failed, such as by ICMP port unreachable."""
    with _moved(ground), ground.client(), Datagrams(ground.address) as asking:
        _move(ground)
        seen = asking.stop()
    if not seen.answers:
        raise BrokenRun("no datagram was answered")
    return len(seen.errors)
