"""`reconcile checkpoints import`: a checkpoint that others have taken becomes one of a workload's, in a store.
What it was made from nobody knows; the spec of the day it is restored says what may run, as for any other."""

from __future__ import annotations

import asyncio
import os
import re
import time
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.commands.checkpoint import wanted
from reconciler.commands.compose import keys_of, open_fleet, open_relay
from reconciler.commands.interruptible import new_run_id
from reconciler.core.causes import telling
from reconciler.core.checkpoints import place_of
from reconciler.engine.lenient import lenient
from reconciler.errors import CommandFailed, InputError, Refused
from reconciler.hosts.base import Fleet, pump
from reconciler.inspection.taking import ROOTFS, Foreign, foreign, repack
from reconciler.model.checkpoint import Kept, KeptAt, KeptFile, KeptTree, Manifest, TakenFrom
from reconciler.model.event import Untidied
from reconciler.model.spec import Spec, Workload
from reconciler.stores import directory, shelf

_IMAGE = re.compile(r"[0-9a-f]{64}")
_NOT_TAKEN = 4


@dataclass
class TakeIn:
    """One archive, or folder of CRIU images. `name`: the workload; empty for that with its container's name. `to`:
    where to keep it; empty for the host that its spec places it on."""

    spec: Spec
    path: Path
    name: str = ""
    to: str = ""
    untidied: list[Untidied] = field(default_factory=list)

    async def __call__(self) -> Kept:
        found = await asyncio.to_thread(foreign, self.path)
        workload = self._workload(found)
        at = self._place(workload)
        trees = self._trees(workload, found)
        name, run = workload.metadata.name, new_run_id()
        folder = at.of(name, run)
        part = directory.part_of(folder)
        async with open_fleet(self.spec, self.untidied.append) as fleet:
            host = fleet.host(at.host)
            try:
                await pump(directory.begin(part), host)
                await self._send(found, trees, at, part)
                plain = at.repository is not None
                files = await pump(directory.pack(part, directory.taken_images(part), plain=plain), host)
                await pump(directory.clear(f"{part}/in"), host)
                manifest = self._manifest(workload, found, run, tuple(trees), files)
                await pump(shelf.take(at, keys_of(at), part, manifest), host)
            except BaseException:
                await self._tidy(fleet, at, folder)
                raise
        return Kept(at, name, run, manifest=manifest)

    def _workload(self, found: Foreign) -> Workload:
        name = self.name or found.provenance.container
        if not name:
            raise InputError(
                f"{self.path} does not say whose it is", code="E203", fix="say which workload: --as NAME"
            )
        return wanted(self.spec, name)

    def _place(self, workload: Workload) -> KeptAt:
        here = workload.spec.placement.host or ""
        if not (self.to or here):
            raise InputError(
                f"the spec of {workload.metadata.name} names no host", code="E146", fix="say where: --to HOST"
            )
        return place_of(self.to, self.spec, here)

    def _trees(self, workload: Workload, found: Foreign) -> dict[KeptTree, str]:
        """The folders that the workload has, by what the archive calls each."""
        wants = {volume.target for volume in workload.spec.volumes}
        if wants != set(found.volumes):
            raise Refused(
                f"{self.path} and the spec of {workload.metadata.name} do not have the same volumes",
                code="P455",
                why=", ".join(sorted(wants ^ set(found.volumes))),
                fix="import it as a workload whose volumes are mounted where its container had them",
            )
        return {
            KeptTree(kind="rootfs"): ROOTFS,
            **{KeptTree(kind="volume", target=target): found.volumes[target] for target in sorted(wants)},
        }

    async def _send(self, found: Foreign, trees: dict[KeptTree, str], at: KeptAt, part: str) -> None:
        read_end, write_end = os.pipe()

        def write() -> None:
            with os.fdopen(write_end, "wb") as sink:
                repack(self.path, found, tuple(trees.values()), sink)

        async with open_relay(self.spec) as relay:
            delivering = relay.deliver(at.host, directory.taking(part, len(trees)), read_end)
            said, written = await asyncio.gather(delivering, asyncio.to_thread(write), return_exceptions=True)
        if isinstance(written, BaseException) and not isinstance(written, OSError):
            raise written
        if isinstance(said, BaseException):
            raise said
        if said.status == _NOT_TAKEN:
            raise Refused(
                f"{self.path} is not taken in",
                code="P455",
                why=telling(said.stderr),
                fix="see where it comes from",
            )
        if said.status or written is not None:
            raise CommandFailed(
                f"{self.path} could not be taken in",
                code="C380",
                where=at.host,
                why=telling(said.stderr) or str(written),
                fix="make room there, or keep it elsewhere: --to HOST:/FOLDER",
            )
        if made := [line.removeprefix("made tree") for line in said.stdout.splitlines()]:
            text = f"rights of {', '.join(made)} are not in it, only what is gone there: taken to be root's, 0755"
            self.untidied.append(Untidied("C381", text, at.host))

    def _manifest(
        self,
        workload: Workload,
        found: Foreign,
        run: str,
        trees: tuple[KeptTree, ...],
        files: tuple[KeptFile, ...],
    ) -> Manifest:
        come, now = found.provenance, time.time()
        return Manifest(
            id=run,
            workload=workload.metadata.name,
            epoch=0,
            taken_at=min(found.modified, now) if found.modified > 0 else now,
            frozen_s=round(come.freeze_ms / 1000, 3),
            came_from=TakenFrom(
                host="",
                runtime=workload.spec.runtime,
                oci_runtime=come.oci_runtime if come.oci_runtime in ("runc", "crun") else "",
                image=come.image,
                image_id=come.image_id if _IMAGE.fullmatch(come.image_id) else "",
                arch=come.architecture,
                container_id=come.container_id,
            ),
            memory_bytes=found.memory_bytes,
            trees=trees,
            files=files,
        ).sealed()

    async def _tidy(self, fleet: Fleet, at: KeptAt, folder: str) -> None:
        """The ID is of this run: nobody else has anything under it."""
        with lenient("C375", "a half of it stays there", self.untidied.append, at.host):
            await asyncio.shield(pump(directory.discard(folder), fleet.host(at.host)))
