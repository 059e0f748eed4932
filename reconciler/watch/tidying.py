"""Copies of checkpoints whose time is over: a watch has them go, one at a time, beside whatever is under way."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.commands.app import Seen
from reconciler.commands.discarding import Discard
from reconciler.core.copying import SeenCopy, copies
from reconciler.core.index import Index
from reconciler.errors import ReconcilerError
from reconciler.model.command import Seconds
from reconciler.model.spec import Spec
from reconciler.watch.told import News
from reconciler.watch.windows import suspended
from reconciler.watch.work import UnderWay

if TYPE_CHECKING:
    from reconciler.watch.work import Work


@dataclass
class Tidier:
    work: Work
    _now: str = ""

    def begin(self, spec: Spec, seen: Seen) -> Seconds:
        """Have the one go that is over for longest, unless it is suspended: by its own name, with its host or with
        all. Returns when to look again at the latest."""
        now, clock = asyncio.get_running_loop().time(), self.work.watch.now()
        there = [one for one in copies(Index.of(seen.world)) if one.settled]
        over = [one for one in there if one.expired(clock)]
        free = [one for one in over if not self.work.waits(_about(one)) and one.host not in self.work.hosts]
        notes = self.work.watch.notes.read()
        free = [one for one in free if not suspended(one.name, {one.host}, spec, notes, clock)]
        if free and not self._now:
            self._discard(spec, min(free, key=lambda one: one.until))
        again = [tries.next_at for one in over if (tries := self.work.waits(_about(one)))]
        again += [now + max(1.0, one.until - clock) for one in there if one not in over]
        return min(again, default=float("inf"))

    def _discard(self, spec: Spec, found: SeenCopy) -> None:
        self._now = found.name
        job = Discard(spec, (found.name,), journal_path=self.work.watch.journal)
        run = UnderWay(job, frozenset({found.name}), frozenset({found.host}), changes=False)
        self.work.add(run, self._course(job, found))

    async def _course(self, job: Discard, found: SeenCopy) -> None:
        watch, name = self.work.watch, found.name
        try:
            await job()
            watch.say(
                News.ENDED, f"its time was over, and it is gone from {found.host}", workload=name, host=found.host
            )
            self.work.recovered(_about(found))
        except ReconcilerError as error:
            self.work.troubled(_about(found), name, "its time is over, and it stays", error)
        finally:
            self._now = ""


def _about(found: SeenCopy) -> str:
    return f"copy {found.name}"
