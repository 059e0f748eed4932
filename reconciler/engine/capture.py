"""Taking a checkpoint on a fleet: captured on the workload's host, packed there, kept there or on another host.

Until its manifest is written last of all, nothing lists it. Whatever goes wrong, the workload runs on."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from reconciler.engine.carry import CheckpointCopy
from reconciler.engine.lenient import Warn, lenient, unsaid
from reconciler.errors import CommandFailed, HostError, ReconcilerError, ReplyLost
from reconciler.hosts.base import Fleet, pump
from reconciler.model.checkpoint import Kept, KeptAt, Manifest, TakenFrom
from reconciler.model.command import Fence
from reconciler.model.units import format_bytes
from reconciler.model.world import ContainerFacts, HostFacts, Instance
from reconciler.runtimes.base import CapturingDriver, Handover
from reconciler.stores import directory


@dataclass
class Capture:
    """One checkpoint of one workload. `handover`: a move that goes nowhere, under an epoch of its own; its run is
    the checkpoint's ID."""

    fleet: Fleet
    driver: CapturingDriver
    handover: Handover
    instance: Instance
    facts: HostFacts
    at: KeptAt
    commit: str | None = None
    dirty: bool = False
    warn: Warn = unsaid

    async def run(self) -> Kept:
        host, near = self.fleet.host(self.facts.name), self._near
        part = directory.part_of(near)
        await pump(self.driver.prepare_host(), host)
        free = await pump(directory.begin(part), host)
        try:
            self._check_room(free)
            manifest = await self._capture(part)
        except BaseException:
            with lenient("C375", f"what was saved so far stays in {part}", self.warn, host.name):
                await asyncio.shield(pump(directory.discard(near), host))
            raise
        if self.at.host == host.name:
            await pump(directory.seal(part, near, manifest), host)
        else:
            await self._send(part, manifest)
        return Kept(self.at, manifest.workload, manifest.id, manifest=manifest)

    @property
    def _near(self) -> str:
        """Its folder on the workload's own host; there for as long as it is not elsewhere."""
        here = KeptAt(self.facts.name)
        return (self.at if self.at.host == here.host else here).of(self.handover.name, self.handover.run)

    def _check_room(self, free: int) -> None:
        if free < self.instance.memory_bytes + self.instance.rootfs_bytes:
            raise CommandFailed(
                f"there is no room for a checkpoint of {self.handover.name}",
                code="C371",
                where=self.facts.name,
                why=f"{format_bytes(free)} are free where it would be kept",
                fix="make room there, or keep it elsewhere: --to HOST:/FOLDER",
            )

    async def _capture(self, part: str) -> Manifest:
        host, handover, became = self.fleet.host(self.facts.name), self.handover, ""
        located = await pump(self.driver.shadow(handover, part), host)
        taken_at = time.time()
        try:
            held = await pump(self.driver.capture(handover, part), host)
            files = await pump(directory.pack(part, located.trees[0].path), host)
        finally:
            # Whatever came of it, and also when the user interrupts: it must run on.
            back = self.driver.resume(handover, Fence(handover.name, handover.move.epoch))
            became = await asyncio.shield(pump(back, host))
        if became:
            raise CommandFailed(
                f"{handover.name} did not simply run on, and the checkpoint is none",
                code="C370",
                where=host.name,
                why=became,
                fix="see how it stands: reconcile plan",
            )
        return Manifest(
            id=handover.run,
            workload=handover.name,
            epoch=handover.move.epoch,
            taken_at=taken_at,
            frozen_s=round(held.freeze_s, 3),
            commit=self.commit,
            dirty=self.dirty,
            tcp=handover.policy.tcp.value,
            came_from=self._came_from(),
            memory_bytes=held.image_bytes,
            trees=directory.trees_of(located),
            files=files,
            spec=handover.workload.model_dump(
                mode="json", by_alias=True, exclude_defaults=True, exclude_none=True
            ),
        ).sealed()

    def _came_from(self) -> TakenFrom:
        facts, instance = self.facts, self.instance
        container = instance if isinstance(instance, ContainerFacts) else None
        return TakenFrom(
            host=facts.name,
            runtime=instance.runtime,
            oci_runtime=container.oci_runtime if container else "",
            image=container.image_name if container else "",
            image_id=instance.image_id,
            versions=facts.versions,
            arch=facts.arch,
            cpu_flags=facts.cpu_flags,
            cgroup_version=facts.cgroup_version,
            container_id=instance.id,
        )

    async def _send(self, part: str, manifest: Manifest) -> None:
        """To the host that keeps it. Where that cannot take it, it is kept here, for what was saved is dear."""
        source, there, near = self.facts.name, self.at.host, self._near
        folder = self.at.of(manifest.workload, manifest.id)
        link, here, store = f"{manifest.id}-{manifest.workload}", self.fleet.host(source), self.fleet.host(there)
        try:
            arrived = directory.part_of(folder)
            await CheckpointCopy(self.fleet, source, there, link, part, arrived, source, self.warn).carry()
            if bad := await pump(directory.wrong(arrived, manifest.files), store):
                raise CommandFailed("it arrived damaged", code="C372", where=there, why="; ".join(bad))
            await pump(directory.seal(arrived, folder, manifest), store)
        except (CommandFailed, HostError, ReplyLost) as error:
            with lenient("C375", "a half of it stays there", self.warn, there):
                await pump(directory.discard(folder), store)
            await self._keep_here(part, near, manifest, error)
        with lenient("C375", f"what was sent stays there, too, in {part}", self.warn, source):
            await pump(directory.discard(near), here)

    async def _keep_here(self, part: str, near: str, manifest: Manifest, error: ReconcilerError) -> None:
        await pump(directory.seal(part, near, manifest), self.fleet.host(self.facts.name))
        raise CommandFailed(
            f"{self.at} did not take the checkpoint {manifest.workload}@{manifest.id}",
            code="C372",
            where=self.at.host,
            why=str(error),
            fix=f"it is kept on {self.facts.name} for now, in {near}",
        ) from error
