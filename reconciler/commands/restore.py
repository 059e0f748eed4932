"""`reconcile restore`: a workload comes back from a checkpoint, on any host that can take it.

Never while it runs, or may run, anywhere: hosts that do not answer need somebody's word, with evidence, that
they are off. Everything that is there of it elsewhere is fenced first, under an epoch above every one that is
known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from reconciler.commands.app import Seen
from reconciler.commands.checkpoint import refuse_open, wanted
from reconciler.commands.compose import Outside, kept_runs, open_fleet, secrets_of
from reconciler.commands.discarding import tidy_copies
from reconciler.commands.interruptible import Interruptible
from reconciler.commands.kept import UNASKED, chosen, stock, usable
from reconciler.core.comeback import (
    LATEST,
    Obstacle,
    kept_volumes,
    may_run,
    misfits,
    old_copy,
    others,
    parse_reference,
)
from reconciler.core.index import Index
from reconciler.core.placement import NotPlaced, place
from reconciler.core.returning import Return, comeback_plan
from reconciler.core.saga import GroupState
from reconciler.core.selecting import known_host
from reconciler.engine.effects.comeback import DAMAGED
from reconciler.engine.execute import Outcome
from reconciler.engine.lease import fleet_leases
from reconciler.engine.observe import observe
from reconciler.errors import HostUnreachable, InDoubt, InputError, Interrupted, ReconcilerError, Refused
from reconciler.hosts.base import Fleet
from reconciler.model.checkpoint import Kept, Manifest
from reconciler.model.command import Seconds
from reconciler.model.event import Reporter, Untidied, ignore
from reconciler.model.plan import Plan
from reconciler.model.result import HealthSeen
from reconciler.model.spec import Spec, Workload
from reconciler.state.identity import owner
from reconciler.state.store import Awaited, Store

SHOWN_TO: Seconds = 0.001
"""Times are shown so exactly: one that is given as it was shown means the checkpoint of then."""


@dataclass(frozen=True)
class Restored:
    """A workload that runs again. `age_s`: how old what it knows is; `skipped`: newer checkpoints that were
    damaged."""

    kept: Kept
    host: str
    epoch: int
    age_s: Seconds
    fenced: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    evidence: str = ""
    skipped: tuple[str, ...] = ()
    untidied: tuple[Untidied, ...] = ()
    copy: str = ""
    """What it is called, where it is a copy beside its workload."""
    until: float = 0.0
    """How long that is kept, in seconds since the epoch."""
    unhealthy: str = ""
    """What its health check said, where it may stay nevertheless."""


@dataclass
class Restore(Interruptible):
    """One restore. `reference`: WORKLOAD, WORKLOAD@ID or WORKLOAD@latest; `before`: the newest of those that were
    taken by then, in seconds since the epoch; `on`: where to, else where its spec places it; `where`: the store,
    else all; `gone`: hosts that do not answer and are off, by `evidence`;
    `replace`: what the host has of it, files included, is given up for the checkpoint's."""

    spec: Spec
    reference: str
    on: str = ""
    where: str = ""
    gone: Sequence[str] = ()
    evidence: str = ""
    replace: bool = False
    journal_path: Path | None = None
    report: Reporter = ignore
    untidied: list[Untidied] = field(default_factory=list)
    before: float | None = None
    _unhealthy: str = field(default="", init=False)

    async def __call__(self) -> Restored:
        workload = wanted(self.spec, parse_reference(self.reference)[0])
        self._check_words()
        secrets_of(workload)  # what is missing is said before anything is changed
        async with (
            kept_runs(self.journal_path) as journal,
            open_fleet(self.spec, self.untidied.append) as fleet,
        ):
            return await self.apply(workload, Outside(fleet, warn=self.untidied.append), journal)

    def _check_words(self) -> None:
        for host in (*self.gone, *filter(None, (self.on,))):
            known_host(host, self.spec)
        if self.gone and not self.evidence.strip():
            example = '--evidence "h1 is powered off, seen at its console"'
            raise InputError("--gone needs evidence", code="E205", fix=f"say how you know: {example}")

    async def apply(self, workload: Workload, outside: Outside, journal: Store) -> Restored:
        """The same, on a fleet that is there. No other controller is at work on any host that answers."""
        name, fleet = workload.metadata.name, outside.fleet
        async with (
            fleet_leases(fleet, self.spec.hosts, owner(), self.lose, self.untidied.append),
            Awaited(journal).locked([name], owner()),
        ):
            refuse_open(name, journal)
            index = Index.of(await observe(fleet, outside.drivers, list(self.spec.hosts)))
            host = self._host(workload, index)
            self._refuse_running(workload, index)
            candidates = await self._candidates(fleet)
            await tidy_copies(self.spec, index, frozenset(index.seen), outside, journal, self.untidied)
            return await self._first_good(workload, host, index, candidates, outside, journal)

    def _host(self, workload: Workload, index: Index) -> str:
        """Where it is to run."""
        placed = place(workload, self.spec.hosts, index.seen, None)
        host = self.on or ("" if isinstance(placed, NotPlaced) else placed.host)
        if host not in index.seen:
            why = index.unknown.get(host, "its spec places it on no host that was seen")
            text = f"{workload.metadata.name} cannot be restored {f'on {host}' if host else 'anywhere'}"
            unseen = host in index.unknown or not index.seen
            raise (HostUnreachable if unseen else Refused)(text, code="P452", why=why, fix="say where: --on HOST")
        return host

    async def _candidates(self, fleet: Fleet) -> list[Kept]:
        found = await stock(self.spec, fleet, self.where, parse_reference(self.reference)[0])
        for host, error in found.unknown.items():
            if error.code in UNASKED:  # a host that does not answer is another matter: it may run there
                self.untidied.append(
                    Untidied("C382", f"a newer one may be kept where nobody can look: {error}", host)
                )
        mine = usable(self.reference, chosen(self.reference, found))
        if self.before is None:
            return mine
        earlier = [kept for kept in mine if kept.manifest and kept.manifest.taken_at < self.before + SHOWN_TO]
        if not earlier:
            what = f"there is no checkpoint of {self.reference} from then or earlier that can be used"
            raise InputError(what, code="E204", fix="see what there is: reconcile checkpoints list")
        return earlier

    async def _first_good(
        self,
        workload: Workload,
        host: str,
        index: Index,
        candidates: list[Kept],
        outside: Outside,
        journal: Store,
    ) -> Restored:
        """The newest one that is whole, where none was named; a damaged one changes nothing anywhere."""
        skipped: list[str] = []
        name = self._called(workload)
        may_skip = parse_reference(self.reference)[1] == LATEST
        known = [move.epoch for run in journal.runs(name) if (move := run.plan.moves.get(name))]
        for kept in candidates:
            back = replace(self._back(workload, kept, host, index, outside), earlier=tuple(known))
            plan, age = comeback_plan(back, self.spec, index), back.age_s
            outcome = await self._carry_out(plan, outside, journal)
            if self._runs(name, host, outcome):
                here = [host] if index.copies.get(name) and old_copy(name, index, host) else []
                return Restored(
                    kept,
                    host,
                    plan.moves[name].epoch,
                    age,
                    (*others(name, index, host), *here),
                    tuple(self.gone),
                    self.evidence,
                    tuple(skipped),
                    tuple(self.untidied),
                    unhealthy=self._unhealthy,
                )
            damaged = next((e for e in outcome.failures if e.code == DAMAGED), None)
            if damaged is None or not may_skip or kept is candidates[-1] or outcome.cancelled:
                raise self._failed(name, host, outcome)
            skipped.append(f"{kept.workload}@{kept.id}: {damaged.why}")
        raise AssertionError("unreachable: the last one is returned or raises")

    async def planned(self) -> Seen:
        """What it would do. Changes nothing; the checkpoint's files are not read again."""
        workload = wanted(self.spec, parse_reference(self.reference)[0])
        self._check_words()
        async with open_fleet(self.spec, self.untidied.append) as fleet:
            outside = Outside(fleet, warn=self.untidied.append)
            world = await observe(fleet, outside.drivers, list(self.spec.hosts))
            index = Index.of(world)
            host = self._host(workload, index)
            self._refuse_running(workload, index)
            kept = (await self._candidates(fleet))[0]
        back = self._back(workload, kept, host, index, outside)
        return Seen(world, comeback_plan(back, self.spec, index))

    def _refuse_running(self, workload: Workload, index: Index) -> None:
        name = workload.metadata.name
        refuse(f"{name} must not be restored", may_run(name, index, self.gone), code="P451")

    def _back(self, workload: Workload, kept: Kept, host: str, index: Index, outside: Outside) -> Return:
        """How it comes back from this one; Refused, with all that is in the way."""
        assert kept.manifest is not None
        obstacles = [
            *misfits(kept.manifest, workload, index.seen[host]),
            *self._in_the_way(workload, kept.manifest, host, index),
        ]
        refuse(f"{kept.workload}@{kept.id} cannot be restored on {host}", obstacles, code="P452")
        age = max(0.0, outside.now() - kept.manifest.taken_at)
        return replace(self._return(workload, kept, kept.manifest, host, outside), age_s=age)

    def _called(self, workload: Workload) -> str:
        """What is restored is called so on its host."""
        return workload.metadata.name

    def _return(self, workload: Workload, kept: Kept, manifest: Manifest, host: str, outside: Outside) -> Return:
        return Return(
            workload=workload,
            kept=kept,
            manifest=manifest,
            host=host,
            gone=tuple(self.gone),
            evidence=self.evidence,
            replaces=self.replace,
        )

    def _runs(self, name: str, host: str, outcome: Outcome) -> bool:
        """Whether it was brought back; what could not be tidied after that is told beside it."""
        state, errors = outcome.groups[name], outcome.errors.get(name, ())
        if state is GroupState.INCOMPLETE and errors and not errors[-1][1]:
            text = f"what the restore needed stays there; reconcile resume removes it ({errors[-1][2]})"
            self.untidied.append(Untidied("C375", text, host))
            return True
        return state is GroupState.DONE

    async def _carry_out(self, plan: Plan, outside: Outside, journal: Store) -> Outcome:
        run = await self.begin(plan, journal)
        self._executor = outside.executor(plan, run, Awaited(journal), report=self.report)
        try:
            outcome = await outside.carry_out(self._executor)
            seen = (one for one in self._executor.steps.results.values() if isinstance(one, HealthSeen))
            self._unhealthy = next((one.unhealthy for one in seen), "")
            return outcome
        finally:
            self._executor = None

    def _failed(self, name: str, host: str, outcome: Outcome) -> ReconcilerError:
        """Why it does not run: its first cause, or that nobody knows."""
        cause = next(iter(outcome.failures), None)
        if outcome.groups[name] is GroupState.IN_DOUBT:
            return InDoubt(
                f"nobody knows whether {name} runs on {host}",
                where=host,
                why=str(cause or ""),
                fix="see how it stands: reconcile status",
            )
        if self._lost:
            return self._lost
        if outcome.cancelled or cause is None:
            return Interrupted("stopped as you asked; nothing of it runs, and the checkpoint is where it was")
        return cause

    def _in_the_way(self, workload: Workload, manifest: Manifest, host: str, index: Index) -> list[Obstacle]:
        name, found = workload.metadata.name, kept_volumes(workload, index.seen[host])
        if self.replace or not found:
            return []
        text = f"{host} has {', '.join(found)} of it, and what is in there may be newer"
        return [
            Obstacle(text, f"save what you need of that, then say --replace; or start it from it: apply {name}")
        ]


def refuse(what: str, obstacles: Iterable[Obstacle], *, code: str) -> None:
    """Refused, with all that is in the way, and the way out of the first."""
    found = list(obstacles)
    if found:
        raise Refused(what, code=code, why="; ".join(o.text for o in found), fix=found[0].fix)
