"""Checkpoints that a watch takes: of what is due by its policy, beside whatever else is under way. One at a time;
what fails waits longer each time, and keeps no other from being saved."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reconciler.commands.app import Seen
from reconciler.commands.due import TakeDue
from reconciler.core.index import Index
from reconciler.core.retention import overdue
from reconciler.core.tending import Pauses
from reconciler.errors import ReconcilerError
from reconciler.model.command import Seconds
from reconciler.model.spec import Spec
from reconciler.watch.told import News
from reconciler.watch.windows import suspended
from reconciler.watch.work import UnderWay

if TYPE_CHECKING:
    from reconciler.watch.work import Work

SAVING: Final = Pauses(first=10.0, longest=900.0, opens=1000)
LEAST: Final = 1.0
"""The least time until the next look for what will be due."""


@dataclass
class Saver:
    work: Work
    _now: str = ""

    def begin(self, spec: Spec, seen: Seen, asked: frozenset[str]) -> Seconds:
        """Take the checkpoint that is due for longest, of a workload that runs, is not suspended and that nothing
        else is done to; returns when to look again at the latest."""
        now = asyncio.get_running_loop().time()
        busy = asked | self.work.workloads
        runs = {name: host for name, host in _running(seen).items() if name not in busy}
        due = [one for one in seen.points.values() if one.due_in_s <= 0 and one.workload in runs]
        free = [one for one in due if not self.work.waits(_about(one.workload))]
        notes, clock = self.work.watch.notes.read(), self.work.watch.now()
        free = [one for one in free if not suspended(one.workload, {runs[one.workload]}, spec, notes, clock)]
        if free and not self._now:
            chosen = max(free, key=lambda one: overdue(one.age_s, one.oldest_s))
            self._take(spec, chosen.workload, runs[chosen.workload])
        again = [tries.next_at for one in due if (tries := self.work.waits(_about(one.workload)))]
        again += [now + max(LEAST, one.due_in_s) for one in seen.points.values() if one.due_in_s > 0]
        return min(again, default=float("inf"))

    def _take(self, spec: Spec, name: str, host: str) -> None:
        self._now = name
        job = TakeDue(spec, self.work.watch.journal, frozenset({name}), rehearses=False)
        self.work.add(UnderWay(job, job.only, frozenset({host}), changes=False), self._course(job, name))

    async def _course(self, job: TakeDue, name: str) -> None:
        watch = self.work.watch
        try:
            for done in await job():
                if done.error is not None:
                    raise done.error
                if done.taken is not None:
                    watch.say(News.SAVED, f"{name}@{done.taken.id} is kept on {done.taken.at}", workload=name)
            self.work.recovered(_about(name))
        except ReconcilerError as error:
            self.work.troubled(_about(name), name, "it could not be saved", error, SAVING)
        finally:
            self._now = ""


def _about(name: str) -> str:
    return f"saving {name}"


def _running(seen: Seen) -> dict[str, str]:
    """Workloads that run, and where."""
    copies = Index.of(seen.world).copies
    return {
        name: copy.host for name, found in copies.items() for copy in found if copy.instance.state.has_processes
    }
