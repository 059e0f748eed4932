"""Ctrl-C, SIGTERM and a closed terminal (SIGHUP): the first asks to stop safely, and says so; none of them kills a
move half-way. Under `nohup` a closed terminal means nothing."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import typer

from reconciler.cli.views.layout import say
from reconciler.errors import Interrupted

T = TypeVar("T")


PUTTING_BACK = "stopping: putting back what can be put back, finishing what cannot ..."
AFTER_COMMAND = "stopping after the command that is under way ..."


def run_until_done(
    job: Callable[[], Awaitable[T]], cancel: Callable[[], None], stopping: str = PUTTING_BACK
) -> tuple[T, bool]:
    """Run a job to its end; on a signal call `cancel` and go on until it has put things back. Returns the
    job's result and whether it was interrupted. Interrupted when there was nothing to put back yet."""

    async def main() -> tuple[T, bool]:
        interrupted = False
        task = asyncio.ensure_future(job())

        def stop() -> None:
            nonlocal interrupted
            first, interrupted = not interrupted, True
            try:
                cancel()
            except asyncio.CancelledError:
                task.cancel()
                return
            if first:
                say(stopping, err=True)

        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if name is not signal.SIGHUP or signal.getsignal(name) is not signal.SIG_IGN:
                loop.add_signal_handler(name, stop)
        return await task, interrupted

    try:
        return asyncio.run(main())
    except asyncio.CancelledError as error:
        raise Interrupted("stopped as you asked; nothing was changed, or it was put back") from error


async def answer_to(question: str) -> str:
    """What a person types, without a thread that would still wait for it after Ctrl-C; nothing when the
    terminal is gone."""
    typer.echo(question, nl=False, err=True)
    typed, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), typed.set)
    try:
        await typed.wait()
    finally:
        loop.remove_reader(sys.stdin.fileno())
    try:
        return sys.stdin.readline()
    except OSError:
        return ""


def at_once() -> None:
    """A `cancel` for jobs that put back what they did when they are cancelled."""
    raise asyncio.CancelledError


def outlive_terminal() -> None:
    """A closed terminal means nothing from here on: what is short and decided is done to its end."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
