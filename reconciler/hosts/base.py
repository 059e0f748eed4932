"""What the rest of the project asks of hosts, and the pump that runs a driver's program on one.

Errors, and what they promise (this is what makes retries safe):
    HostUnreachable   the command surely did not run
    ReplyLost         it was sent; it may or may not have run
    CommandFailed     it ran and ended with a status that is not in `command.ok`
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

from reconciler.core import answers
from reconciler.errors import HostError, ReconcilerError
from reconciler.model.command import ApiCall, Archive, Bytes, Command, Program, Result, Seconds, Tree

T = TypeVar("T")

Progress = Callable[[Bytes], None]
"""Called with the bytes copied so far."""


@dataclass(frozen=True)
class CopyReport:
    """What a copy moved. `how` is `direct` (host to host) or `relay` (through the controller)."""

    bytes: Bytes
    seconds: Seconds
    how: str


class Host(Protocol):
    """One host, reached over one connection that is kept."""

    name: str

    async def run(self, command: Command) -> Result:
        """Run a command; errors as in the module's text."""
        ...


@runtime_checkable
class ApiHost(Protocol):
    """A place in a cluster: it is asked through the cluster's API."""

    async def call(self, call: ApiCall) -> Result:
        """Make a call; errors as in the module's text, with the HTTP status as that of CommandFailed."""
        ...


class Fleet(Protocol):
    """The hosts of a run, and copies between them."""

    def host(self, name: str) -> Host:
        """The host of that name; it connects when first used."""
        ...

    async def open_link(self, source: str, destination: str, key: str, compression: str = "auto") -> None:
        """Prepare bulk copies from source to destination: a key for one move, a warm connection. `key` names
        the link; opening an open link is fine, also from another controller. `compression`: `none`, `lz4`, `zstd`,
        or `auto`, which looks at the link's speed and at what both hosts have."""
        ...

    async def prepare_copy(
        self, source: str, destination: str, key: str, pairs: Sequence[tuple[Tree, Tree]]
    ) -> None:
        """Do what `copy_trees` of these pairs begins with, before anybody waits for it: the destination's folders
        are emptied, senders and receivers started and connected; pages of memory go while they are written. Not
        needed; `copy_trees` does what was not done. It also says when the folders are final."""
        ...

    async def cancel_copy(self, source: str, destination: str, key: str) -> None:
        """End what still copies, or waits to, on the source, whoever started it; nothing there uses its folders
        then."""
        ...

    async def copy_trees(
        self, source: str, destination: str, key: str, pairs: Sequence[tuple[Tree, Tree]], progress: Progress
    ) -> CopyReport:
        """Copy folders pairwise over an open link: contents, modes, owners, xattrs and deletions. The
        destination's folders exist; what is in them is replaced. CommandFailed when what arrived differs."""
        ...

    async def feed(self, source: str, destination: str, key: str, images: Tree) -> None:
        """Let the pages of these images on the source follow to where `copy_trees` has copied the rest, over an
        open link, for whoever restores from there. It goes on by itself, also when the controller or the way
        between the hosts fails; a feed that goes on is left alone. CommandFailed when the images are gone."""
        ...

    async def copy_image(
        self, source: str, destination: str, key: str, archive: Archive, progress: Progress
    ) -> CopyReport:
        """Pack an image on the source and unpack it on the destination, over an open link."""
        ...

    async def close_link(self, source: str, destination: str, key: str) -> None:
        """Remove everything `open_link` made, on both hosts. Idempotent."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


async def pump(program: Program[T], host: Host) -> T:
    """Run a driver's program on a host. Errors are raised inside the program first, so that it can translate
    them or clean up, then to the caller."""
    try:
        with answers.of(host.name):
            command = next(program)
            while True:
                try:
                    result = await _asked(host, command)
                except ReconcilerError as error:
                    command = program.throw(error)
                else:
                    command = program.send(result)
    except StopIteration as stop:
        value: T = stop.value
        return value


async def _asked(host: Host, asked: Command | ApiCall) -> Result:
    """Each kind of question by its own channel."""
    if isinstance(asked, Command):
        return await host.run(asked)
    if not isinstance(host, ApiHost):
        raise HostError(f"{host.name} has no API to call", code="H220", where=host.name)
    return await host.call(asked)


async def each(*parts: Awaitable[Any]) -> list[Any]:
    """Run all parts at once and to their end, whatever the others do; then raise the first error, naming all
    of them."""
    results = await asyncio.gather(*parts, return_exceptions=True)
    errors = [r for r in results if isinstance(r, BaseException)]
    if not errors:
        return results
    first = errors[0]
    if len(errors) > 1 and isinstance(first, ReconcilerError):
        others = [text for text in map(str, errors[1:]) if not first.why or first.why not in text]
        first.why = "; ".join([first.why, *others]).lstrip("; ")
    raise first
