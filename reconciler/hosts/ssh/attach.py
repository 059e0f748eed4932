"""A command on a host whose streams are this process's own: for people, never for deciding anything."""

from __future__ import annotations

import asyncio
import logging
import os
import select
import signal
import sys
from asyncio.log import logger as asyncio_log
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress

import asyncssh

from reconciler.errors import HostUnreachable, ReplyLost
from reconciler.hosts import shell
from reconciler.hosts.ssh.fleet import SshHost

STREAMS = (0, 1, 2)


async def attach(host: SshHost, argv: Sequence[str], *, stdin: bool = False, terminal: bool = False) -> int:
    """Run it to its end and return its status (128 and the signal's number where one ended it). With `terminal`
    the host gives it one, as large as ours, which is raw meanwhile. HostUnreachable before it began; ReplyLost
    when the connection broke."""
    connection = await host.connection()
    told = shell.quote(("sudo", "-n", "--", *argv) if host.spec.sudo else tuple(argv))
    standard_in, standard_out, standard_error = (os.dup(fd) for fd in STREAMS)
    if not stdin:
        os.close(standard_in)
    try:
        process = await connection.create_process(
            told,
            encoding=None,
            term_type=os.environ.get("TERM", "xterm") if terminal else None,
            term_size=tuple(os.get_terminal_size(1)) if terminal else (0, 0),
            stdin=standard_in if stdin else asyncssh.DEVNULL,
            stdout=standard_out,
            stderr=standard_error,
        )
    except (asyncssh.Error, OSError) as error:
        raise HostUnreachable("the host opens no session", where=host.name, why=str(error)) from error
    asyncio_log.setLevel(logging.ERROR)  # it warns of every byte that a closed pipe does not take
    ending, leaving = asyncio.ensure_future(process.wait(check=False)), asyncio.ensure_future(_reader_gone())
    with _raw(process) if terminal else nullcontext(), _ended_by_ctrl_c(process) as stopped:
        try:
            await asyncio.wait((ending, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            gone = not ending.done()
            if gone:
                with suppress(OSError, asyncssh.Error):
                    process.terminate()
                connection.abort()  # which ends the wait for it, too
                await asyncio.wait({ending}, timeout=2)
    if stopped.is_set():
        return 128 + signal.SIGINT
    if gone:
        return 128 + signal.SIGPIPE
    ended = ending.result()
    if ended.exit_signal is not None:
        return 128 + int(getattr(signal, f"SIG{ended.exit_signal[0]}", 0))
    if ended.exit_status is None:
        raise ReplyLost("the connection broke", where=host.name)
    return int(ended.exit_status)


async def _reader_gone() -> None:
    """Comes back when nobody reads our output any more; what prints seldom would not notice for long."""
    poll = select.poll()
    poll.register(1, 0)
    while True:
        if any(event & select.POLLERR for _, event in poll.poll(0)):
            return
        await asyncio.sleep(0.1)


@contextmanager
def _ended_by_ctrl_c(process: asyncssh.SSHClientProcess[bytes]) -> Iterator[asyncio.Event]:
    """Nothing of ours has to be tidied: the host is told, and we are gone, whatever a library still waits for."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()

    def interrupted() -> None:
        stopped.set()
        with suppress(OSError, asyncssh.Error):
            process.terminate()
        loop.call_later(0.2, os._exit, 128 + signal.SIGINT)

    loop.add_signal_handler(signal.SIGINT, interrupted)
    try:
        yield stopped
    finally:
        loop.remove_signal_handler(signal.SIGINT)


@contextmanager
def _raw(process: asyncssh.SSHClientProcess[bytes]) -> Iterator[None]:
    """Keys go to the host as they are typed, and a window that changes its size is told there."""
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin.fileno())
    loop = asyncio.get_running_loop()

    def resized() -> None:
        with suppress(OSError, asyncssh.Error):
            process.change_terminal_size(*os.get_terminal_size(1))

    tty.setraw(sys.stdin.fileno())
    loop.add_signal_handler(signal.SIGWINCH, resized)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGWINCH)
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, before)
