"""What is the same for every kind of host, as wrappers to be put around a fleet: retry, trace, and faults
for tests. `reconciler.commands.compose` puts them together."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from reconciler.errors import CommandFailed, HostError, HostUnreachable, Interrupted, ReconcilerError, ReplyLost
from reconciler.hosts.base import ApiHost, CopyReport, Fleet, Host, Progress
from reconciler.hosts.shell import shown
from reconciler.model.command import ApiCall, Archive, Command, Result, Seconds, Tree

T = TypeVar("T")

Call = Callable[[], Awaitable[T]]

log = logging.getLogger("reconciler.hosts")

COPY_AGAIN = ("C320", "C323")
"""Copies that arrived differently or lost their connection: copying starts from nothing, so again is safe."""


@dataclass(frozen=True)
class Backoff:
    """`tries` in all; the pause doubles each time, up to `longest`."""

    tries: int = 4
    first: Seconds = 0.2
    longest: Seconds = 3.0

    def pause(self, failed: int) -> Seconds:
        """How long to wait after so many failed tries (from 1)."""
        return min(self.first * 2.0 ** (failed - 1), self.longest)


class WrappedFleet:
    """A fleet that passes everything on. `_around` sees every operation with what it is about: a host's
    command, or a copy or link between two hosts, which is `command=None`."""

    def __init__(self, inner: Fleet) -> None:
        self.inner = inner

    async def _around(self, about: About, call: Call[T]) -> T:
        return await call()

    def host(self, name: str) -> Host:
        return _WrappedHost(self, self.inner.host(name))

    async def run_on(self, host: Host, command: Command) -> Result:
        return await self._around(About("run", host.name, command=command), lambda: host.run(command))

    async def call_at(self, host: Host, call: ApiCall) -> Result:
        if not isinstance(host, ApiHost):
            raise HostError(f"{host.name} has no API to call", code="H220", where=host.name)
        return await self._around(About("call", host.name, command=call), lambda: host.call(call))

    async def open_link(self, source: str, destination: str, key: str, compression: str = "auto") -> None:
        about = About("open_link", source, destination)
        await self._around(about, lambda: self.inner.open_link(source, destination, key, compression))

    async def prepare_copy(
        self, source: str, destination: str, key: str, pairs: Sequence[tuple[Tree, Tree]]
    ) -> None:
        about = About("prepare_copy", source, destination)
        await self._around(about, lambda: self.inner.prepare_copy(source, destination, key, pairs))

    async def cancel_copy(self, source: str, destination: str, key: str) -> None:
        await self.inner.cancel_copy(source, destination, key)

    async def copy_trees(
        self, source: str, destination: str, key: str, pairs: Sequence[tuple[Tree, Tree]], progress: Progress
    ) -> CopyReport:
        about = About("copy_trees", source, destination)
        return await self._around(about, lambda: self.inner.copy_trees(source, destination, key, pairs, progress))

    async def feed(self, source: str, destination: str, key: str, images: Tree) -> None:
        about = About("feed", source, destination)
        await self._around(about, lambda: self.inner.feed(source, destination, key, images))

    async def copy_image(
        self, source: str, destination: str, key: str, archive: Archive, progress: Progress
    ) -> CopyReport:
        about = About("copy_image", source, destination)
        return await self._around(
            about, lambda: self.inner.copy_image(source, destination, key, archive, progress)
        )

    async def close_link(self, source: str, destination: str, key: str) -> None:
        about = About("close_link", source, destination)
        await self._around(about, lambda: self.inner.close_link(source, destination, key))

    async def close(self) -> None:
        await self.inner.close()


class _WrappedHost:
    def __init__(self, fleet: WrappedFleet, inner: Host) -> None:
        self.name = inner.name
        self._fleet = fleet
        self._inner = inner

    async def run(self, command: Command) -> Result:
        return await self._fleet.run_on(self._inner, command)

    async def call(self, call: ApiCall) -> Result:
        return await self._fleet.call_at(self._inner, call)


@dataclass(frozen=True)
class About:
    """What an operation is: `operation` is the name of the method of Host or Fleet; links and copies have a
    `peer`, the destination."""

    operation: str
    host: str
    peer: str = ""
    command: Command | ApiCall | None = None

    @property
    def repeatable(self) -> bool:
        """Whether doing it twice is the same as doing it once: links, copies and commands that only read."""
        return self.command is None or not self.command.changes


class WithoutFleet(WrappedFleet):
    """A fleet of which some hosts did not answer a moment ago: nobody waits for them again. `gone`: why, by
    host."""

    def __init__(self, inner: Fleet, gone: Mapping[str, str]) -> None:
        super().__init__(inner)
        self._gone = gone

    async def _around(self, about: About, call: Call[T]) -> T:
        if about.command is not None and about.host in self._gone:
            raise HostUnreachable("it does not answer", where=about.host, why=self._gone[about.host])
        return await call()


class StoppableFleet(WrappedFleet):
    """A fleet that somebody can ask to stop: what is under way is finished, and nothing new begins. `changed`:
    whether anything was begun that changes a host."""

    def __init__(self, inner: Fleet) -> None:
        super().__init__(inner)
        self.changed = False
        self._stopped = False

    def stop(self) -> None:
        self._stopped = True

    async def _around(self, about: About, call: Call[T]) -> T:
        if self._stopped:
            raise Interrupted("stopped as you asked", where=about.host)
        self.changed |= about.command is None or about.command.changes
        return await call()


class RetryFleet(WrappedFleet):
    """Tries again what broke on the way, where doing it twice does no harm. What surely did not run is its
    caller's: how long to wait for a host depends on who waits meanwhile."""

    def __init__(
        self,
        inner: Fleet,
        backoff: Backoff | None = None,
        note: Callable[[About, ReconcilerError], None] = lambda about, error: None,
    ) -> None:
        super().__init__(inner)
        self._backoff = backoff or Backoff()
        self._note = note

    async def _around(self, about: About, call: Call[T]) -> T:
        failed = 0
        while True:
            try:
                return await call()
            except ReconcilerError as error:
                failed += 1
                if failed >= self._backoff.tries or not _may_repeat(about, error, failed):
                    raise
                self._note(about, error)
                log.info("%s is tried again: %s", about.operation, error, extra={"host": about.host})
                await asyncio.sleep(self._backoff.pause(failed))


def _may_repeat(about: About, error: ReconcilerError, failed: int) -> bool:
    if isinstance(error, ReplyLost):
        return about.repeatable
    return isinstance(error, CommandFailed) and error.code in COPY_AGAIN and failed == 1


@dataclass(frozen=True)
class Traced:
    """One operation that ended. `argv` is empty for links and copies, and holds no secrets; `status` is the
    exit status, `error` the code of the error that was raised, `why` that error in one line."""

    about: str
    host: str
    argv: tuple[str, ...]
    seconds: Seconds
    status: int | None = None
    error: str = ""
    why: str = ""


class TraceFleet(WrappedFleet):
    """Tells `note` of every operation when it has ended."""

    def __init__(self, inner: Fleet, note: Callable[[Traced], None]) -> None:
        super().__init__(inner)
        self._note = note

    async def _around(self, about: About, call: Call[T]) -> T:
        started = time.monotonic()
        status, error, why = None, "", ""
        try:
            value = await call()
            status = value.status if isinstance(value, Result) else None
            return value
        except ReconcilerError as raised:
            status = raised.status if isinstance(raised, CommandFailed) else None
            error, why = raised.code, str(raised)
            raise
        except asyncio.CancelledError:
            error = "cancelled"
            raise
        finally:
            argv = shown(about.command) if about.command else ()
            took = time.monotonic() - started
            self._note(Traced(about.operation, about.host, argv, took, status, error, why))


def log_of(traced: Traced) -> None:
    """For `TraceFleet`: every operation in the log, with its command as far as that holds no secrets."""
    said = " ".join((traced.about, *traced.argv))
    end = f"{traced.error}: {traced.why}" if traced.error else f"status {traced.status}" if traced.argv else "done"
    log.debug("%s: %s after %.3f s", said, end, traced.seconds, extra={"host": traced.host})


class When(StrEnum):
    BEFORE = "before"
    AFTER = "after"


class FaultKind(StrEnum):
    UNREACHABLE = "unreachable"  # before: it does not run; after: the same as LOST
    LOST = "lost"  # before: sent and never ran; after: it ran, the reply is lost
    NOTHING = "nothing"  # only the delay and the blow


@dataclass(frozen=True)
class Fault:
    """What happens: first the delay, then the blow (e.g. killing the host's sshd), then the error."""

    kind: FaultKind = FaultKind.NOTHING
    delay: Seconds = 0.0
    blow: Callable[[], Awaitable[None]] | None = None


Rule = Callable[[When, About], Fault | None]


class FaultyFleet(WrappedFleet):
    """Does to operations what a rule says, before or after they take effect. For tests on real hosts."""

    def __init__(self, inner: Fleet, rule: Rule) -> None:
        super().__init__(inner)
        self._rule = rule

    async def _around(self, about: About, call: Call[T]) -> T:
        await self._apply(When.BEFORE, about)
        value = await call()
        await self._apply(When.AFTER, about)
        return value

    async def _apply(self, when: When, about: About) -> None:
        fault = self._rule(when, about)
        if fault is None:
            return
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if fault.blow:
            await fault.blow()
        if fault.kind is FaultKind.UNREACHABLE and when is When.BEFORE:
            raise HostUnreachable("injected: no connection", where=about.host)
        if fault.kind is not FaultKind.NOTHING:
            raise ReplyLost("injected: the reply is lost", where=about.host)
