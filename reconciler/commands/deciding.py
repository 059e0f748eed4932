"""`resolve` and `forget` as jobs that can be asked to stop: the command that is under way is finished and no other
one begins. What was done until then stays, and the same decision, or another one, can be made again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from reconciler.commands.compose import Outside, kept_runs, open_fleet
from reconciler.commands.decided import Decided
from reconciler.commands.resolve import bury, decide
from reconciler.core.selecting import known_host
from reconciler.engine.lease import fleet_leases
from reconciler.engine.lenient import Warn, unsaid
from reconciler.errors import InputError, Interrupted
from reconciler.hosts.wrap import StoppableFleet
from reconciler.model.spec import Spec
from reconciler.state.identity import owner
from reconciler.state.store import Store

T = TypeVar("T")


@dataclass
class Deciding(Generic[T]):
    """A decision on hosts that are leased, with the journal at hand."""

    spec: Spec
    journal_path: Path | None
    work: Callable[[Outside, Store], Awaitable[T]]
    warn: Warn = unsaid
    _fleet: StoppableFleet | None = None

    async def __call__(self) -> T:
        async with (
            kept_runs(self.journal_path) as journal,
            open_fleet(self.spec, self.warn) as fleet,
            fleet_leases(fleet, self.spec.places, owner(), warn=self.warn, partly=True) as leases,
        ):
            return await self.on(StoppableFleet(fleet), Outside(fleet, leases=leases), journal)

    async def on(self, fleet: StoppableFleet, outside: Outside, journal: Store) -> T:
        """The same, on a fleet that is there and leased."""
        self._fleet = fleet
        try:
            return await self.work(replace(outside, fleet=fleet), journal)
        except Interrupted as error:
            raise Interrupted(
                "stopped as you asked, before all was done",
                where=error.where,
                why="what was fenced stays fenced, so that no second copy starts",
                fix="give the same command again, or see how it stands: reconcile status",
            ) from error

    def cancel(self) -> None:
        """Ctrl-C or SIGTERM: at once as long as nothing was changed."""
        if self._fleet is None or not self._fleet.changed:
            raise asyncio.CancelledError
        self._fleet.stop()


def resolving(
    spec: Spec,
    workload: str,
    chosen: str | None,
    evidence: str,
    journal_path: Path | None,
    *,
    cold: bool = False,
    warn: Warn = unsaid,
) -> Deciding[Decided]:
    """`reconcile resolve`: give a workload that is in question to host `chosen`, or with None give it up as lost.
    A host that answers and contradicts the evidence makes this a refusal."""
    _needs(evidence, "h2 is powered off, seen at its console")
    if chosen is not None:
        known_host(chosen, spec)
    return Deciding(
        spec,
        journal_path,
        lambda outside, journal: decide(spec, workload, chosen, evidence, outside, journal, cold=cold),
        warn,
    )


def forgetting(
    spec: Spec, host: str, evidence: str, journal_path: Path | None, warn: Warn = unsaid
) -> Deciding[list[Decided]]:
    """`reconcile forget`: a host is gone for good. Every hand-over it has part in goes to the other side, or is
    given up where nothing is left."""
    _needs(evidence, "its disks were destroyed, ticket 42")
    return Deciding(
        spec, journal_path, lambda outside, journal: bury(spec, host, evidence, outside, journal), warn
    )


def _needs(evidence: str, example: str) -> None:
    if not evidence.strip():
        raise InputError("this needs evidence", fix=f'say how you know: --evidence "{example}"')
