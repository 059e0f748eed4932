"""`reconcile checkpoints list | verify | pin | unpin | rm`: what stores have, and which of it is meant. Each
host that keeps some is asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from reconciler.commands.compose import keys_of, open_fleet
from reconciler.commands.interruptible import new_run_id
from reconciler.core.checkpoints import newest_first, place_of, places_of
from reconciler.core.comeback import LATEST, parse_reference
from reconciler.engine.lenient import Warn, lenient, unsaid
from reconciler.errors import HostError, InputError, ReconcilerError, Refused
from reconciler.hosts.base import Fleet, pump
from reconciler.model.checkpoint import Kept, KeptAt, Manifest
from reconciler.model.spec import Spec
from reconciler.stores import directory, restic, shelf

UNASKED = frozenset({restic.UNUSABLE, "E180"})
"""Codes of errors that say that a store could not be listed, though its host answers."""


@dataclass(frozen=True)
class FoundKept:
    """What was found, newest first, and why some hosts could not be asked."""

    kept: tuple[Kept, ...]
    unknown: Mapping[str, ReconcilerError]


@dataclass(frozen=True)
class Verified:
    """A checkpoint whose files were read. `wrong`: what is not as it was; empty when all is."""

    kept: Kept
    wrong: tuple[str, ...] = ()

    @property
    def well(self) -> bool:
        """Whether it came up when it was rehearsed last."""
        return self.kept.rehearsed is not None and self.kept.rehearsed.ok


@dataclass(frozen=True)
class Verification:
    """Checkpoints whose files were read, and where nobody could look for others."""

    found: tuple[Verified, ...]
    unknown: Mapping[str, ReconcilerError]


async def stock(spec: Spec, fleet: Fleet, where: str = "", workload: str = "") -> FoundKept:
    """All checkpoints in one place, or wherever the specs' hosts may keep some."""
    places = [place_of(where, spec, "")] if where else places_of(spec)
    answers = await asyncio.gather(*(ask(at, fleet, workload) for at in places), return_exceptions=True)
    found: list[Kept] = []
    unknown: dict[str, ReconcilerError] = {}
    for at, answer in zip(places, answers, strict=True):
        if isinstance(answer, ReconcilerError):
            unknown[at.host] = answer
        elif isinstance(answer, BaseException):
            raise answer
        else:
            found += answer
    found.sort(key=lambda one: (one.id, one.workload, str(one.at)), reverse=True)
    return FoundKept(tuple(found), unknown)


async def ask(at: KeptAt, fleet: Fleet, workload: str = "", newest: int = 0, until: str = "") -> tuple[Kept, ...]:
    """What one store has, as `shelf.listed` says. ReconcilerError also where a
    secret that it needs is not there."""
    return await pump(shelf.listed(at, keys_of(at), workload, newest, until), fleet.host(at.host))


async def discard(gone: Iterable[Kept], fleet: Fleet) -> None:
    """Remove checkpoints, a store's all at once."""
    by_store: dict[tuple[str, str], list[Kept]] = {}
    for one in gone:
        by_store.setdefault((one.at.host, one.at.folder), []).append(one)
    for mine in by_store.values():
        at = mine[0].at
        await pump(shelf.discard(at, keys_of(at), mine), fleet.host(at.host))


@asynccontextmanager
async def in_a_folder(kept: Kept, manifest: Manifest, fleet: Fleet, warn: Warn) -> AsyncIterator[str]:
    """Where its files are on the store's host, for as long as they are used."""
    at = kept.at
    if at.repository is None:
        yield kept.folder
        return
    host, folder = fleet.host(at.host), restic.brought_to(at, new_run_id())
    try:
        await pump(restic.bring(at, keys_of(at), kept.workload, kept.id, folder, manifest.bytes), host)
        yield folder
    finally:
        with lenient("C375", "files of a checkpoint stay there for a day", warn, at.host):
            await asyncio.shield(pump(directory.clear(folder), host))


async def listing(spec: Spec, workload: str = "", where: str = "") -> FoundKept:
    """`reconcile checkpoints list`."""
    async with open_fleet(spec, unsaid) as fleet:
        return await stock(spec, fleet, where, workload)


def chosen(reference: str, found: FoundKept) -> list[Kept]:
    """The checkpoints that a reference means: all of a workload, or one, wherever it is; of the latest first where
    it can be used. InputError when there is none, HostError when nobody knows."""
    name, wanted = parse_reference(reference)
    mine = [one for one in found.kept if one.workload == name]
    if "@" in reference:
        first = newest_first(mine, time.time())[:1] if wanted == LATEST else []
        wanted = first[0].id if first else wanted
        mine = [*first, *(one for one in mine if one.id == wanted and one.named and one not in first)]
    if not mine and found.unknown:
        raise HostError(
            f"no checkpoint {reference} was found, and not everywhere could be looked",
            code="H230",
            where=", ".join(sorted(found.unknown)),
            why="; ".join(told(found.unknown)),
            fix="make them usable: reconcile doctor; or say where to look: --in PLACE",
        )
    if not mine:
        raise InputError(
            f"there is no checkpoint {reference}",
            code="E204",
            fix="see what there is: reconcile checkpoints list; elsewhere: --in HOST:/FOLDER",
        )
    return mine


def told(unknown: Mapping[str, ReconcilerError]) -> list[str]:
    """Which hosts could not be asked, and why."""
    return [str(e) if e.where == host else f"{host}: {e}" for host, e in sorted(unknown.items())]


def usable(reference: str, mine: Sequence[Kept]) -> list[Kept]:
    """Those that can be used of what a reference means, newest first; Refused where none can."""
    if not (found := newest_first(mine, time.time())):
        raise Refused(
            f"{reference} cannot be used",
            code="P452",
            why="; ".join(sorted({one.broken for one in mine})),
            fix="use another one: reconcile checkpoints list",
        )
    return found


async def one_kept(spec: Spec, fleet: Fleet, reference: str, where: str = "") -> tuple[Kept, Manifest]:
    """The one that a reference names, in a place where it can be used."""
    name = parse_reference(reference)[0]
    kept = usable(reference, chosen(one_of(reference), await stock(spec, fleet, where, name)))[0]
    assert kept.manifest is not None
    return kept, kept.manifest


async def verify(spec: Spec, reference: str, where: str = "") -> Verification:
    """`reconcile checkpoints verify`: read all files again."""
    async with open_fleet(spec, unsaid) as fleet:
        found = await stock(spec, fleet, where, parse_reference(reference)[0])
        rows = [await verified(one, fleet) for one in chosen(reference, found)]
        return Verification(tuple(rows), found.unknown)


async def verified(kept: Kept, fleet: Fleet) -> Verified:
    """What of a checkpoint is not as it was packed."""
    if kept.manifest is None:
        return Verified(kept, (kept.broken,))
    wrong = await pump(shelf.wrong(kept, keys_of(kept.at)), fleet.host(kept.at.host))
    return Verified(kept, wrong)


async def whole_one(candidates: Sequence[Kept], fleet: Fleet, name: str) -> Kept:
    """The first that is as it was packed; Refused where none is: those beside them are not removed then."""
    for one in candidates:
        if not (await verified(one, fleet)).wrong:
            return one
    raise Refused(
        f"none of the checkpoints of {name} that would stay is whole",
        code="P453",
        fix=f"take another one first: reconcile checkpoint {name}",
    )


async def pin(spec: Spec, reference: str, where: str = "", *, on: bool = True) -> list[Kept]:
    """`reconcile checkpoints pin` and `unpin`: nothing removes it meanwhile."""
    async with open_fleet(spec, unsaid) as fleet:
        mine = chosen(one_of(reference), await stock(spec, fleet, where, parse_reference(reference)[0]))
        for kept in mine:
            await pump(shelf.pin(kept, keys_of(kept.at), on=on), fleet.host(kept.at.host))
        return mine


async def remove(
    spec: Spec, references: Sequence[str], where: str = "", *, last: bool = False, everywhere: bool = False
) -> list[Kept]:
    """`reconcile checkpoints rm`. Refused for what is pinned, for what is in several places, and for the last one
    of a workload, unless that is asked for."""
    async with open_fleet(spec, unsaid) as fleet:
        found = await stock(spec, fleet, where)
        doomed = [one for reference in references for one in _in_one(reference, found, everywhere=everywhere)]
        kept = found.kept if not where else (*found.kept, *(await stock(spec, fleet)).kept)
        for one in doomed:
            if one.pinned:
                text = f"{one.workload}@{one.id} is pinned"
                raise Refused(text, code="P453", fix=f"reconcile checkpoints unpin {one.workload}@{one.id}")
            left = [k for k in kept if k.workload == one.workload and k.manifest and not _among(k, doomed)]
            if not left and one.manifest and not last:
                raise Refused(
                    f"no other checkpoint of {one.workload} that can be used was found",
                    code="P453",
                    fix="take another one first, or say --last",
                )
        await discard(doomed, fleet)
        return doomed


def _in_one(reference: str, found: FoundKept, *, everywhere: bool) -> list[Kept]:
    mine = chosen(one_of(reference), found)
    if len(mine) > 1 and not everywhere:
        raise Refused(
            f"{reference} is kept in several places",
            code="P453",
            why=", ".join(str(one.at) for one in mine),
            fix="say which one goes: --in PLACE; or all of them: --everywhere",
        )
    return mine


def _among(kept: Kept, those: Iterable[Kept]) -> bool:
    """Whether it is one of those, whatever its place is called."""
    return any((kept.at.host, kept.folder) == (one.at.host, one.folder) for one in those)


def one_of(reference: str) -> str:
    """The reference, which must name one checkpoint."""
    if "@" not in reference:
        raise InputError(
            f"`{reference}` names no checkpoint",
            code="E204",
            fix=f"say which: {reference}@ID, or {reference}@latest",
        )
    return reference
