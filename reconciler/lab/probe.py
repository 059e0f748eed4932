"""A client of the demo workload that feels what users feel: one TCP connection, asking all the time.

Its longest wait for an answer is the downtime of a move. A reset, or a count that falls, is a lost workload.
"""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass
from types import TracebackType

PORT = 9000
ASK_EVERY_SECONDS = 0.005
CONNECT_TIMEOUT_SECONDS = 10.0
CHECKSUM_TIMEOUT_SECONDS = 120.0
_TRY_SECONDS = 1.0
"""One attempt to connect; the kernel's own retries grow too slowly for a container that is about to start."""
_LAST_ANSWER_SECONDS = 2.0
"""How long `stop` waits for an answer that is due, when a checksum has to follow it on the same connection."""
_WAKE_SECONDS = 0.05
"""How often a wait looks whether it shall stop."""


@dataclass(frozen=True)
class ProbeResult:
    """What one connection saw. A wait runs from a question to its answer or the connection's end, or to now."""

    replies: int
    longest_wait_seconds: float
    longest_wait_at_seconds: float
    """When the longest wait began, counted from the start of the probe."""
    first_count: int | None
    last_count: int | None
    error: str
    """Why the connection ended; empty: it did not."""
    checksum_before: str
    checksum_after: str

    @property
    def survived(self) -> bool:
        """The same process answered on the same connection until the end."""
        return not self.error and self.replies > 0

    @property
    def memory_intact(self) -> bool:
        """The workload's memory is what it was; only known of a probe that asked for checksums."""
        return bool(self.checksum_before) and self.checksum_before == self.checksum_after


class Probe:
    """Asks from a thread of its own, from `start` to `stop`; also a context manager.

    `checksums`: ask for the checksum of the workload's memory at the start and at the end, on the same connection.
    """

    def __init__(self, address: str, port: int = PORT, *, checksums: bool = False) -> None:
        self._target = (address, port)
        self._checksums = checksums
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"probe {address}:{port}", daemon=True)
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._begin = 0.0
        self._asked_at = 0.0
        self._give_up_at = 0.0
        self._replies = 0
        self._longest = (0.0, 0.0)
        self._counts: list[int] = []
        self._error = ""
        self._sums = ["", ""]

    def start(self, connect_within_seconds: float = CONNECT_TIMEOUT_SECONDS) -> Probe:
        """Connect, trying until the workload listens, and begin to ask."""
        deadline = time.monotonic() + connect_within_seconds
        while True:
            try:
                self._socket = socket.create_connection(self._target, timeout=_TRY_SECONDS)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_WAKE_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(_WAKE_SECONDS)
        if self._checksums:
            self._sums[0] = self._ask(b"sum\n", CHECKSUM_TIMEOUT_SECONDS)
        self._begin = time.monotonic()
        self._thread.start()
        return self

    def stop(self) -> ProbeResult:
        """Stop asking and return what was seen."""
        self._give_up_at = time.monotonic() + (_LAST_ANSWER_SECONDS if self._checksums else 0.0)
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._checksums and self._socket is not None and not self._error and not self._asked_at:
            try:
                self._sums[1] = self._ask(b"sum\n", CHECKSUM_TIMEOUT_SECONDS)
            except OSError as error:
                self._error = f"no checksum: {error}"
        if self._socket is not None:
            self._socket.close()
        return self.result()

    def result(self) -> ProbeResult:
        """What was seen so far."""
        with self._lock:
            longest, at = self._longest
            if self._asked_at and time.monotonic() - self._asked_at > longest:
                longest, at = time.monotonic() - self._asked_at, self._asked_at - self._begin
            return ProbeResult(
                replies=self._replies,
                longest_wait_seconds=longest,
                longest_wait_at_seconds=at,
                first_count=self._counts[0] if self._counts else None,
                last_count=self._counts[-1] if self._counts else None,
                error=self._error,
                checksum_before=self._sums[0],
                checksum_after=self._sums[1],
            )

    def __enter__(self) -> Probe:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._ask_count()
                self._stopping.wait(ASK_EVERY_SECONDS)
        except _Stopped:
            pass
        except (OSError, ValueError) as error:
            with self._lock:
                self._error = str(error) or type(error).__name__
                self._note_wait()

    def _ask_count(self) -> None:
        asked = time.monotonic()
        with self._lock:
            self._asked_at = asked
        count = int(self._ask(b"count\n", None))
        with self._lock:
            self._note_wait()
            self._replies += 1
            previous = self._counts[-1] if self._counts else count
            self._counts = [*self._counts[:1], count]
        if count < previous:
            raise ValueError(f"the count fell from {previous} to {count}: the workload was started again")

    def _note_wait(self) -> None:
        """A wait has ended, by an answer or by an error."""
        waited = time.monotonic() - self._asked_at
        if self._asked_at and waited > self._longest[0]:
            self._longest = (waited, self._asked_at - self._begin)
        self._asked_at = 0.0

    def _ask(self, message: bytes, within_seconds: float | None) -> str:
        """One question, one line. Without a limit it waits until `stop`."""
        assert self._socket is not None
        self._socket.sendall(message)
        deadline = None if within_seconds is None else time.monotonic() + within_seconds
        answer = b""
        while not answer.endswith(b"\n"):
            try:
                got = self._socket.recv(4096)
            except TimeoutError:
                if deadline is None and self._stopping.is_set() and time.monotonic() > self._give_up_at:
                    raise _Stopped from None
                if deadline is not None and time.monotonic() > deadline:
                    raise
                continue
            if not got:
                raise ConnectionError("the workload closed the connection")
            answer += got
        return answer.decode().strip()


class _Stopped(Exception):
    """The probe was stopped while it waited for an answer."""
