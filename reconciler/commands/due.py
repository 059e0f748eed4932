"""`reconcile checkpoint --due`: what the specs' CheckpointPolicies ask for. Given again and again, by a timer,
CI or a person: what is not due is left alone, and one workload that fails keeps no other from being saved."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.commands.checkpoint import Take
from reconciler.commands.compose import open_fleet
from reconciler.commands.kept import discard, stock, whole_one
from reconciler.commands.points import last_time, rehearsals
from reconciler.commands.practising import RehearseKept
from reconciler.core.checkpoints import newest_first
from reconciler.core.points import policies
from reconciler.core.retention import age, doomed, is_due, is_late
from reconciler.engine.lenient import unsaid
from reconciler.errors import Interrupted, ReconcilerError
from reconciler.hosts.base import Fleet
from reconciler.model.base import parse_duration
from reconciler.model.checkpoint import Kept
from reconciler.model.checkpointing import CheckpointPolicySpec
from reconciler.model.command import Seconds
from reconciler.model.spec import Spec


@dataclass(frozen=True)
class Saving:
    """How a workload with a policy stands now. `age_s`: of its newest checkpoint that was found, None without one;
    `late`: older than the policy promises; `error`: why it could not be saved, or looked after, or rehearsed."""

    workload: str
    taken: Kept | None = None
    age_s: Seconds | None = None
    late: bool = False
    removed: tuple[Kept, ...] = ()
    error: ReconcilerError | None = None
    rehearsed: Kept | None = None
    """What was restored for trial, with how that came out."""

    @property
    def wanting(self) -> bool:
        """Whether it is not as the policy promises."""
        bad = self.rehearsed and self.rehearsed.rehearsed and not self.rehearsed.rehearsed.ok
        return bool(self.error or self.late or bad)


@dataclass
class TakeDue:
    """All workloads whose specs name a policy, one after the other: a host takes one checkpoint at a time."""

    spec: Spec
    journal_path: Path | None = None
    only: frozenset[str] = frozenset()
    """Of these workloads; empty for all."""
    rehearses: bool = True
    """Whether it restores for trial what is due for that, too."""
    done: list[Saving] = field(default_factory=list)
    _taking: Take | RehearseKept | None = None
    _stopped: bool = False

    async def __call__(self) -> list[Saving]:
        for name, policy in policies(self.spec).items():
            if not self.only or name in self.only:
                self.done.append(await self._one(name, policy))
            if self._stopped:
                raise Interrupted("stopped as you asked; what was taken is kept")
        return self.done

    def cancel(self) -> None:
        """What is saved at the moment runs on, and goes; no other is begun."""
        if self._taking is None:
            raise asyncio.CancelledError
        self._stopped = True
        self._taking.cancel()

    async def _one(self, name: str, policy: CheckpointPolicySpec) -> Saving:
        before: list[Kept] = []
        taken, removed, error, rehearsed = None, list[Kept](), None, None
        try:
            async with open_fleet(self.spec, unsaid) as fleet:
                found = await stock(self.spec, fleet, "", name)
                before = list(found.kept)
                now = time.time()
                came = last_time(name, policy, now)
                if is_due(age(before, now), policy, None if came is None else now - came):
                    limit = parse_duration(policy.freeze_limit)
                    take = Take(self.spec, name, policy.store or "", limit, self.journal_path, why="it is due")
                    self._taking = take
                    taken = (await take()).kept
                    before.append(taken)
                    removed = await self._prune(before, taken, policy, fleet)
            if self.rehearses and not self._stopped:
                rehearsed = await self._rehearse(name, policy, [one for one in before if one not in removed])
        except ReconcilerError as failure:
            error = failure
        finally:
            self._taking = None
        old = age(before, time.time())
        return Saving(name, taken, old, is_late(old, policy), tuple(removed), error, rehearsed)

    async def _rehearse(self, name: str, policy: CheckpointPolicySpec, kept: list[Kept]) -> Kept | None:
        """What is due for that, if anything is."""
        stands = rehearsals(name, policy, kept, time.time())
        if stands is None or stands.newest is None or stands.due_in_s > 0:
            return None
        newest = stands.newest
        trial = RehearseKept(self.spec, f"{name}@{newest.id}", stands.on, str(newest.at), self.journal_path)
        self._taking = trial
        return (await trial()).kept

    async def _prune(
        self, kept: list[Kept], taken: Kept, policy: CheckpointPolicySpec, fleet: Fleet
    ) -> list[Kept]:
        """Remove what the policy does not keep, in the store where the new one is; what is elsewhere a person put
        there. One of those that stay is read again first."""
        if policy.keep is None:
            return []
        here = (taken.at.host, taken.at.folder)
        there = [one for one in kept if (one.at.host, one.at.folder) == here]
        now = time.time()
        if gone := doomed(there, policy.keep, now):
            await whole_one([one for one in newest_first(there, now) if one not in gone], fleet, taken.workload)
        await discard(gone, fleet)
        return gone
