"""`SshHost` runs commands over one kept connection; `SshFleet` has one such host per name in the spec."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial

import asyncssh

from reconciler.core.causes import telling
from reconciler.errors import CommandFailed, HostError, HostUnreachable, ReplyLost
from reconciler.hosts import shell
from reconciler.hosts.base import CopyReport, Progress
from reconciler.hosts.link import LinkOptions
from reconciler.hosts.ssh.connection import SshLimits, connect
from reconciler.hosts.ssh.known import KnownHosts
from reconciler.hosts.ssh.session import Exchange, OnLine
from reconciler.hosts.transfer import Transfers
from reconciler.model.command import Archive, Command, Result, Seconds, Tree
from reconciler.model.spec import Host, HostSpec

TERM_GRACE: Seconds = 2.0
"""How long a command that took too long may take to end before it is killed."""
log = logging.getLogger("reconciler.hosts")

LOG_BYTES = 65536
SESSION_PAUSES: tuple[Seconds, ...] = (0.01, 0.03, 0.1, 0.3, 1.0)
"""sshd counts a session until it has reaped its process, which may be after we saw the channel close."""


class SshHost:
    """One host. The connection is made at the first command and again after it broke."""

    def __init__(self, name: str, spec: HostSpec, fleet: SshFleet) -> None:
        self.name = name
        self.spec = spec
        self._fleet = fleet
        self._connection: asyncssh.SSHClientConnection | None = None
        self._connecting: asyncio.Task[asyncssh.SSHClientConnection] | None = None
        self._sessions = asyncio.Semaphore(fleet.limits.sessions)

    async def run(self, command: Command) -> Result:
        """Run a command; errors as in `hosts.base`. It ends with our wait for it: at its time-out, or when we
        are cancelled, its process group on the host is ended too."""
        return await self._run(command, None)

    async def run_attached(self, command: Command, on_line: OnLine, go: asyncio.Event | None = None) -> Result:
        """Like `run`; each line of stdout is passed on as it comes, and the command's stdin stays open until
        it ends. So it can notice that we are gone: its stdin ends. When `go` is set it is told so, by a line."""
        return await self._run(command, on_line, go)

    async def connection(self) -> asyncssh.SSHClientConnection:
        """The live connection; made now if there is none. Callers at the same time share one attempt."""
        if self._connection and not self._connection.is_closed():
            return self._connection
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect(), name=f"connect {self.name}")
            self._connecting.add_done_callback(self._connected)
        return await asyncio.shield(self._connecting)

    async def close(self) -> None:
        if self._connecting:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        if self._connection:
            self._connection.abort()
            self._connection = None

    async def _connect(self) -> asyncssh.SSHClientConnection:
        tunnel = None
        if self.spec.jump:
            try:
                tunnel = await self._fleet.tunnel(self.name, self.spec.jump)
            except HostUnreachable as error:
                why = f"its jump host {self.spec.jump} cannot be used: {error.why or error.what}"
                raise HostUnreachable("cannot connect", where=self.name, why=why) from error
        async with self._fleet.connecting:
            return await connect(self.name, self.spec, tunnel, self._fleet.limits)

    def _connected(self, task: asyncio.Task[asyncssh.SSHClientConnection]) -> None:
        self._connecting = None
        if not task.cancelled() and task.exception() is None:
            self._connection = task.result()
            log.info("connected", extra={"host": self.name})

    async def _run(self, command: Command, on_line: OnLine | None, go: asyncio.Event | None = None) -> Result:
        started = time.monotonic()
        token = secrets.token_hex(8)
        text = shell.line(command.argv, token, sudo=self.spec.sudo)
        async with self._sessions:
            exchange = await self._start(text, token, on_line)
            channel = exchange.channel
            assert channel is not None
            telling = asyncio.create_task(_tell(channel, go), name="go") if go else None
            try:
                async with asyncio.timeout(command.timeout):
                    if command.stdin:
                        channel.write(command.stdin)
                    if on_line is None:
                        channel.write_eof()
                    await exchange.done.wait()
            except TimeoutError:
                stopped = await self._end(exchange)
                raise _too_slow(self.name, command, stopped) from None
            except asyncio.CancelledError:
                await self._end(exchange)
                raise
            except (BrokenPipeError, asyncssh.Error):
                await exchange.done.wait()
            finally:
                if telling:
                    telling.cancel()
                channel.close()
        result = self._judge(exchange, command, time.monotonic() - started)
        if result.status not in command.ok:
            raise _failed(self.name, command, result, await self._log_of(command))
        return result

    async def _start(self, text: str, token: str, on_line: OnLine | None) -> Exchange:
        """Open a channel and send the command line. HostUnreachable as long as it cannot have arrived."""
        for pause in (*SESSION_PAUSES, None):
            connection = await self.connection()
            exchange = Exchange(token, self._fleet.limits.output, on_line)
            try:
                await connection.create_session(partial(_same, exchange), text, encoding=None)
            except (asyncssh.Error, OSError) as error:
                if exchange.opened and connection.is_closed():
                    raise _lost(self.name) from error
                if exchange.opened:
                    what = "the host does not let us run commands"
                    raise HostError(what, code="H206", where=self.name, why=str(error)) from error
                if connection.is_closed() or pause is None:
                    what = "the connection broke" if connection.is_closed() else "the host opens no more sessions"
                    raise HostUnreachable(what, where=self.name, why=str(error)) from error
                await asyncio.sleep(pause)
            else:
                return exchange
        raise AssertionError("unreachable")

    def _judge(self, exchange: Exchange, command: Command, seconds: Seconds) -> Result:
        """The answer as a Result, or why there is none."""
        if exchange.too_much:
            raise CommandFailed(
                f"`{command.argv[0]}` printed more than {self._fleet.limits.output} bytes",
                code="C303",
                where=self.name,
                argv=shell.shown(command),
            )
        if exchange.status is None:
            raise _lost(self.name)
        answer = exchange.answer()
        if answer is None:
            raise HostError(
                f"the login shell of {self.spec.user} did not run our command",
                code="H206",
                where=self.name,
                why=shell.tail(exchange.noise(), 3),
                fix="give the user a shell such as /bin/sh, whose start-up files do not exit",
            )
        result = Result(exchange.status, *answer, seconds=seconds)
        if self.spec.sudo and result.status in (1, 127):
            _check_sudo(self.name, self.spec.user, result.stderr)
        return result

    async def _end(self, exchange: Exchange) -> bool:
        """End a command's process group on the host: politely, then for good. Whether that worked."""
        assert exchange.channel is not None
        if not exchange.group:
            exchange.channel.close()
            return False
        for signal, patience in (("TERM", TERM_GRACE), ("KILL", TERM_GRACE)):
            try:
                async with asyncio.timeout(patience):
                    token = secrets.token_hex(8)
                    kill = shell.line(
                        ("kill", "-s", signal, "--", f"-{exchange.group}"), token, sudo=self.spec.sudo
                    )
                    await (await self._start(kill, token, None)).done.wait()
                    await exchange.done.wait()
                    return True
            except (TimeoutError, HostError, ReplyLost):
                continue
        exchange.channel.close()
        return False

    async def _log_of(self, command: Command) -> str:
        if not command.log:
            return ""
        read = Command(("tail", "-c", str(LOG_BYTES), "--", command.log), timeout=10, ok=tuple(range(256)))
        try:
            return shell.error_lines((await self.run(read)).stdout)
        except (HostError, ReplyLost, CommandFailed) as error:
            return f"(the log {command.log} could not be read: {error})"


class SshFleet:
    """The hosts of a spec. Implements `hosts.base.Fleet`."""

    def __init__(
        self,
        hosts: Mapping[str, Host],
        *,
        limits: SshLimits | None = None,
        links: LinkOptions | None = None,
        known: KnownHosts | None = None,
    ) -> None:
        known = known or KnownHosts()
        self.limits = limits or SshLimits()
        self.connecting = asyncio.Semaphore(self.limits.connecting)
        self._hosts = {name: SshHost(name, known.completed(host.spec), self) for name, host in hosts.items()}
        self._transfers = Transfers(self.host, links or LinkOptions())

    def host(self, name: str) -> SshHost:
        """The host of that name; it connects when first used."""
        try:
            return self._hosts[name]
        except KeyError:
            fix = f"known: {', '.join(sorted(self._hosts)) or 'none'}"
            raise HostError("no spec defines this host", code="H207", where=name, fix=fix) from None

    async def tunnel(self, name: str, jump: str) -> asyncssh.SSHClientConnection:
        """The connection of the jump host; HostError when the jumps go in a circle."""
        seen = [name]
        step: str | None = jump
        while step:
            if step in seen:
                way = " -> ".join([*seen, step])
                raise HostError("the jump hosts go in a circle", code="H205", where=name, why=way)
            seen.append(step)
            step = self.host(step).spec.jump
        return await self.host(jump).connection()

    async def open_link(self, source: str, destination: str, key: str, compression: str = "auto") -> None:
        await self._transfers.open_link(source, destination, key, compression)

    async def prepare_copy(
        self, source: str, destination: str, key: str, pairs: Sequence[tuple[Tree, Tree]]
    ) -> None:
        await self._transfers.prepare_copy(source, destination, key, pairs)

    async def cancel_copy(self, source: str, destination: str, key: str) -> None:
        await self._transfers.cancel_copy(source, destination, key)

    async def copy_trees(
        self, source: str, destination: str, key: str, pairs: Sequence[tuple[Tree, Tree]], progress: Progress
    ) -> CopyReport:
        return await self._transfers.copy_trees(source, destination, key, pairs, progress)

    async def feed(self, source: str, destination: str, key: str, images: Tree) -> None:
        await self._transfers.feed(source, destination, key, images)

    async def copy_image(
        self, source: str, destination: str, key: str, archive: Archive, progress: Progress
    ) -> CopyReport:
        return await self._transfers.copy_image(source, destination, key, archive, progress)

    async def close_link(self, source: str, destination: str, key: str) -> None:
        await self._transfers.close_link(source, destination, key)

    async def close(self) -> None:
        await self._transfers.close()
        await asyncio.gather(*(host.close() for host in self._hosts.values()))


async def _tell(channel: asyncssh.SSHClientChannel[bytes], go: asyncio.Event) -> None:
    await go.wait()
    with suppress(OSError, asyncssh.Error):  # it has ended, which its own answer says better
        channel.write(b"go\n")


def _same(exchange: Exchange) -> Exchange:
    return exchange


def _lost(name: str) -> ReplyLost:
    return ReplyLost("the connection ended before the answer came", where=name)


def _too_slow(name: str, command: Command, stopped: bool) -> CommandFailed | ReplyLost:
    """A command that changes things may have done part of it; one that reads and was stopped just failed."""
    what = f"`{command.argv[0]}` took longer than {command.timeout:g} s"
    why = "it was stopped" if stopped else "it could not be stopped"
    if command.changes or not stopped:
        return ReplyLost(what, code="C302", where=name, why=why)
    return CommandFailed(what, code="C302", where=name, why=why, argv=shell.shown(command))


def _failed(name: str, command: Command, result: Result, log_tail: str) -> CommandFailed:
    stderr = shell.scrub(result.stderr, command)
    return CommandFailed(
        f"`{shell.called(command)}` ended with status {result.status}",
        where=name,
        why=telling(stderr),
        argv=shell.shown(command),
        exit_code=result.status,
        stderr=shell.tail(stderr),
        log_tail=log_tail,
    )


def _check_sudo(name: str, user: str, stderr: str) -> None:
    """HostError when sudo itself said no: then the command was not run."""
    last = shell.tail(stderr, 1)
    if "sudo: not found" in last or "sudo: No such file" in last:
        fix = "install sudo there, or log in as root and leave out spec.sudo"
        raise HostError("sudo is not installed", code="H204", where=name, fix=fix)
    said = [entry for entry in stderr.splitlines() if entry.startswith("sudo: ") or "sudoers" in entry]
    if any("password is required" in entry or "sudoers" in entry or "not allowed" in entry for entry in said):
        raise HostError(
            "sudo asks for a password",
            code="H204",
            where=name,
            why=said[0],
            fix=f"add with visudo on {name}: {user} ALL=(root) NOPASSWD: ALL  (`reconcile doctor --sudoers` "
            "prints the exact commands instead of ALL)",
        )
