"""`reconcile checkpoints copy` and `prune`: a checkpoint is kept elsewhere, too; and what policies keep no longer
goes."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from reconciler.commands.compose import keys_of, open_fleet
from reconciler.commands.interruptible import new_run_id
from reconciler.commands.kept import ask, chosen, discard, in_a_folder, one_of, stock, usable, whole_one
from reconciler.core.checkpoints import newest_first, place_of
from reconciler.core.comeback import parse_reference
from reconciler.core.retention import doomed
from reconciler.engine.carry import CheckpointCopy
from reconciler.engine.lenient import lenient
from reconciler.errors import CommandFailed, InputError
from reconciler.hosts.base import Fleet, pump
from reconciler.model.checkpoint import Kept, KeptAt, Manifest
from reconciler.model.event import Untidied
from reconciler.model.spec import Spec
from reconciler.stores import directory, shelf


@dataclass
class CopyKept:
    """One checkpoint to another place; what is there of it already stays as it is."""

    spec: Spec
    reference: str
    to: str
    where: str = ""
    untidied: list[Untidied] = field(default_factory=list)

    async def __call__(self) -> Kept:
        at = place_of(self.to, self.spec, "")
        async with open_fleet(self.spec, self.untidied.append) as fleet:
            name = parse_reference(self.reference)[0]
            mine = chosen(one_of(self.reference), await stock(self.spec, fleet, self.where, name))
            there = [one for one in await ask(at, fleet, name) if one.manifest]
            for one in there:
                if one.id in {kept.id for kept in mine}:
                    return one
            first = usable(self.reference, mine)[0]
            assert first.manifest is not None
            async with in_a_folder(first, first.manifest, fleet, self.untidied.append) as source:
                return await self._carry(first, first.manifest, source, at, fleet)

    async def _carry(self, kept: Kept, manifest: Manifest, source: str, at: KeptAt, fleet: Fleet) -> Kept:
        """It is listed there only once all of it has arrived as it was packed."""
        folder, there = at.of(kept.workload, kept.id), fleet.host(at.host)
        part, warn = directory.part_of(folder), self.untidied.append
        try:
            if at.host == kept.at.host:
                await pump(directory.begin(part), there)
                await pump(directory.copy_files(source, part, manifest.files), there)
            else:
                link = f"{new_run_id()}-{kept.workload}"
                ends = (kept.at.host, at.host, link, source, part)
                await CheckpointCopy(fleet, *ends, kept.at.host, warn).carry()
            if bad := await pump(directory.wrong(part, manifest.files), there):
                raise CommandFailed(
                    f"{self.reference} did not arrive as it was packed",
                    code="C372",
                    where=at.host,
                    why="; ".join(bad),
                    fix=f"see whether it is whole where it is: reconcile checkpoints verify {self.reference}",
                )
            if at.repository is not None:
                await pump(shelf.take(at, keys_of(at), part, manifest), there)
        except BaseException:
            with lenient("C375", "a half of it stays there", warn, at.host):
                await asyncio.shield(pump(directory.discard(folder), there))
            raise
        if at.repository is None:
            await pump(directory.seal(part, folder, manifest), there)
            await pump(directory.pin(folder, on=False), there)
        return Kept(at, kept.workload, kept.id, manifest=manifest)


@dataclass(frozen=True)
class Pruned:
    """What a policy keeps no longer in one place. `stays`: the newest of those that stay which is whole, as it was
    read again."""

    stays: Kept
    goes: tuple[Kept, ...]


async def prune(spec: Spec, workload: str = "", where: str = "", *, really: bool = False) -> list[Pruned]:
    """`reconcile checkpoints prune`. Refused where none of those that would stay is whole. Only what is not pinned
    and can be read goes; places are tidied one by one."""
    if workload and workload not in spec.workloads:
        raise InputError(f"no spec defines the workload {workload}", code="E203", fix="reconcile checkpoints rm")
    done: list[Pruned] = []
    now = time.time()
    async with open_fleet(spec, lambda _: None) as fleet:
        found = await stock(spec, fleet, where, workload)
        places: dict[tuple[str, str, str], list[Kept]] = {}
        for kept in found.kept:
            places.setdefault((kept.workload, kept.at.host, kept.at.folder), []).append(kept)
        for (name, _, _), all_there in sorted(places.items()):
            refs = spec.workloads[name].spec.checkpoints if name in spec.workloads else None
            keep = spec.checkpoint_policies[refs.policy].spec.keep if refs else None
            if keep is None or not (goes := doomed(all_there, keep, now)):
                continue
            stays = await whole_one([one for one in newest_first(all_there, now) if one not in goes], fleet, name)
            done.append(Pruned(stays, tuple(goes)))
        await discard((kept for pruned in done for kept in pruned.goes if really), fleet)
    return done
