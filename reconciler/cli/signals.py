"""Ctrl-C and SIGTERM: the first asks to stop safely, and says so; it never kills a move half-way."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import TypeVar

import typer

T = TypeVar("T")


def run_until_done(job: Callable[[], Awaitable[T]], cancel: Callable[[], None]) -> tuple[T, bool]:
    """Run a job to its end; on a signal call `cancel` and go on until it has put things back. Returns the
    job's result and whether it was interrupted. KeyboardInterrupt when there was nothing to put back yet."""

    async def main() -> tuple[T, bool]:
        interrupted = False
        task = asyncio.ensure_future(job())

        def stop() -> None:
            nonlocal interrupted
            if not interrupted:
                typer.echo("stopping: putting back what can be put back, finishing what cannot ...", err=True)
            interrupted = True
            try:
                cancel()
            except asyncio.CancelledError:
                task.cancel()

        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, stop)
        return await task, interrupted

    try:
        return asyncio.run(main())
    except asyncio.CancelledError as error:
        raise KeyboardInterrupt from error
