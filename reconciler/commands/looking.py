"""`reconcile checkpoints show | files | diff` of checkpoints that are kept: their host tells what is in them,
and memory stays there but for what processes were called with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from reconciler.commands.compose import open_fleet
from reconciler.commands.kept import in_a_folder, one_kept
from reconciler.engine.lenient import unsaid
from reconciler.hosts.base import Fleet, pump
from reconciler.inspection.facts import Checkpoint
from reconciler.inspection.kept import KeptLook
from reconciler.inspection.look import look
from reconciler.model.spec import Spec
from reconciler.stores import directory


def is_kept(text: str) -> bool:
    """Whether users mean WORKLOAD@ID by it; anything that is there is a path."""
    return "@" in text and "/" not in text and not Path(text).exists()


async def look_into(texts: Sequence[str], spec: Callable[[], Spec], where: str = "") -> list[Checkpoint]:
    """What is in each of these, archives or checkpoints that are kept. `spec`: is read only where one is kept."""
    if not any(map(is_kept, texts)):
        return [look(Path(text)) for text in texts]
    wanted = spec()
    async with open_fleet(wanted, unsaid) as fleet:
        return [
            await _kept(text, wanted, fleet, where) if is_kept(text) else await asyncio.to_thread(look, Path(text))
            for text in texts
        ]


async def _kept(reference: str, spec: Spec, fleet: Fleet, where: str) -> Checkpoint:
    kept, manifest = await one_kept(spec, fleet, reference, where)
    host, found = fleet.host(kept.at.host), KeptLook(f"{kept.workload}@{kept.id}", manifest)
    async with in_a_folder(kept, manifest, fleet, unsaid) as folder:
        found.take(await pump(directory.look(folder, len(manifest.trees)), host))
        told = found.told(await pump(directory.slices(folder, found.asked), host))
    return told.model_copy(update={"rehearsed": kept.rehearsed})
