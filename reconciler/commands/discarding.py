"""`reconcile discard`: copies of checkpoints go, with what they had on their hosts. By name; or those whose time
is over, by whoever sees that and changes something on the host anyway."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.commands.checkpoint import refuse_open
from reconciler.commands.compose import Outside, kept_runs, open_fleet
from reconciler.commands.interruptible import Interruptible
from reconciler.core.copying import SeenCopy, copies, discard_plan, named, why_expired
from reconciler.core.diff import SEE_STATUS
from reconciler.core.index import Index
from reconciler.core.saga import GroupState
from reconciler.engine.execute import Outcome
from reconciler.engine.lease import fleet_leases
from reconciler.engine.observe import observe
from reconciler.errors import InputError, Interrupted, Locked, ReconcilerError, Refused
from reconciler.model.copying import copy_name
from reconciler.model.event import Untidied
from reconciler.model.spec import Spec
from reconciler.state.identity import owner
from reconciler.state.store import Awaited, Store

UNTIDY = "C385"


@dataclass(frozen=True)
class Discarded:
    """Copies that are gone, and what was left of that."""

    copies: tuple[SeenCopy, ...]
    untidied: tuple[Untidied, ...] = ()


@dataclass
class Discard(Interruptible):
    """Removing copies by name, or with `expired` those whose time is over. May be repeated: what is left of one
    that is half gone goes, too."""

    spec: Spec
    names: Sequence[str] = ()
    expired: bool = False
    journal_path: Path | None = None
    untidied: list[Untidied] = field(default_factory=list)

    async def __call__(self) -> Discarded:
        async with (
            kept_runs(self.journal_path) as journal,
            open_fleet(self.spec, self.untidied.append) as fleet,
        ):
            return await self.on(Outside(fleet, warn=self.untidied.append), journal)

    async def on(self, outside: Outside, journal: Store) -> Discarded:
        """The same, on a fleet that is there."""
        world = await observe(outside.fleet, outside.drivers, list(self.spec.hosts))
        gone = []
        for found in self._doomed(Index.of(world), outside.now()):
            async with fleet_leases(outside.fleet, {found.host}, owner(), self.lose, self.untidied.append):
                await self.one(
                    found, why_expired(found, outside.now()) if self.expired else "asked for", outside, journal
                )
            gone.append(found)
        return Discarded(tuple(gone), tuple(self.untidied))

    def _doomed(self, index: Index, now: float) -> list[SeenCopy]:
        if self.expired:
            return [found for found in copies(index) if found.expired(now)]
        return [found for name in self.names for found in _by_name(name, index)]

    async def one(self, found: SeenCopy, why: str, outside: Outside, journal: Store) -> None:
        """Remove what its host has of a copy by now, under a lease of that host."""
        async with Awaited(journal).locked([found.name], owner()):
            refuse_open(found.name, journal, also=True)
            index = Index.of(await observe(outside.fleet, outside.drivers, [found.host]))
            now = next((one for one in copies(index) if (one.name, one.host) == (found.name, found.host)), None)
            if now is not None:
                outcome = await self._carry_out(now, why, index, outside, journal)
                self._refuse_half(now, outcome)

    async def _carry_out(
        self, found: SeenCopy, why: str, index: Index, outside: Outside, journal: Store
    ) -> Outcome:
        plan = discard_plan(found, self.spec, index, why)
        run = await self.begin(plan, journal)
        self._executor = outside.executor(plan, run, Awaited(journal))
        try:
            return await outside.carry_out(self._executor)
        finally:
            self._executor = None

    def _refuse_half(self, found: SeenCopy, outcome: Outcome) -> None:
        if self._lost:
            raise self._lost
        if outcome.groups[found.name] is not GroupState.DONE:
            text = f"stopped as you asked; the rest of {found.name} goes when you say it again"
            raise next(iter(outcome.failures), Interrupted(text))


def _by_name(name: str, index: Index) -> list[SeenCopy]:
    found = named(name, index)
    if not found:
        unseen = f"not seen: {', '.join(sorted(index.unknown))}" if index.unknown else ""
        known = ", ".join(one.name for one in copies(index)) or "none"
        what = f"there is no copy {copy_name(name)}"
        raise InputError(what, code="E209", why=unseen, fix=f"there are: {known}")
    for one in found:
        if not one.settled:
            raise Refused(f"{one.name} is not all made", code="P459", where=one.host, fix=SEE_STATUS)
    return found


async def tidy_copies(
    spec: Spec, index: Index, hosts: frozenset[str], outside: Outside, journal: Store, left: list[Untidied]
) -> bool:
    """Copies whose time is over go from the hosts that a command has to itself anyway; whether any did. What keeps
    one from going is told, and keeps nothing else."""
    gone = False
    for found in copies(index):
        if found.host in hosts and found.expired(outside.now()):
            try:
                await Discard(spec).one(found, why_expired(found, outside.now()), outside, journal)
                gone = True
            except Locked:
                continue  # somebody has it
            except ReconcilerError as error:
                left.append(Untidied(UNTIDY, f"the copy {found.name} is to go, and stays: {error}", found.host))
    return gone
