"""Taking a volume to another host while nothing uses it (its container was set aside, or there is none), an
image, or the files of a checkpoint."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from reconciler.engine.lenient import Warn, lenient
from reconciler.hosts.base import CopyReport, Fleet, Progress, pump
from reconciler.model.command import Tree
from reconciler.model.plan import Step
from reconciler.runtimes.base import Driver
from reconciler.stores import directory


@dataclass(frozen=True)
class VolumeCopy:
    """One volume (`step.subject`) from `step.peer` to `step.host`, over a link of its own. `giver` and `taker`:
    the runtimes that have it there and here."""

    step: Step
    giver: Driver
    taker: Driver
    fleet: Fleet
    run: str

    @property
    def _link(self) -> tuple[str, str, str]:
        assert self.step.peer
        return self.step.peer, self.step.host, f"{self.run}-{self.step.workload}-{self.step.subject}-volume"

    async def carry(self, compression: str, progress: Progress) -> CopyReport:
        """Copy it, with sums compared, onto the destination's disk."""
        source, destination, _ = self._link
        there, here = [
            await pump(driver.locate_volume(self.step.subject, self.step.workload), self.fleet.host(host))
            for driver, host in ((self.giver, source), (self.taker, destination))
        ]
        await self.fleet.open_link(*self._link, compression)
        report = await self.fleet.copy_trees(*self._link, ((there, here),), progress)
        await pump(self.taker.keep_volume(here), self.fleet.host(destination))
        await self.end()
        return report

    async def end(self) -> None:
        """Nothing of the copy runs any more, and its link is gone from both hosts."""
        await self.fleet.cancel_copy(*self._link)
        await self.fleet.close_link(*self._link)


@dataclass(frozen=True)
class ImageCopy:
    """One image, which keeps its ID, over a link of its own. `known_as`: as specs call it. `arriving`: what
    several workloads of a run wait for, by host and image: one of them copies it, the others find it there."""

    driver: Driver
    fleet: Fleet
    source: str
    destination: str
    link: str
    image: str
    known_as: str
    arriving: dict[tuple[str, str], asyncio.Lock] = field(default_factory=dict)

    async def carry(self, progress: Progress) -> CopyReport:
        """Nothing is copied where it is already there."""
        here, there = self.fleet.host(self.source), self.fleet.host(self.destination)
        archive = await pump(self.driver.pack_image(self.image), here)
        report = CopyReport(0, 0.0, "already there")
        async with self.arriving.setdefault((self.destination, archive.id), asyncio.Lock()):
            if not await pump(self.driver.has_image(archive.id), there):
                way = (self.source, self.destination, self.link)
                await self.fleet.open_link(*way)
                try:
                    report = await self.fleet.copy_image(*way, archive, progress)
                finally:
                    await self.fleet.close_link(*way)
        await pump(self.driver.take_image(archive, self.known_as), there)
        return report


@dataclass(frozen=True)
class CheckpointCopy:
    """The files of a checkpoint into a new folder `part` of another host, over a link of its own. `said_of`: the
    end of the copy that a key which stays is told of first."""

    fleet: Fleet
    source: str
    destination: str
    link: str
    folder: str
    part: str
    said_of: str
    warn: Warn

    async def carry(self) -> None:
        """What arrived is not compared yet."""
        way = (self.source, self.destination, self.link)
        other = self.source if self.said_of == self.destination else self.destination
        await pump(directory.begin(self.part), self.fleet.host(self.destination))
        try:
            await self.fleet.open_link(*way)
            pair = (Tree("volume", self.folder), Tree("volume", self.part))
            await self.fleet.copy_trees(*way, (pair,), lambda _: None)
        finally:
            with lenient("C375", f"the key of this copy stays there and on {other}", self.warn, self.said_of):
                await self.fleet.close_link(*way)
