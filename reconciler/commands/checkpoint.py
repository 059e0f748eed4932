"""`reconcile checkpoint`: save a workload as it is at one instant, and let it run on.

Its memory, root filesystem and volumes are of the moment it was frozen. The freeze is one command on its host,
bounded there: should this controller die, the workload runs on, and what was saved so far is never listed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from reconciler.commands.app import new_run_id
from reconciler.commands.compose import drivers, open_fleet, open_store
from reconciler.core.checkpoints import place_of
from reconciler.core.diff import SEE_STATUS, Index, contradiction, payload_changes
from reconciler.core.saga import unended_in
from reconciler.engine.capture import Capture
from reconciler.engine.lease import fleet_leases
from reconciler.engine.observe import observe
from reconciler.errors import InputError, Refused
from reconciler.hosts.base import Fleet
from reconciler.model.base import duration_text
from reconciler.model.checkpoint import Kept, KeptAt
from reconciler.model.command import Seconds
from reconciler.model.event import Untidied
from reconciler.model.plan import Move
from reconciler.model.spec import Cutover, Spec, Strategy, Workload
from reconciler.model.world import ContainerFacts, HostFacts, Instance, World
from reconciler.runtimes import registry
from reconciler.runtimes.base import CapturingDriver, Handover
from reconciler.state.identity import owner
from reconciler.state.store import Store

FREEZE_LIMIT: Seconds = 60.0
"""A workload that is captured is never frozen for longer, unless somebody allows it."""


@dataclass(frozen=True)
class Saved:
    """A checkpoint that was taken. `changed`: fields in which what runs differs from its spec by now."""

    kept: Kept
    changed: tuple[str, ...] = ()
    untidied: tuple[Untidied, ...] = ()


@dataclass
class Take:
    """Taking one checkpoint of one workload. `to`: where to, as users say it; empty: on its host."""

    spec: Spec
    name: str
    to: str = ""
    limit: Seconds = FREEZE_LIMIT
    journal_path: Path | None = None
    untidied: list[Untidied] = field(default_factory=list)

    async def __call__(self) -> Saved:
        workload = wanted(self.spec, self.name)
        if self.to:
            place_of(self.to, self.spec, "")
        with open_store(self.journal_path) as journal:
            async with open_fleet(self.spec, self.untidied.append) as fleet:
                return await self.on(workload, fleet, journal)

    async def on(self, workload: Workload, fleet: Fleet, journal: Store) -> Saved:
        """The same, on a fleet that is there. Other controllers are excluded from the two hosts it is about."""
        refuse_open(self.name, journal)
        world = await observe(fleet, drivers(), self.spec.places)
        host, _ = running(self.name, world)
        at = place_of(self.to, self.spec, host)
        async with fleet_leases(fleet, {host, at.host}, owner()):
            with journal.locked([self.name], owner()):
                refuse_open(self.name, journal)
                again = await observe(fleet, drivers(), [host])
                where, instance = running(self.name, World(hosts={**world.hosts, **again.hosts}))
                if where != host:
                    raise Refused(f"{self.name} has gone to {where} meanwhile", code="P450", fix="try again")
                kept = await self._capture(workload, instance, again.seen()[host], at, fleet).run()
        changed = tuple(payload_changes(workload.spec, instance))
        return Saved(kept, changed, tuple(self.untidied))

    def _capture(
        self, workload: Workload, instance: Instance, facts: HostFacts, at: KeptAt, fleet: Fleet
    ) -> Capture:
        epoch = max((m.epoch for m in facts.markers if m.workload == self.name), default=0)
        move = Move(
            workload=self.name,
            source=facts.name,
            destination="",
            container_id=instance.id,
            image_id=instance.image_id,
            epoch=epoch + 2,
            cutover=Cutover.TRANSACTIONAL,
            strategy=Strategy.COLD,
            oci_runtime=instance.oci_runtime if isinstance(instance, ContainerFacts) else "",
            memory_bytes=instance.memory_bytes,
        )
        limit = duration_text(self.limit)
        bounded = {"freeze_limit": limit, "silence_limit": limit}
        policy = self.spec.policy_of(workload).model_copy(update=bounded)
        return Capture(
            fleet=fleet,
            driver=cast(CapturingDriver, registry.need(drivers(), instance.runtime, "captures")),
            handover=Handover(workload, move, policy, new_run_id()),
            instance=instance,
            facts=facts,
            at=at,
            commit=self.spec.commit,
            dirty=self.spec.dirty,
            warn=self.untidied.append,
        )


def wanted(spec: Spec, name: str) -> Workload:
    """The workload of that name, by which it is known on the hosts."""
    workload = spec.workloads.get(name)
    if workload is None:
        known = ", ".join(sorted(spec.workloads)) or "none"
        raise InputError(f"no spec defines the workload {name}", code="E203", fix=f"one of: {known}")
    return workload


def refuse_open(name: str, journal: Store) -> None:
    """Refused while a run that changes it has not ended."""
    if name in unended_in(journal.open_runs()):
        raise Refused(f"an earlier run that changes {name} has not ended", code="P450", fix=SEE_STATUS)


def running(name: str, world: World) -> tuple[str, Instance]:
    """Where it runs, and what; Refused where it does not, or something about it is unfinished."""
    index = Index.of(world)
    unsettled = index.unsettled(name)
    for host, marker in index.markers.get(name, ()):
        if marker.broken or host in unsettled:
            why = f"its marker on {host} says: {marker.broken or marker.phase}"
            raise Refused(f"{name} cannot be saved now", code="P450", why=why, fix=SEE_STATUS)
    if problem := contradiction(name, index):
        raise Refused(f"{name} cannot be saved now", code="P450", why=problem[2], fix=SEE_STATUS)
    for copy in index.copies.get(name, ()):
        if copy.instance.state.has_processes:
            return copy.host, copy.instance
    unseen = f", and these were not: {', '.join(sorted(index.unknown))}" if index.unknown else ""
    raise Refused(
        f"{name} runs on no host that was seen{unseen}",
        code="P450",
        fix="start it, or make its host reachable: reconcile plan",
    )
