"""Copies between hosts that cannot reach each other: two OpenSSH clients of the controller, joined by a pipe
of the operating system. This process only starts them and reads what they say. Also files from a host to this
machine, and back."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from reconciler.core.causes import telling
from reconciler.errors import HostError, HostUnreachable
from reconciler.hosts import shell
from reconciler.hosts.link import AES_FIRST, Remote, known_hosts, ssh_config
from reconciler.model.command import Result, Seconds

OnLine = Callable[[str], None]

WARM_LIMIT: Seconds = 20.0
MARKER_LIMIT: Seconds = 30.0
END_GRACE: Seconds = 5.0
NOISE_LIMIT = 65536
PART = 1 << 20


class Relay:
    """The controller's own SSH clients; their files are in a private temporary folder."""

    def __init__(self, host: Callable[[str], Remote]) -> None:
        self._host = host
        self._folder: Path | None = None
        self._warm: set[str] = set()

    async def warm(self, *names: str) -> None:
        """Connect to these hosts, so that a copy starts at once."""
        if shutil.which("ssh") is None:
            fix = "install the OpenSSH client on the controller, or let the hosts reach each other"
            raise HostError("the controller has no `ssh` to relay with", code="H209", fix=fix)
        await asyncio.gather(*(self._connect(name) for name in names if name not in self._warm))

    async def copy(
        self, source: str, send: tuple[str, ...], destination: str, receive: tuple[str, ...], on_line: OnLine
    ) -> Result:
        """Pipe what `send` prints on the source into `receive` on the destination. The result's status and stderr
        are those of the side that failed first in the chain's order."""
        await self.warm(source, destination)
        token = secrets.token_hex(8)
        sender, read_end = await self._sender(source, send, token)
        receiver: asyncio.subprocess.Process | None = None
        try:
            try:
                await self._skip_noise(read_end, token, source)
                receiver = await self._client(destination, receive, token, read_end, asyncio.subprocess.PIPE)
            finally:
                os.close(read_end)
            _, sent_errors, received = await asyncio.gather(
                _wait(sender), _lines(sender.stderr, on_line), _collect(receiver)
            )
        finally:
            await _end(sender, receiver)
        far = receiver.returncode or 0
        if far:
            # The sender's own account comes last: the receiver's status is the one that explains.
            on_line(f"rc: ended {sender.returncode or 0} {far}")
        for entry in received[0].splitlines():
            on_line(entry)
        return Result(far or sender.returncode or 0, stderr=received[1] if far else sent_errors)

    async def _sender(
        self, source: str, send: tuple[str, ...], token: str
    ) -> tuple[asyncio.subprocess.Process, int]:
        """What runs `send`, and the end of the pipe that has what it prints, for the caller to close."""
        read_end, write_end = os.pipe()
        try:
            return await self._client(source, send, token, asyncio.subprocess.PIPE, write_end), read_end
        except BaseException:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)

    async def receive(self, source: str, send: tuple[str, ...], sink: int) -> Result:
        """What `send` prints on the source, into an open file of this machine. OSError where that takes no
        more."""
        await self.warm(source)
        token = secrets.token_hex(8)
        sender, read_end = await self._sender(source, send, token)
        try:
            try:
                await self._skip_noise(read_end, token, source)
            except BaseException:
                os.close(read_end)
                raise
            pouring = asyncio.to_thread(_pour, read_end, sink)
            _, _, errors = await asyncio.gather(pouring, _wait(sender), _lines(sender.stderr, lambda entry: None))
        finally:
            await _end(sender, None)
        return Result(sender.returncode or 0, stderr=errors)

    async def deliver(self, destination: str, receive: tuple[str, ...], content: int) -> Result:
        """All of an open file of this machine to what `receive` does on the destination; it is closed here, so
        that whoever writes into a pipe hears when nobody reads it any more."""
        try:
            await self.warm(destination)
            token = secrets.token_hex(8)
            receiver = await self._client(destination, receive, token, content, asyncio.subprocess.PIPE)
        finally:
            os.close(content)
        try:
            said, errors = await _collect(receiver)
        finally:
            await _end(receiver, None)
        return Result(receiver.returncode or 0, said.partition(f"\x1e{token}")[2].partition("\n")[2], errors)

    async def close(self) -> None:
        """End the connections and remove the files."""
        for name in sorted(self._warm):
            await self._control(name, "exit")
        self._warm.clear()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    async def _connect(self, name: str) -> None:
        argv = [*self._argv(name), "exec true"]
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(WARM_LIMIT):
                _, errors = await process.communicate()
        except TimeoutError:
            raise HostUnreachable("the relay cannot connect", where=name, why="no answer in time") from None
        finally:
            await _end(process, None)
        if process.returncode != 0:
            why = telling(errors.decode(errors="replace"))
            raise HostUnreachable("the relay cannot connect", where=name, why=why)
        self._warm.add(name)

    async def _client(
        self, name: str, argv: tuple[str, ...], token: str, stdin: int, stdout: int
    ) -> asyncio.subprocess.Process:
        text = shell.line(argv, token, sudo=self._host(name).spec.sudo)
        return await asyncio.create_subprocess_exec(
            *self._argv(name), text, stdin=stdin, stdout=stdout, stderr=asyncio.subprocess.PIPE
        )

    async def _skip_noise(self, descriptor: int, token: str, name: str) -> None:
        """Read the stream up to and with our marker, byte by byte, so that the rest stays in the pipe."""
        mark = b"\x1e" + token.encode()

        def skip() -> bool:
            seen = bytearray()
            while len(seen) < NOISE_LIMIT:
                byte = os.read(descriptor, 1)
                if not byte:
                    return False
                seen += byte
                if byte == b"\n" and mark in seen:
                    return True
            return False

        async with asyncio.timeout(MARKER_LIMIT):
            if not await asyncio.to_thread(skip):
                raise HostUnreachable("the relay's sender did not start", where=name)

    async def _control(self, name: str, verb: str) -> None:
        process = await asyncio.create_subprocess_exec(
            *self._argv(name)[:-1],
            "-O",
            verb,
            name,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await process.wait()

    def _argv(self, name: str) -> list[str]:
        folder = self._files()
        self._write_config(name)
        return [
            "ssh",
            "-F",
            str(folder / f"{name}.config"),
            "-S",
            str(folder / f"{hashlib.sha256(name.encode()).hexdigest()[:8]}.ctl"),
            name,
        ]

    def _files(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="rc-"))
        return self._folder

    def _write_config(self, name: str) -> None:
        """The host and the hosts on the way to it, each with its own key, none with ours of ~/.ssh."""
        folder = self._files()
        text, step = "", name
        while step:
            spec = self._host(step).spec
            known = folder / f"{step}.known_hosts"
            known.write_text(known_hosts(spec), encoding="utf-8")
            more = {"UserKnownHostsFile": str(known), "Ciphers": AES_FIRST, "ConnectTimeout": "10"}
            if spec.identity_file:
                more["IdentityFile"] = str(Path(spec.identity_file).expanduser().absolute())
                more["IdentityAgent"] = "none"
            else:
                more["IdentityFile"] = "none"
            if spec.jump:
                more["ProxyJump"] = spec.jump
            if step != name:
                more["ControlPath"] = "none"
            text += ssh_config(step, spec, more)
            step = spec.jump or ""
        (folder / f"{name}.config").write_text(text, encoding="utf-8")


def _pour(read_end: int, sink: int) -> None:
    """All that comes, until its writer has ended."""
    with os.fdopen(read_end, "rb", buffering=0) as coming:
        while part := coming.read(PART):
            while part:
                part = part[os.write(sink, part) :]


async def _wait(process: asyncio.subprocess.Process) -> int:
    return await process.wait()


async def _lines(stream: asyncio.StreamReader | None, on_line: OnLine) -> str:
    """Pass on our lines; what is left is what went wrong."""
    assert stream is not None
    rest = []
    async for raw in stream:
        entry = raw.decode(errors="replace").rstrip("\n")
        if entry.startswith("rc: "):
            on_line(entry)
        elif "\x1e" not in entry:
            rest.append(entry)
    return "\n".join(rest)


async def _collect(process: asyncio.subprocess.Process) -> tuple[str, str]:
    out, err = await process.communicate()
    errors = [entry for entry in err.decode(errors="replace").splitlines() if "\x1e" not in entry]
    return out.decode(errors="replace"), "\n".join(errors)


async def _end(sender: asyncio.subprocess.Process, receiver: asyncio.subprocess.Process | None) -> None:
    """Whatever happened, no client of ours stays."""
    for process in (sender, receiver):
        if process is None or process.returncode is not None:
            continue
        if process.stdin:
            process.stdin.close()
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(END_GRACE):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
