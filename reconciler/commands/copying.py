"""`reconcile restore --as`: a copy of a checkpoint beside its workload, for a person to
look into, or to see whether the checkpoint can be restored at all.

It is made as a restore makes it, under a name that no workload can have, without anything by which the workload is
known: no connections, no addresses, no ports, no network, volumes of its own. The workload is not asked and not
changed, so a copy may be made while it runs. It goes when its time is over, by whoever sees that first."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from reconciler.commands.checkpoint import refuse_open
from reconciler.commands.compose import Outside
from reconciler.commands.discarding import tidy_copies
from reconciler.commands.restore import Restore, Restored
from reconciler.core.comeback import Obstacle, spec_changes
from reconciler.core.copying import in_the_way, labelled, until
from reconciler.core.index import Index
from reconciler.core.returning import Return
from reconciler.core.saving import as_it_was
from reconciler.engine.lease import fleet_leases
from reconciler.engine.observe import observe
from reconciler.errors import InputError
from reconciler.model.checkpoint import Kept, Manifest
from reconciler.model.command import Seconds
from reconciler.model.copying import CopyLabels, can_be_called, copy_name
from reconciler.model.spec import Workload
from reconciler.runtimes import registry
from reconciler.runtimes.base import Secludes
from reconciler.state.identity import owner
from reconciler.state.store import Awaited, Store

KEEP: Seconds = 3600.0
"""How long a copy is kept unless told otherwise."""


@dataclass
class RestoreCopy(Restore):
    """The same, as a copy that people call `name`, for `keep` seconds. `strict`: one that is not healthy is
    none."""

    name: str = ""
    keep: Seconds = KEEP
    strict: bool = False
    _until: float = field(default=0.0, init=False)
    _journal: Store | None = field(default=None, init=False)

    async def __call__(self) -> Restored:
        if not can_be_called(self.name):
            raise InputError(
                f"`{self.name}` is no name for a copy",
                code="E208",
                fix="small letters, digits and dashes, at most 52",
            )
        return await super().__call__()

    def _refuse_running(self, workload: Workload, index: Index) -> None:
        """It may run."""

    async def apply(self, workload: Workload, outside: Outside, journal: Store) -> Restored:
        """Other controllers are excluded from the hosts that have a part in it."""
        name, fleet, self._journal = self._called(workload), outside.fleet, journal
        refuse_open(name, journal)
        host = self._host(workload, await self._index(outside))
        candidates = await self._candidates(fleet)
        places = {host, *(kept.at.host for kept in candidates)}
        async with (
            fleet_leases(fleet, places, owner(), self.lose, self.untidied.append),
            Awaited(journal).locked([name], owner()),
        ):
            refuse_open(name, journal, also=True)
            self.on, index = host, await self._index(outside)
            if await tidy_copies(self.spec, index, frozenset(places), outside, journal, self.untidied):
                index = await self._index(outside)
            self._host(workload, index)  # it may have gone away meanwhile
            restored = await self._first_good(workload, host, index, candidates, outside, journal)
            return replace(restored, copy=name, until=self._until)

    async def _index(self, outside: Outside) -> Index:
        return Index.of(await observe(outside.fleet, outside.drivers, list(self.spec.hosts)))

    def _back(self, workload: Workload, kept: Kept, host: str, index: Index, outside: Outside) -> Return:
        """Of a checkpoint that an update has taken first the spec of then is in the journal, where that is the one
        that planned it: the archive has no say in what runs."""
        assert kept.manifest is not None
        if self._journal and spec_changes(kept.manifest, workload) and self._journal.knows(kept.id):
            planned = self._journal.run(kept.id).plan.captures.get(kept.workload)
            saved_first = planned if planned and planned.goes_back else None
            workload = (saved_first and as_it_was(saved_first)) or workload
            outside.secrets(workload)
        return super()._back(workload, kept, host, index, outside)

    def _called(self, workload: Workload) -> str:
        return copy_name(self.name)

    def _return(self, workload: Workload, kept: Kept, manifest: Manifest, host: str, outside: Outside) -> Return:
        runtime = registry.need(outside.drivers, workload.spec.runtime, "secludes")
        assert isinstance(runtime, Secludes)
        self._until = until(outside.now(), self.keep)
        says = CopyLabels(f"{kept.workload}@{kept.id}", self._until)
        alone = labelled(runtime.secluded(workload, self._called(workload)), says)
        policy = self.spec.policy_of(workload)
        return Return(
            workload=alone,
            kept=kept,
            manifest=manifest,
            host=host,
            beside=frozenset(),
            policy=policy.model_copy(update={"on_unhealthy": "back" if self.strict else "stay"}),
            copy_of=kept.workload,
            why=f", as the copy {self._called(workload)}",
        )

    def _in_the_way(self, workload: Workload, manifest: Manifest, host: str, index: Index) -> list[Obstacle]:
        return list(in_the_way(self._called(workload), manifest, index, index.seen[host]))
