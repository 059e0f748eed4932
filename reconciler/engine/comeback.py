"""Restoring a checkpoint on a fleet. Made from the spec of now, like the destination of a move; what is in the
store are memory and files only.

Every other host is fenced under the new epoch before anything else, and from the commit on there is no second
copy anywhere. It can be given again from the start, whatever became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from reconciler.engine.carry import CheckpointCopy, ImageCopy
from reconciler.engine.lenient import Warn, lenient, unsaid
from reconciler.errors import CommandFailed, InDoubt, ReconcilerError
from reconciler.hosts.base import Fleet, pump
from reconciler.model.checkpoint import Kept, KeptAt
from reconciler.model.network import NetworkDefinition
from reconciler.runtimes.base import Driver, Handover, Located
from reconciler.stores import directory

DAMAGED = "C373"
"""The code of a checkpoint whose files are not as they were packed."""


@dataclass
class Comeback:
    """One workload from one checkpoint. `handover`: a move that comes from nowhere, under a new epoch.
    `fenced`: hosts that have something of it, under the epoch `fencing`. `image_from`: a host that has its
    image, where this one lacks it; empty: it is fetched by its name. `replaces`: what is left of the workload
    here goes first, volumes included."""

    fleet: Fleet
    driver: Driver
    handover: Handover
    kept: Kept
    fenced: Sequence[str] = ()
    fencing: int = 0
    image_from: str | None = None
    networks: Mapping[str, NetworkDefinition] = field(default_factory=dict)
    replaces: bool = False
    secrets: Mapping[str, bytes] = field(default_factory=dict)
    warn: Warn = unsaid

    def __post_init__(self) -> None:
        self._here = self.handover.move.destination
        self._host = self.fleet.host(self._here)
        self._name, self._link = self.handover.name, f"{self.handover.run}-{self.handover.name}"

    async def run(self) -> None:
        """CommandFailed: nothing runs, and it can be tried again; InDoubt: nobody knows whether it does."""
        folder = await self._arrived()
        try:
            await self._fence_others()
            await self._prepare()
            located = await self._stage(folder)
        except BaseException:
            with lenient("C375", "what was made ready stays there", self.warn, self._here):
                await asyncio.shield(pump(self.driver.unstage(self.handover), self._host))
            raise
        finally:
            await self._leave(folder)
        await self._bring_up(located)

    async def _arrived(self) -> str:
        """The folder with its files here, all of them as they were packed."""
        manifest, at = self.kept.manifest, self.kept.at
        assert manifest is not None
        folder = self.kept.folder
        if at.host != self._here:
            folder = directory.part_of(KeptAt(self._here).of(self._name, self.handover.run))
            way = (self.fleet, at.host, self._here, self._link)
            await CheckpointCopy(*way, self.kept.folder, folder, self._here, self.warn).carry()
        if bad := await pump(directory.wrong(folder, manifest.files), self._host):
            await self._leave(folder)
            raise CommandFailed(
                f"the checkpoint {self._name}@{self.kept.id} is damaged",
                code=DAMAGED,
                where=self._here,
                why="; ".join(bad),
                fix="use another one: reconcile checkpoints list",
            )
        return folder

    async def _leave(self, folder: str) -> None:
        if folder != self.kept.folder:
            with lenient("C375", f"a copy of the checkpoint stays there in {folder}", self.warn, self._here):
                await pump(directory.discard(KeptAt(self._here).of(self._name, self.handover.run)), self._host)

    async def _fence_others(self) -> None:
        for host in self.fenced:
            peer = self._here if host != self._here else ""
            move = self.handover.move.model_copy(update={"source": peer, "destination": host})
            fencing = replace(self.handover, move=move)
            await pump(self.driver.prepare_host(), self.fleet.host(host))
            await pump(self.driver.fence_off(fencing, self.fencing), self.fleet.host(host))

    async def _prepare(self) -> None:
        driver, workload, fence = self.driver, self.handover.workload, self.handover.fence
        await pump(driver.prepare_host(), self._host)
        for name, network in sorted(self.networks.items()):
            await pump(driver.create_network(name, network), self._host)
        wanted = self.handover.move.image_id
        if wanted and not await pump(driver.has_image(wanted), self._host):
            if self.image_from:
                link = f"{self._link}-image"
                copy = ImageCopy(
                    driver, self.fleet, self.image_from, self._here, link, wanted, workload.spec.image
                )
                await copy.carry(lambda _: None)
            else:
                await pump(driver.pull_image(workload.spec.image), self._host)
        if self.replaces:
            await pump(driver.remove(self._name, fence), self._host)
            for volume in workload.spec.volumes:
                await pump(driver.remove_volume(volume.name, fence), self._host)

    async def _stage(self, folder: str) -> Located:
        manifest = self.kept.manifest
        assert manifest is not None
        located = await pump(self.driver.stage(self.handover, secrets=self.secrets), self._host)
        has = {(tree.kind, tree.target) for tree in manifest.trees}
        wants = {
            ("rootfs" if t.kind == "rootfs" else "volume", t.name) for t in located.trees if t.kind != "images"
        }
        if has != wants:
            odd = ", ".join(sorted(target or kind for kind, target in has ^ wants))
            raise CommandFailed(
                f"the checkpoint and the spec of {self._name} do not have the same folders",
                code="C374",
                where=self._here,
                why=odd,
                fix="restore it by the specs it was taken with",
            )
        await pump(directory.unpack(folder, manifest, located), self._host)
        return located

    async def _bring_up(self, located: Located) -> None:
        """From here on it may run."""
        driver, handover = self.driver, replace(self.handover, staged=located)
        try:
            await pump(driver.commit_destination(handover), self._host)
            await pump(driver.restore(handover), self._host)
            await pump(driver.verify(handover), self._host)
            if check := handover.workload.spec.health:
                await pump(driver.health(self._name, check, handover.workload.spec.address), self._host)
            await pump(driver.confirm(handover), self._host)
        except BaseException as error:
            await asyncio.shield(self._put_back(handover, error))
            raise
        with lenient("C375", "what the restore needed stays there", self.warn, self._here):
            await pump(driver.finish(handover), self._host)

    async def _put_back(self, handover: Handover, why: BaseException) -> None:
        """It must be proven that nothing of it runs: then the next try begins anew."""
        try:
            await pump(self.driver.fence_off(handover, handover.move.epoch + 1), self._host)
            await pump(self.driver.unstage(handover), self._host)
        except ReconcilerError as error:
            raise InDoubt(
                f"nobody knows whether {self._name} runs on {self._here}",
                where=self._here,
                why=f"{why}; then: {error}",
                fix="see how it stands: reconcile status",
            ) from error
