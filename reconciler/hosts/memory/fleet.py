"""One controller's connections to the machines. A command goes there, takes its time, and its reply comes back;
each of the three can fail, with the promises of `hosts.base`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from reconciler.errors import CommandFailed, HostUnreachable, ReplyLost
from reconciler.hosts.base import CopyReport, Progress
from reconciler.hosts.memory import stores
from reconciler.hosts.memory.machine import ImageSet, Machine, Universe
from reconciler.hosts.memory.runtime import MEMORY, execute
from reconciler.model.command import Archive, Command, Result, Seconds, Tree

LATENCY: Seconds = 0.001
CONNECT_TIMEOUT: Seconds = 5.0
KEEPALIVE: Seconds = 15.0
"""After this long without an answer a connection counts as dead."""
COPY_TIME: Seconds = 0.4


class MemoryHost:
    """One machine, as a controller sees it."""

    def __init__(self, machine: Machine) -> None:
        self.name = machine.name
        self.machine = machine

    async def reach(self) -> None:
        """HostUnreachable when no connection can be made."""
        await asyncio.sleep(LATENCY)
        if not self.machine.answers:
            await asyncio.sleep(CONNECT_TIMEOUT)
            if not self.machine.answers:
                raise HostUnreachable(f"{self.name} cannot be reached", where=self.name)

    async def run(self, command: Command) -> Result:
        await self.reach()
        started = asyncio.get_running_loop().time()
        work = self.machine.spawn(execute(self.machine, command.argv, command.stdin), " ".join(command.argv)[:60])
        await asyncio.wait({work}, timeout=command.timeout)
        if not self.machine.answers:
            await asyncio.sleep(KEEPALIVE)
        if not work.done() or work.cancelled() or not self.machine.answers:
            error = ReplyLost if command.changes else HostUnreachable
            raise error("no answer", where=self.name)
        result: Result = work.result()
        await asyncio.sleep(LATENCY)
        if result.status not in command.ok:
            raise CommandFailed(
                f"{command.argv[0]} failed",
                argv=command.argv,
                exit_code=result.status,
                stderr=result.stderr,
                where=self.name,
                why=result.stderr.strip(),
            )
        return Result(result.status, result.stdout, result.stderr, asyncio.get_running_loop().time() - started)


class MemoryFleet:
    """All machines of a universe, and copies between them."""

    def __init__(self, universe: Universe) -> None:
        self.universe = universe
        self._hosts = {name: MemoryHost(machine) for name, machine in universe.machines.items()}

    def host(self, name: str) -> MemoryHost:
        return self._hosts[name]

    async def open_link(self, source: str, destination: str, key: str, compression: str = "auto") -> None:
        for name in (source, destination):
            await self._hosts[name].reach()

    async def prepare_copy(
        self, source: str, destination: str, key: str, pairs: Sequence[tuple[Tree, Tree]]
    ) -> None:
        await self._hosts[destination].reach()

    async def cancel_copy(self, source: str, destination: str, key: str) -> None:
        return None

    async def copy_trees(
        self, source: str, destination: str, key: str, pairs: Sequence[tuple[Tree, Tree]], progress: Progress
    ) -> CopyReport:
        await self._copy(source, destination)
        there, here = self.universe.machines[source], self.universe.machines[destination]
        for tree, target in pairs:
            if tree.path in there.kept:
                if not stores.copy(there, here, tree.path, target.path):
                    raise CommandFailed("what arrived differs", code="C320", where=destination)
                continue
            if tree.kind == "volume":
                self._copy_volume(_last(tree.path), _last(target.path), there, here)
            if tree.kind != "images":
                continue
            images = there.dumps.get(tree.name)
            if images is None:
                raise CommandFailed("the images are not there", where=source)
            broken = here.take("truncate") or here.take("full")
            whole = images.complete and not broken and not tree.later
            here.dumps[tree.name] = ImageSet(images.dump, whole, here.on_disk, later=tree.later and not broken)
            here.changed(f"images of {tree.name} arrived{' broken' if broken else ''}")
            if broken:
                raise CommandFailed("what arrived differs", code="C320", where=destination)
        progress(MEMORY)
        return CopyReport(MEMORY, COPY_TIME, "direct")

    def _copy_volume(self, name: str, into: str, there: Machine, here: Machine) -> None:
        """What was in the destination's goes before anything arrives."""
        if name not in there.volumes or into not in here.volumes:
            raise CommandFailed("the volume is not there", where=there.name)
        broken = here.take("truncate") or here.take("full")
        here.volumes[into].data = "half of it" if broken else there.volumes[name].data
        here.changed(f"volume {into} arrived{' broken' if broken else ''}")
        if broken:
            raise CommandFailed("what arrived differs", code="C320", where=here.name)

    async def feed(self, source: str, destination: str, key: str, images: Tree) -> None:
        await self._hosts[source].reach()
        there, here = self.universe.machines[source], self.universe.machines[destination]
        if images.name not in there.dumps:
            raise CommandFailed("the images are gone", code="C302", where=source)
        here.fed_by[images.name] = there

    async def copy_image(
        self, source: str, destination: str, key: str, archive: Archive, progress: Progress
    ) -> CopyReport:
        await self._copy(source, destination)
        there, here = self.universe.machines[source], self.universe.machines[destination]
        if here.take("truncate") or here.take("full"):
            raise CommandFailed("no space left on device", where=destination)
        here.images[archive.id] = there.images[archive.id]
        here.changed("image arrived")
        return CopyReport(here.images[archive.id], COPY_TIME, "direct")

    async def close_link(self, source: str, destination: str, key: str) -> None:
        for name in (source, destination):
            await self._hosts[name].reach()

    async def close(self) -> None:
        return None

    async def _copy(self, source: str, destination: str) -> None:
        """The time a copy takes; HostUnreachable, or ReplyLost when an end goes away meanwhile."""
        ends = [self._hosts[source], self._hosts[destination]]
        boots = [end.machine.boot for end in ends]
        for end in ends:
            await end.reach()
        await asyncio.sleep(COPY_TIME * max(end.machine.slow for end in ends))
        if self.universe.cut_links:
            raise CommandFailed("the hosts cannot reach each other", where=source)
        for end, boot in zip(ends, boots, strict=True):
            if not end.machine.answers or end.machine.boot != boot:
                await asyncio.sleep(KEEPALIVE)
                raise ReplyLost("the connection ended", where=end.name)


def _last(path: str) -> str:
    """The name of the volume whose folder it is."""
    return path.rpartition("/")[2]
