"""`reconcile restore`: a workload comes back from a checkpoint, on any host that can take it.

Never while it runs, or may run, anywhere: hosts that do not answer need somebody's word, with evidence, that
they are off. Everything that is there of it elsewhere is fenced first, under an epoch above every one that is
known."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.commands.app import new_run_id
from reconciler.commands.checkpoint import refuse_open, wanted
from reconciler.commands.compose import drivers, open_fleet, open_store, secrets_of
from reconciler.commands.kept import chosen, stock
from reconciler.core.checkpoints import newest_first
from reconciler.core.comeback import (
    LATEST,
    STEP,
    Obstacle,
    kept_volumes,
    may_run,
    misfits,
    next_epoch,
    old_copy,
    others,
    parse_reference,
)
from reconciler.core.diff import Index
from reconciler.core.placement import NotPlaced, place
from reconciler.core.selecting import known_host
from reconciler.engine.comeback import DAMAGED, Comeback
from reconciler.engine.lease import fleet_leases
from reconciler.engine.observe import observe
from reconciler.errors import CommandFailed, InputError, Refused
from reconciler.hosts.base import Fleet
from reconciler.model.checkpoint import Kept, Manifest
from reconciler.model.command import Seconds
from reconciler.model.event import Untidied
from reconciler.model.plan import Move
from reconciler.model.spec import Cutover, Spec, Strategy, TcpHandling, Workload
from reconciler.runtimes import registry
from reconciler.runtimes.base import Handover
from reconciler.state.identity import owner
from reconciler.state.store import Store


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


@dataclass
class Restore:
    """One restore. `reference`: WORKLOAD, WORKLOAD@ID or WORKLOAD@latest; `on`: where to, else where its spec
    places it; `where`: the store, else all; `gone`: hosts that do not answer and are off, by `evidence`;
    `replace`: what the host has of it, files included, is given up for the checkpoint's."""

    spec: Spec
    reference: str
    on: str = ""
    where: str = ""
    gone: Sequence[str] = ()
    evidence: str = ""
    replace: bool = False
    journal_path: Path | None = None
    untidied: list[Untidied] = field(default_factory=list)

    async def __call__(self) -> Restored:
        workload = wanted(self.spec, parse_reference(self.reference)[0])
        self._check_words()
        secrets_of(workload)  # what is missing is said before anything is changed
        with open_store(self.journal_path) as journal:
            async with open_fleet(self.spec, self.untidied.append) as fleet:
                return await self.apply(workload, fleet, journal)

    def _check_words(self) -> None:
        for host in (*self.gone, *filter(None, (self.on,))):
            known_host(host, self.spec)
        if self.gone and not self.evidence.strip():
            example = '--evidence "h1 is powered off, seen at its console"'
            raise InputError("--gone needs evidence", code="E205", fix=f"say how you know: {example}")

    async def apply(self, workload: Workload, fleet: Fleet, journal: Store) -> Restored:
        """The same, on a fleet that is there. No other controller is at work on any host that answers."""
        name = workload.metadata.name
        async with fleet_leases(fleet, self.spec.hosts, owner()):
            with journal.locked([name], owner()):
                refuse_open(name, journal)
                index = Index.of(await observe(fleet, drivers(), list(self.spec.hosts)))
                host = self._host(workload, index)
                _refuse(f"{name} must not be restored", may_run(name, index, self.gone, host), code="P451")
                candidates = await self._candidates(fleet)
                return await self._first_good(workload, host, index, candidates, fleet, journal)

    def _host(self, workload: Workload, index: Index) -> str:
        """Where it is to run."""
        placed = place(workload, self.spec.hosts, index.seen, None)
        host = self.on or ("" if isinstance(placed, NotPlaced) else placed.host)
        if host not in index.seen:
            why = index.unknown.get(host, "its spec places it on no host that was seen")
            text = f"{workload.metadata.name} cannot be restored {f'on {host}' if host else 'anywhere'}"
            raise Refused(text, code="P452", why=why, fix="say where: --on HOST")
        return host

    async def _candidates(self, fleet: Fleet) -> list[Kept]:
        found = await stock(self.spec, fleet, self.where, parse_reference(self.reference)[0])
        mine = chosen(self.reference, found)
        if not (usable := newest_first(mine)):
            raise Refused(
                f"{self.reference} cannot be used",
                code="P452",
                why="; ".join(sorted({one.broken for one in mine})),
                fix="use another one: reconcile checkpoints list",
            )
        return usable

    async def _first_good(
        self, workload: Workload, host: str, index: Index, candidates: list[Kept], fleet: Fleet, journal: Store
    ) -> Restored:
        """The newest one that is whole, where none was named; a damaged one changes nothing anywhere."""
        skipped: list[str] = []
        name = workload.metadata.name
        may_skip = parse_reference(self.reference)[1] == LATEST
        for kept in candidates:
            assert kept.manifest is not None
            obstacles = [
                *misfits(kept.manifest, workload, index.seen[host]),
                *self._in_the_way(workload, host, index),
            ]
            _refuse(f"{name}@{kept.id} cannot be restored on {host}", obstacles, code="P452")
            comeback = self._comeback(workload, kept, kept.manifest, host, index, fleet, journal)
            try:
                await comeback.run()
            except CommandFailed as error:
                if error.code != DAMAGED or not may_skip or kept is candidates[-1]:
                    raise
                skipped.append(f"{name}@{kept.id}: {error.why}")
                continue
            return Restored(
                kept,
                host,
                comeback.handover.move.epoch,
                max(0.0, time.time() - kept.manifest.taken_at),
                tuple(comeback.fenced),
                tuple(self.gone),
                self.evidence,
                tuple(skipped),
                tuple(self.untidied),
            )
        raise AssertionError("unreachable: the last one is returned or raises")

    def _in_the_way(self, workload: Workload, host: str, index: Index) -> list[Obstacle]:
        name, found = workload.metadata.name, kept_volumes(workload, index.seen[host])
        if self.replace or not found:
            return []
        text = f"{host} has {', '.join(found)} of it, and what is in there may be newer"
        return [
            Obstacle(text, f"save what you need of that, then say --replace; or start it from it: apply {name}")
        ]

    def _comeback(
        self,
        workload: Workload,
        kept: Kept,
        manifest: Manifest,
        host: str,
        index: Index,
        fleet: Fleet,
        journal: Store,
    ) -> Comeback:
        name, image = workload.metadata.name, manifest.came_from.image_id
        earlier = [move.epoch for run in journal.runs(name) if (move := run.plan.moves.get(name))]
        fencing = next_epoch(name, index, manifest, earlier)
        move = Move(
            workload=name,
            source="",
            destination=host,
            container_id="",
            image_id=image,
            epoch=fencing + STEP,
            cutover=Cutover.TRANSACTIONAL,
            strategy=Strategy.COLD,
            oci_runtime=manifest.came_from.oci_runtime,
            memory_bytes=manifest.memory_bytes,
        )
        # Peers have gone on: connections of then could neither be answered nor end.
        policy = self.spec.policy_of(workload).model_copy(update={"tcp": TcpHandling.CLOSE})
        here = [host] if old_copy(name, index, host) or dict(index.markers.get(name, ())).get(host) else []
        have = [peer for peer, facts in sorted(index.seen.items()) if any(i.id == image for i in facts.images)]
        return Comeback(
            fleet=fleet,
            driver=registry.need(drivers(), workload.spec.runtime, "moves"),
            handover=Handover(workload, move, policy, new_run_id()),
            kept=kept,
            fenced=[*others(name, index, host), *here],
            fencing=fencing,
            image_from=next((peer for peer in have if peer != host), None),
            networks={
                n.name: self.spec.networks[n.name].spec
                for n in workload.spec.networks
                if n.name in self.spec.networks
            },
            replaces=self.replace,
            secrets=secrets_of(workload),
            warn=self.untidied.append,
        )


def _refuse(what: str, obstacles: Iterable[Obstacle], *, code: str) -> None:
    """Refused, with all that is in the way, and the way out of the first."""
    found = list(obstacles)
    if found:
        raise Refused(what, code=code, why="; ".join(o.text for o in found), fix=found[0].fix)
