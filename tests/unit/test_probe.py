"""The client that measures what others feel of a move, against a server in this process."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from reconciler.lab.probe import Probe


class Workload(threading.Thread):
    """Answers like the counter; `script` holds, for each count, what to send and how long to wait before."""

    def __init__(self, script: list[tuple[str, float]], sums: str = "") -> None:
        super().__init__(daemon=True)
        self._sums = iter(sums)
        self._script = iter(script)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.start()

    def run(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            while message := connection.recv(64):
                if message.startswith(b"sum"):
                    connection.sendall(f"sum {next(self._sums)}\n".encode())
                    continue
                answer, delay = next(self._script, ("", 0.0))
                time.sleep(delay)
                if not answer:
                    return
                connection.sendall(f"{answer}\n".encode())


@pytest.fixture
def steady() -> list[tuple[str, float]]:
    return [(str(count), 0.0) for count in range(1, 1000)]


def test_the_probe_finds_the_longest_wait(steady: list[tuple[str, float]]) -> None:
    steady[5] = ("6", 0.2)
    with Probe("127.0.0.1", Workload(steady).port) as probe:
        time.sleep(0.4)
        result = probe.stop()
    assert result.survived
    assert 0.2 <= result.longest_wait_seconds < 0.35
    assert result.first_count == 1


def test_a_wait_without_an_answer_counts() -> None:
    with Probe("127.0.0.1", Workload([("1", 0.0), ("2", 30.0)]).port) as probe:
        time.sleep(0.3)
        result = probe.stop()
    assert result.replies == 1
    assert result.longest_wait_seconds >= 0.25


def test_a_count_that_falls_and_a_closed_connection_are_errors() -> None:
    for script, words in (([("5", 0.0), ("1", 0.0)], "fell from 5 to 1"), ([("5", 0.0)], "closed")):
        with Probe("127.0.0.1", Workload(script).port) as probe:
            time.sleep(0.1)
            result = probe.stop()
        assert not result.survived
        assert words in result.error


def test_no_wait_grows_once_the_connection_has_ended() -> None:
    probe = Probe("127.0.0.1", Workload([("5", 0.0)]).port).start()
    while not probe.result().error:
        time.sleep(0.01)
    ended = probe.result()
    time.sleep(ended.longest_wait_seconds + 0.1)
    assert probe.stop() == ended


@pytest.mark.parametrize(("sums", "intact"), [("aa", True), ("ab", False)])
def test_the_probe_compares_memory(steady: list[tuple[str, float]], sums: str, intact: bool) -> None:
    steady[3] = ("4", 0.3)  # still waiting when it is stopped: it is given a moment, then asks for the checksum
    with Probe("127.0.0.1", Workload(steady, sums).port, checksums=True) as probe:
        time.sleep(0.2)
        result = probe.stop()
    assert result.survived
    assert result.memory_intact is intact
