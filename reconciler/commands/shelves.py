"""`reconcile checkpoints copy` and `prune`: a checkpoint is kept elsewhere, too; and what policies keep no longer
goes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.commands.compose import keys_of, open_fleet
from reconciler.commands.interruptible import new_run_id
from reconciler.commands.kept import (
    Verified,
    ask,
    chosen,
    discard,
    in_a_folder,
    one_of,
    stock,
    usable,
    verified,
    whole_one,
)
from reconciler.core.checkpoints import newest_first, place_of
from reconciler.core.comeback import parse_reference
from reconciler.core.retention import doomed
from reconciler.engine.carry import CheckpointCopy
from reconciler.engine.lenient import lenient
from reconciler.errors import CommandFailed, InputError, ReconcilerError
from reconciler.hosts.base import Fleet, pump
from reconciler.model.checkpoint import Kept, KeptAt, Manifest
from reconciler.model.checkpointing import DEFAULT_FOLDER, CheckpointPolicySpec
from reconciler.model.event import Untidied
from reconciler.model.spec import Spec
from reconciler.stores import directory, shelf

DAMAGED = "C372"


@dataclass
class CopyKept:
    """One checkpoint to another place. What is there of it already is read, and stays where it is whole."""

    spec: Spec
    reference: str
    to: str
    where: str = ""
    untidied: list[Untidied] = field(default_factory=list)

    async def __call__(self) -> Kept:
        at = place_of(self.to, self.spec, "")
        async with open_fleet(self.spec, self.untidied.append) as fleet:
            name = parse_reference(self.reference)[0]
            found = await stock(self.spec, fleet, self.where, name)
            (first, *_) = chosen(one_of(self.reference), found)
            known = await self._there(first, at, fleet)
            if known is not None and not known.wrong:
                return known.kept
            mine = chosen(f"{name}@{first.id}", found)
            others = [one for one in mine if (one.at.host, one.at.folder) != (at.host, at.folder)]
            if not others and known is not None:
                raise CommandFailed(
                    f"{self.reference} on {at} is not whole, and no other one was found",
                    code=DAMAGED,
                    where=at.host,
                    why="; ".join(known.wrong),
                    fix="see what there is: reconcile checkpoints list; elsewhere: --in HOST:/FOLDER",
                )
            return await self._from_one(usable(self.reference, others), at, fleet)

    async def _from_one(self, sources: Sequence[Kept], at: KeptAt, fleet: Fleet) -> Kept:
        """Of the first that arrives whole."""
        for kept in sources:
            assert kept.manifest is not None
            try:
                async with in_a_folder(kept, kept.manifest, fleet, self.untidied.append) as source:
                    return await self._carry(kept, kept.manifest, source, at, fleet)
            except CommandFailed as failed:
                if failed.code != DAMAGED or kept is sources[-1]:
                    raise
        raise AssertionError(sources)

    async def _there(self, kept: Kept, at: KeptAt, fleet: Fleet) -> Verified | None:
        """What the other place has of it, all of it read."""
        mine = [one for one in await ask(at, fleet, kept.workload) if one.id == kept.id]
        return await verified(mine[0], fleet) if mine else None

    async def _carry(self, kept: Kept, manifest: Manifest, source: str, at: KeptAt, fleet: Fleet) -> Kept:
        """It is listed there only once all of it has arrived as it was packed."""
        folder, there = at.of(kept.workload, kept.id), fleet.host(at.host)
        part, warn = directory.part_by(folder, new_run_id()), self.untidied.append
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
                    code=DAMAGED,
                    where=at.host,
                    why="; ".join(bad),
                    fix=f"see whether it is whole where it is: reconcile checkpoints verify {self.reference}",
                )
            known = await self._there(kept, at, fleet)  # somebody else may have been faster
            if known is None or known.wrong:
                return await self._put(Kept(at, kept.workload, kept.id, manifest=manifest), part, known, fleet)
            await pump(directory.drop(part), there)
            return known.kept
        except BaseException:
            with lenient("C375", "a half of it stays there", warn, at.host):
                await asyncio.shield(pump(directory.drop(part), there))
            raise

    async def _put(self, kept: Kept, part: str, known: Verified | None, fleet: Fleet) -> Kept:
        """All files are in `part`. `known`: what is there of it, which is not whole, and goes."""
        at, there, manifest = kept.at, fleet.host(kept.at.host), kept.manifest
        assert manifest is not None
        if at.repository is None:
            await pump(directory.pin(part, on=False), there)
            await pump(directory.seal(part, kept.folder, manifest, replaces=True), there)
            return kept
        if known is not None:
            await discard([known.kept], fleet)
        await pump(shelf.take(at, keys_of(at), part, manifest), there)
        if known is not None and (bad := (await verified(kept, fleet)).wrong):
            raise CommandFailed(
                f"{at} has {kept.workload}@{kept.id} anew, and it is not whole there",
                code=DAMAGED,
                where=at.host,
                why="; ".join(bad),
                fix="mend the repository: restic check; restic repair packs",
            )
        if known is not None and known.kept.pinned:
            await pump(shelf.pin(kept, keys_of(at), on=True), there)
        return kept


@dataclass(frozen=True)
class Pruned:
    """What a policy keeps no longer in one place. `stays`: the newest of those that stay which is whole, as it was
    read again."""

    stays: Kept
    goes: tuple[Kept, ...]


@dataclass(frozen=True)
class Pruning:
    """What is kept no longer, and where policies keep some and nobody could look."""

    places: tuple[Pruned, ...]
    unknown: Mapping[str, ReconcilerError]


async def prune(spec: Spec, workload: str = "", where: str = "", *, really: bool = False) -> Pruning:
    """`reconcile checkpoints prune`, in the stores of policies only unless `where` says another place. Refused
    where none of those that would stay is whole. Only what is not pinned and can be read goes; places are tidied
    one by one."""
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
            policy = _policy(spec, name)
            if policy is None or policy.keep is None or not (where or _tidies(policy, all_there, spec)):
                continue
            if not (goes := doomed(all_there, policy.keep, now)):
                continue
            stays = await whole_one([one for one in newest_first(all_there, now) if one not in goes], fleet, name)
            done.append(Pruned(stays, tuple(goes)))
        await discard((kept for pruned in done for kept in pruned.goes if really), fleet)
    names = [workload] if workload else sorted(spec.workloads)
    mine = {host for name in names for host in _keepers(_policy(spec, name), where, spec)}
    return Pruning(tuple(done), {host: error for host, error in found.unknown.items() if host in mine})


def _policy(spec: Spec, name: str) -> CheckpointPolicySpec | None:
    refs = spec.workloads[name].spec.checkpoints if name in spec.workloads else None
    return spec.checkpoint_policies[refs.policy].spec if refs else None


def _tidies(policy: CheckpointPolicySpec, there: Sequence[Kept], spec: Spec) -> bool:
    """Whether a policy keeps checkpoints in a place: in its store, or on hosts that some of these were taken on.
    Elsewhere a person has put them."""
    at = there[0].at
    if policy.store:
        kept_at = place_of(policy.store, spec, "")
        return (at.host, at.folder) == (kept_at.host, kept_at.folder)
    if at.repository is not None or at.folder != DEFAULT_FOLDER:
        return False
    return any(one.manifest is not None and one.manifest.came_from.host == at.host for one in there)


def _keepers(policy: CheckpointPolicySpec | None, where: str, spec: Spec) -> Collection[str]:
    """Hosts that have to be asked for what it keeps."""
    if policy is None or policy.keep is None:
        return ()
    return {place_of(at, spec, "").host} if (at := where or policy.store) else spec.hosts
