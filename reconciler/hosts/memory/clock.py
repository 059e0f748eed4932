"""An event loop without a clock: time jumps to the next timer, so that hours pass in milliseconds.

Callbacks run in the order they were scheduled: the same program takes the same course each time. No sockets, no
threads, no subprocesses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from reconciler.model.command import Seconds

T = TypeVar("T")


class Deadlock(Exception):
    """Every task waits for something that can never happen."""


class _Jump:
    """Stands where an event loop expects its selector: instead of waiting, time is moved on."""

    def __init__(self) -> None:
        self.now: Seconds = 0.0

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise Deadlock("every task waits and no timer is set")
        self.now += timeout
        return []

    def close(self) -> None:
        return None


class VirtualLoop(asyncio.BaseEventLoop):
    """See the module's text. `time()` starts at 0."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = _Jump()

    def time(self) -> float:
        return self._selector.now

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        """At once, and in no time: a thread would take real time, of which nothing here knows."""
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return done

    def _process_events(self, event_list: list[Any]) -> None:
        return None

    def _write_to_self(self) -> None:
        return None


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in virtual time; whatever else still runs at its end is abandoned."""
    loop = VirtualLoop()
    loop.set_exception_handler(lambda _loop, _context: None)
    try:
        return loop.run_until_complete(main)
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
