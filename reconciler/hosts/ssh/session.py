"""One command's channel: collects what it prints and how it ended. Decides nothing."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

import asyncssh

from reconciler.hosts import shell

OnLine = Callable[[str], None]


class Exchange(asyncssh.SSHClientSession[bytes]):
    """`opened`: the command may have reached the host. `done` is set when the channel is gone."""

    def __init__(self, token: str, limit: int, on_line: OnLine | None) -> None:
        self._token = token
        self._limit = limit
        self._on_line = on_line
        self._seen = 0
        self._line: int | None = None
        self._stdout = bytearray()
        self._stderr = bytearray()
        self.channel: asyncssh.SSHClientChannel[bytes] | None = None
        self.status: int | None = None
        self.too_much = False
        self.done = asyncio.Event()

    @property
    def opened(self) -> bool:
        return self.channel is not None

    def answer(self) -> tuple[str, str] | None:
        """What the command printed on both outputs; None when the host never started it."""
        out = shell.after_marker(self._stdout, self._token)
        if out is None:
            return None
        err = shell.after_marker(self._stderr, self._token)
        return out[0].decode(errors="replace"), err[0].decode(errors="replace") if err else self.noise()

    def noise(self) -> str:
        """Everything on stderr, else on stdout: what there is to show when the command was not started."""
        return (self._stderr.strip() or self._stdout.strip()).decode(errors="replace").replace("\x1e", "")

    @property
    def group(self) -> int:
        """The command's process group on the host; 0 while unknown."""
        out = shell.after_marker(self._stdout, self._token)
        return out[1] if out else 0

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self.channel = chan

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        if self.too_much:
            return
        (self._stderr if datatype == asyncssh.EXTENDED_DATA_STDERR else self._stdout).extend(data)
        if len(self._stdout) + len(self._stderr) > self._limit and not self.too_much:
            self.too_much = True
            if self.channel:
                self.channel.close()
        if self._on_line and datatype is None:
            self._pass_on(self._on_line)

    def _pass_on(self, on_line: OnLine) -> None:
        """Nothing is looked at twice: a host may send much, in small pieces."""
        if self._line is None:
            mark = shell.mark(self._token)
            start = self._stdout.find(mark, self._seen)
            end = self._stdout.find(b"\n", start) if start >= 0 else -1
            if end < 0:
                self._seen = start if start >= 0 else max(0, len(self._stdout) - len(mark))
                return
            self._line = self._seen = end + 1
        while (end := self._stdout.find(b"\n", self._seen)) >= 0:
            on_line(self._stdout[self._line : end].decode(errors="replace"))
            self._line = self._seen = end + 1
        self._seen = len(self._stdout)

    def exit_status_received(self, status: int) -> None:
        self.status = status

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self.status = 128 + _signal_number(signal)

    def connection_lost(self, exc: Exception | None) -> None:
        self.done.set()


def _signal_number(name: str) -> int:
    return int(getattr(signal, f"SIG{name}", 0))
