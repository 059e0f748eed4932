"""Copies over links. Bytes go from host to host, never through this process; what comes here are lines that
say how far a sender is, and what both ends summed.

A copy that is prepared has its senders and receivers started and connected before the freeze, waiting for a word;
that of the images follows CRIU while it writes. Integrity: SSH authenticates every byte between the hosts, both
ends' exit statuses count, and both ends sum what lies in their folder, beside the stream (transfer-sum.sh).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reconciler.core.causes import telling
from reconciler.errors import CommandFailed, HostError
from reconciler.hosts.base import CopyReport, Progress
from reconciler.hosts.link import (
    Link,
    LinkOptions,
    Remote,
    close_link,
    folder_key,
    open_link,
    refuse_long_names,
    register,
    settle,
)
from reconciler.hosts.outcome import CopyOutcome
from reconciler.hosts.relay import Relay
from reconciler.hosts.scripts import Script, install, script
from reconciler.hosts.shell import tail
from reconciler.hosts.sums import Sums
from reconciler.model.command import Archive, Command, Result, Seconds, Tree

LONGEST: Seconds = 24 * 3600.0
"""A copy is ended when it stalls, not when it is long."""
IMAGE_STALL: Seconds = 600.0
"""Packing and unpacking an image's layers moves no byte on the wire for long."""
MOST_AHEAD = 4
SOON: Seconds = 1.0
SHRINKS = 0.7
"""Files are sent ahead so many times at most, until a round is this short or no longer shrinks to such a share."""
IMAGES_FIRST = "1"
"""The line of a link's list that a move's images have: they are the first of its trees."""
FEED_LIMIT: Seconds = 30.0
NO_LINK = 67
"""How a feed ends that finds no link: a boot forgets it."""
CONNECTION_BROKE = 255
CUT_SHORT = 65
"""The receiver's status when the sender has ended too early."""


class Waiting:
    """A sender that is started and waits. `go` lets it finish; what it says until somebody listens is kept."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.outcome = CopyOutcome()
        self.listener: Callable[[], None] = lambda: None
        self.task: asyncio.Task[Result] | None = None

    def on_line(self, line: str) -> None:
        self.outcome.read(line)
        self.listener()


@dataclass
class PreparedCopy:
    """What `prepare_copy` did: entries that are registered, and senders for the first of them."""

    entries: list[tuple[str, str, str]]
    senders: list[Waiting]


class Transfers:
    """The links of one fleet, and the copies over them."""

    def __init__(self, host: Callable[[str], Remote], options: LinkOptions) -> None:
        self._host = host
        self._options = options
        self._links: dict[tuple[str, str, str], Link] = {}
        self._locks: dict[tuple[str, str, str], asyncio.Lock] = {}
        self._prepared: dict[tuple[str, str, str], PreparedCopy] = {}
        self._relay = Relay(host)

    def link(self, source: str, destination: str, key: str) -> Link | None:
        """The link if this process opened it."""
        return self._links.get((source, destination, key))

    async def open_link(self, source: str, destination: str, key: str, compression: str = "auto") -> None:
        async with self._lock(source, destination, key):
            await self._open(source, destination, key, compression)

    async def close_link(self, source: str, destination: str, key: str) -> None:
        async with self._lock(source, destination, key):
            await self._dismiss(source, destination, key)
            await close_link(self._host(source), self._host(destination), folder_key(key))
            self._links.pop((source, destination, key), None)

    async def close(self) -> None:
        """Forget links, leaving them on the hosts: another controller may carry on."""
        for name in list(self._prepared):
            await self._dismiss(*name)
        self._links.clear()
        await self._relay.close()

    async def prepare_copy(
        self, source: str, destination: str, key: str, pairs: Sequence[tuple[Tree, Tree]]
    ) -> None:
        async with self._lock(source, destination, key):
            link = await self._open(source, destination, key)
            await self._dismiss(source, destination, key)
            if link.why_relay and any(tree.later for tree, _ in pairs):
                raise HostError(
                    f"memory cannot follow from {source} to {destination}: there is no direct way between them",
                    code="H229",
                    where=source,
                    why=link.why_relay,
                    fix=f"let {source} reach {destination} over SSH, or set strategy: lazy",
                )
            entries = _entries(link, pairs)
            await refuse_long_names(link, _folders(pairs))
            await register(link, entries)
            prepared = self._prepared[source, destination, key] = PreparedCopy(entries, [])
            if link.why_relay:
                return
            for number, (tree, _) in enumerate(pairs):
                if _kind(tree) == "tree":
                    await self._send_ahead(link, _job(pairs, entries, number))
            for number in range(min(len(pairs), self._free_seats(source))):
                sender = Waiting()
                sending = self._send(link, _job(pairs, entries, number), sender.on_line, sender.go)
                sender.task = asyncio.create_task(sending, name=f"send {link.key} {number}")
                prepared.senders.append(sender)

    async def cancel_copy(self, source: str, destination: str, key: str) -> None:
        async with self._lock(source, destination, key):
            await self._dismiss(source, destination, key)
            await settle(self._host(source), folder_key(key))

    async def copy_trees(
        self, source: str, destination: str, key: str, pairs: Sequence[tuple[Tree, Tree]], progress: Progress
    ) -> CopyReport:
        async with self._lock(source, destination, key):
            started = time.monotonic()
            link = await self._open(source, destination, key)
            entries = _entries(link, pairs)
            # Once only: what a failed copy has left must go.
            ready = self._prepared.pop((source, destination, key), None)
            senders: list[Waiting] = ready.senders if ready and ready.entries == entries else []
            try:
                if ready is None or ready.entries != entries or any(s.task and s.task.done() for s in senders):
                    await _end(ready.senders if ready else [])
                    senders = []
                    await refuse_long_names(link, _folders(pairs))
                    await register(link, entries)
                jobs = [_job(pairs, entries, number) for number in range(len(pairs))]
                outcomes = await self._send_all(link, jobs, progress, self._options.stall, senders)
            finally:
                await _end(senders)
            for (tree, _), outcome in zip(pairs, outcomes, strict=True):
                _compare(link, tree.path, outcome.sums)
            total = sum(outcome.bytes for outcome in outcomes)
            return CopyReport(total, time.monotonic() - started, _how(link))

    async def feed(self, source: str, destination: str, key: str, images: Tree) -> None:
        async with self._lock(source, destination, key):
            for _ in range(2):
                link = await self._open(source, destination, key)
                argv = (script("transfer-feed").path, link.key, "start", IMAGES_FIRST, images.path)
                asked = Command(argv, changes=True, timeout=FEED_LIMIT, ok=(0, NO_LINK))
                if (await link.source.run(asked)).status != NO_LINK:
                    return
                self._links.pop((source, destination, key), None)  # its host has forgotten it with a boot
            raise CommandFailed(f"link {link.key} is not on {source}", code="C302", where=source)

    async def _send_ahead(self, link: Link, job: tuple[str, ...]) -> None:
        """Send a tree while it is in use, again as long as that gets quicker: then only what has changed since is
        left. What goes wrong here shows when the rest is sent."""
        took = float("inf")
        for _ in range(MOST_AHEAD):
            before, outcome, started = took, CopyOutcome(), time.monotonic()
            sending = asyncio.create_task(
                self._send(link, job, outcome.read, when="ahead"), name=f"ahead {link.key}"
            )
            await _unless_stalled(link, sending, outcome, self._options.stall)
            took = time.monotonic() - started
            if took < SOON or took > before * SHRINKS:
                return

    def _free_seats(self, source: str) -> int:
        """How many more senders may wait on a host: each keeps a session of its connection."""
        taken = sum(len(p.senders) for (host, _, _), p in self._prepared.items() if host == source)
        return max(0, self._options.waiting - taken)

    async def _dismiss(self, source: str, destination: str, key: str) -> None:
        """End senders that still wait."""
        ready = self._prepared.pop((source, destination, key), None)
        if ready:
            await _end(ready.senders)

    async def copy_image(
        self, source: str, destination: str, key: str, archive: Archive, progress: Progress
    ) -> CopyReport:
        async with self._lock(source, destination, key):
            link = await self._open(source, destination, key)
            started = time.monotonic()
            await self._dismiss(source, destination, key)
            unpack = Script("unpack", archive.unpack.encode())
            await install(link.destination, unpack)
            await register(link, [("image", "0", unpack.path)])
            jobs: list[tuple[str, ...]] = [("image", "1", *archive.pack)]
            stall = max(self._options.stall, IMAGE_STALL)
            sent = await self._send_all(link, jobs, progress, stall, [])
            return CopyReport(sent[0].bytes, time.monotonic() - started, _how(link))

    async def _open(self, source: str, destination: str, key: str, compression: str = "auto") -> Link:
        name = (source, destination, key)
        if name not in self._links:
            near, far = self._host(source), self._host(destination)
            link = await open_link(near, far, folder_key(key), self._options, compression)
            if link.why_relay:
                await self._relay.warm(source, destination)
            self._links[name] = link
        return self._links[name]

    async def _send_all(
        self,
        link: Link,
        jobs: list[tuple[str, ...]],
        progress: Progress,
        stall: Seconds,
        waiting: list[Waiting],
    ) -> list[CopyOutcome]:
        """Send everything, a few at once; the first failure ends the others. `waiting`: senders of the first jobs,
        which are connected already."""
        senders = [*waiting, *(Waiting() for _ in jobs[len(waiting) :])]
        slots = asyncio.Semaphore(self._options.parallel)

        async def one(number: int) -> None:
            async with slots:
                sender = senders[number]
                sender.listener = lambda: progress(sum(other.outcome.bytes for other in senders))
                sender.outcome.moved_at = time.monotonic()
                sender.go.set()
                if sender.task is None:
                    sending = self._send(link, jobs[number], sender.on_line)
                    sender.task = asyncio.create_task(sending, name=f"send {link.key} {number}")
                result = await _unless_stalled(link, sender.task, sender.outcome, stall)
                await _judge(link, jobs[number], sender.outcome, result)

        try:
            async with asyncio.TaskGroup() as group:
                for number in range(len(jobs)):
                    group.create_task(one(number), name=f"copy {link.key} {number}")
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return [sender.outcome for sender in senders]

    async def _send(
        self,
        link: Link,
        job: tuple[str, ...],
        on_line: Callable[[str], None],
        go: asyncio.Event | None = None,
        when: str = "now",
    ) -> Result:
        """Run one sender; with `go` it is started early, and finishes once that is set."""
        sender, how = script("transfer-send").path, link.compress
        if not link.why_relay:
            argv = (sender, link.key, "0", how, "told" if go else when, *job)
            command = Command(argv, changes=True, timeout=LONGEST, ok=tuple(range(256)))
            return await link.source.run_attached(command, on_line, go)
        send = (sender, link.key, "-", how, "now", *job)
        receive = (script("transfer-receive").path, link.key, " ".join((*job[:2], how)))
        return await self._relay.copy(link.source.name, send, link.destination.name, receive, on_line)

    def _lock(self, source: str, destination: str, key: str) -> asyncio.Lock:
        return self._locks.setdefault((source, destination, key), asyncio.Lock())


def _entries(link: Link, pairs: Sequence[tuple[Tree, Tree]]) -> list[tuple[str, str, str]]:
    """What the destination may be sent: kind, how it is summed or how much of images, where."""
    return [(kind := _kind(near), _flag(link, kind, far), far.path) for near, far in pairs]


def _folders(pairs: Sequence[tuple[Tree, Tree]]) -> list[str]:
    """Those of others, whose names are whatever they like."""
    return [tree.path for tree, _ in pairs if _kind(tree) == "tree"]


def _flag(link: Link, kind: str, far: Tree) -> str:
    """Of images how much will come; of trees 2 where their attributes are summed (transfer-sum.sh), else 1."""
    return str(far.expected_bytes) if kind == "images" else "2" if link.perl else "1"


def _kind(tree: Tree) -> str:
    return "images" if tree.kind == "images" else "tree"


def _job(
    pairs: Sequence[tuple[Tree, Tree]], entries: Sequence[tuple[str, str, str]], number: int
) -> tuple[str, ...]:
    """What a sender is told of one tree."""
    tree, (kind, flag, _) = pairs[number][0], entries[number]
    more = ("later",) if tree.later else ()
    return (kind, str(number + 1), *((flag,) if kind == "tree" else ()), tree.path, *more)


async def _end(senders: Sequence[Waiting]) -> None:
    tasks = [sender.task for sender in senders if sender.task]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _unless_stalled(link: Link, task: asyncio.Task[Result], outcome: CopyOutcome, stall: Seconds) -> Result:
    try:
        while not task.done():
            await asyncio.wait([task], timeout=1.0)
            if not task.done() and time.monotonic() - outcome.moved_at > stall:
                raise CommandFailed(
                    f"the copy to {link.destination.name} moved no byte for {stall:g} s",
                    code="C324",
                    where=link.source.name,
                )
        return task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _judge(link: Link, job: tuple[str, ...], outcome: CopyOutcome, result: Result) -> None:
    """Raise unless everything was read, sent, received and written, and both sums agree."""
    what = "the image" if job[0] == "image" else job[2] if job[0] == "images" else job[-1]
    source, destination = link.source.name, link.destination.name
    if outcome.refused is not None:
        outcome.refused.where = source  # which passes on what the destination says
        raise outcome.refused
    if outcome.far == CONNECTION_BROKE:
        code, text, where = "C323", f"the connection to {destination} broke while copying {what}", source
    elif outcome.far and not (outcome.near and outcome.far == CUT_SHORT):
        code, text, where = "C322", f"{what} from {source} could not be written", destination
    elif outcome.near or result.status:
        code, text, where = "C321", f"{what} could not be read, or changed while it was copied", source
    elif not outcome.complete:
        code, text, where = "C322", f"{what} from {source} was not taken in", destination
    else:
        return
    why, stderr = telling(result.stderr), tail(result.stderr)
    raise CommandFailed(text, code=code, where=where, why=why, exit_code=result.status, stderr=stderr)


def _compare(link: Link, path: str, sums: Sums) -> None:
    if why := sums.difference():
        raise CommandFailed(
            f"{path} from {link.source.name} arrived differently",
            code="C320",
            where=link.destination.name,
            why=why,
            fix="copy again; if that fails too, something writes to the folder or a disk is broken",
        )


def _how(link: Link) -> str:
    return "relay" if link.why_relay else "direct"
