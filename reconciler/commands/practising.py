"""`reconcile checkpoints verify --rehearse`: a checkpoint is restored for trial, as a copy that has no network
and goes at once, and its store notes how that came out. Whether it can be restored is not known before it was."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from reconciler.commands.checkpoint import wanted
from reconciler.commands.compose import Outside, kept_runs, keys_of, open_fleet, secrets_of
from reconciler.commands.copying import RestoreCopy
from reconciler.commands.discarding import UNTIDY, Discard
from reconciler.commands.interruptible import Interruptible
from reconciler.commands.kept import UNASKED, Verified, one_kept, verified
from reconciler.core.comeback import parse_reference
from reconciler.core.rehearsing import trial_name
from reconciler.core.selecting import known_host
from reconciler.errors import CommandFailed, ReconcilerError
from reconciler.hosts.base import Fleet, pump
from reconciler.model.checkpoint import Kept, KeptRehearsal
from reconciler.model.command import Seconds
from reconciler.model.copying import copy_name
from reconciler.model.event import Reporter, Untidied, ignore
from reconciler.model.spec import Spec, Workload
from reconciler.state.store import Store
from reconciler.stores import shelf

KEEP: Seconds = 900.0
"""How long the copy is kept should this program die before it has removed it."""


@dataclass
class RehearseKept(Interruptible):
    """One checkpoint, by WORKLOAD@ID or WORKLOAD@latest. `on`: the host; else where its spec places it; `where`:
    the store, else all. What keeps it from being tried is an error, and nothing is noted of it then; what it was
    found to be is not."""

    spec: Spec
    reference: str
    on: str = ""
    where: str = ""
    journal_path: Path | None = None
    report: Reporter = ignore
    untidied: list[Untidied] = field(default_factory=list)
    _job: RestoreCopy | None = field(default=None, init=False)
    _removing: bool = field(default=False, init=False)

    def cancel(self) -> None:
        """Until the copy is there; then it is removed first, which takes no long."""
        if self._removing:
            return
        if self._job is None:
            super().cancel()
        else:
            self._job.cancel()

    async def __call__(self) -> Verified:
        workload = wanted(self.spec, parse_reference(self.reference)[0])
        if self.on:
            known_host(self.on, self.spec)
        secrets_of(workload)
        async with (
            kept_runs(self.journal_path) as journal,
            open_fleet(self.spec, self.untidied.append) as fleet,
        ):
            return await self.apply(workload, Outside(fleet, warn=self.untidied.append), journal)

    async def apply(self, workload: Workload, outside: Outside, journal: Store) -> Verified:
        """The same, on a fleet that is there."""
        fleet = outside.fleet
        kept, _ = await one_kept(self.spec, fleet, self.reference, self.where)
        found = await verified(kept, fleet)
        if found.wrong:
            return await self._noted(found, KeptRehearsal(_now(), "", "; ".join(found.wrong)), fleet)
        return await self._noted(found, await self._tried(workload, kept, outside, journal), fleet)

    async def _tried(self, workload: Workload, kept: Kept, outside: Outside, journal: Store) -> KeptRehearsal:
        job = RestoreCopy(
            self.spec,
            f"{kept.workload}@{kept.id}",
            on=self.on,
            where=str(kept.at),
            report=self.report,
            untidied=self.untidied,
            name=trial_name(kept),
            keep=KEEP,
            strict=True,
        )
        self._job = job
        try:
            restored = await job.apply(workload, outside, journal)
        except CommandFailed as error:
            if error.code in UNASKED:
                raise
            return KeptRehearsal(_now(), job.on, str(error))
        finally:
            self._job = None
        await self._discard(restored.copy, restored.host, outside, journal)
        return KeptRehearsal(_now(), restored.host)

    async def _discard(self, name: str, host: str, outside: Outside, journal: Store) -> None:
        """That the copy stays does not make the checkpoint a bad one: it goes when its time is over."""
        self._removing = True
        try:
            await Discard(self.spec, (name,), untidied=self.untidied).on(outside, journal)
        except ReconcilerError as error:
            self.untidied.append(Untidied(UNTIDY, f"the copy {name} is to go, and stays: {error}", host))
        finally:
            self._removing = False

    async def _noted(self, found: Verified, done: KeptRehearsal, fleet: Fleet) -> Verified:
        kept = found.kept
        await pump(shelf.note(kept, keys_of(kept.at), done), fleet.host(kept.at.host))
        return replace(found, kept=replace(kept, rehearsed=done))


def _now() -> float:
    """As it is noted: whole seconds, and never those to come."""
    return float(int(time.time()))


def copy_of(kept: Kept) -> str:
    """What hosts call the copy of a checkpoint while it is rehearsed."""
    return copy_name(trial_name(kept))
