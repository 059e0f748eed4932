"""Rehearsals of checkpoints by a watch: of what is due by its policy, beside whatever else is under way. One at a
time; what keeps one from being tried waits longer each time, and keeps no other."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.commands.app import Seen
from reconciler.commands.practising import RehearseKept, copy_of
from reconciler.core.rehearsing import Practice
from reconciler.core.retention import overdue
from reconciler.errors import ReconcilerError
from reconciler.model.checkpoint import Kept
from reconciler.model.command import Seconds
from reconciler.model.spec import Spec
from reconciler.watch.saving import LEAST, SAVING
from reconciler.watch.told import News
from reconciler.watch.windows import suspended
from reconciler.watch.work import UnderWay

if TYPE_CHECKING:
    from reconciler.watch.work import Work


@dataclass
class Rehearser:
    work: Work
    _now: str = ""

    def begin(self, spec: Spec, seen: Seen, asked: frozenset[str]) -> Seconds:
        """Rehearse what is due for longest, where its host has nothing else to do; returns when to look again at
        the latest."""
        now = asyncio.get_running_loop().time()
        wanted = {name: one.rehearsal for name, one in seen.points.items() if one.rehearsal}
        due = {name: one for name, one in wanted.items() if one.due_in_s <= 0 and one.newest}
        busy = asked | self.work.workloads
        free = [name for name in due if not self.work.waits(_about(name)) and name not in busy]
        free = [name for name in free if not _hosts(due[name]) & self.work.hosts]
        notes, clock = self.work.watch.notes.read(), self.work.watch.now()
        free = [name for name in free if not suspended(name, _hosts(due[name]), spec, notes, clock)]
        if free and not self._now:
            chosen = max(free, key=lambda name: overdue(due[name].age_s, due[name].oldest_s))
            self._rehearse(spec, due[chosen])
        again = [tries.next_at for name in due if (tries := self.work.waits(_about(name)))]
        again += [now + max(LEAST, one.due_in_s) for one in wanted.values() if one.due_in_s > 0]
        return min(again, default=float("inf"))

    def _rehearse(self, spec: Spec, one: Practice) -> None:
        kept = one.newest
        assert kept is not None
        self._now = kept.workload
        reference = f"{kept.workload}@{kept.id}"
        job = RehearseKept(spec, reference, one.on, str(kept.at), self.work.watch.journal)
        run = UnderWay(job, frozenset({copy_of(kept)}), _hosts(one), changes=False)
        self.work.add(run, self._course(job, kept))

    async def _course(self, job: RehearseKept, kept: Kept) -> None:
        watch, name = self.work.watch, kept.workload
        try:
            done = (await job()).kept.rehearsed
            assert done is not None
            if done.ok:
                watch.say(News.REHEARSED, f"{job.reference} came up on {done.host}", workload=name)
                self.work.recovered(_about(name))
            else:
                self.work.failed(_about(name), done.why, SAVING)
                text = f"{job.reference} did not come up when it was rehearsed: {done.why}"
                watch.say_once(_about(name), News.TROUBLE, text, workload=name)
            for left in job.untidied:
                watch.say(News.TROUBLE, left.text, workload=name, code=left.code)
        except ReconcilerError as error:
            self.work.troubled(_about(name), name, "its checkpoint could not be rehearsed", error, SAVING)
        finally:
            self._now = ""


def _about(name: str) -> str:
    return f"rehearsing {name}"


def _hosts(one: Practice) -> frozenset[str]:
    """Those that are known to have a part in it."""
    keeper = one.newest.at.host if one.newest else ""
    return frozenset(filter(None, (one.on, keeper)))
