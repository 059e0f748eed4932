"""Taking a checkpoint: captured on the workload's host, packed there, kept there or on another host.

The freeze is one command on the host, bounded there, so that no heartbeat has to keep it. Until its manifest is
written last of all nothing lists the checkpoint; from then on it stays, whatever becomes of the run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

from reconciler.core.checkpoints import read_manifest
from reconciler.engine.carry import CheckpointCopy
from reconciler.engine.effects.base import Acting, Effect
from reconciler.engine.lenient import lenient
from reconciler.errors import CommandFailed, GuardRefused, HostError, InputError, ReconcilerError, ReplyLost
from reconciler.guard import guard
from reconciler.hosts.base import Progress
from reconciler.model.checkpoint import KeptAt, Manifest
from reconciler.model.event import Untidied
from reconciler.model.handover import Handover
from reconciler.model.plan import Move, Phase, Step, StepKind
from reconciler.model.result import CheckpointTaken, WentBack
from reconciler.model.saving import PlannedCapture
from reconciler.model.spec import Cutover, Strategy
from reconciler.model.units import format_bytes
from reconciler.runtimes.base import CapturingDriver
from reconciler.stores import directory, restic


@dataclass
class _Taking:
    """One checkpoint. It is a move that goes nowhere, under an epoch of its own."""

    acting: Acting
    step: Step
    left: list[Untidied] = field(default_factory=list)

    @property
    def planned(self) -> PlannedCapture:
        return self.acting.plan.captures[self.step.workload]

    @property
    def driver(self) -> CapturingDriver:
        return cast(CapturingDriver, self.acting.driver(self.step))

    @property
    def handover(self) -> Handover:
        name, planned = self.step.workload, self.planned
        move = Move(
            workload=name,
            source=planned.host,
            destination="",
            container_id=planned.came_from.container_id,
            image_id=planned.came_from.image_id,
            epoch=planned.epoch,
            cutover=Cutover.TRANSACTIONAL,
            strategy=Strategy.COLD,
            oci_runtime=planned.came_from.oci_runtime,
            memory_bytes=planned.memory_bytes,
        )
        bounded = {"freeze_limit": planned.freeze_limit, "silence_limit": planned.freeze_limit}
        policy = self.acting.plan.policy_of(name).model_copy(update=bounded)
        return Handover(self.acting.plan.workloads[name], move, policy, self.acting.run)

    @property
    def there(self) -> str:
        """Its folder where it is to be kept."""
        return self.planned.at.of(self.step.workload, self.acting.run)

    @property
    def near(self) -> str:
        """Its folder on the workload's own host; there for as long as it is not elsewhere."""
        elsewhere = self.step.peer or self.planned.repository
        at = KeptAt(self.step.host) if elsewhere else self.planned.at
        return at.of(self.step.workload, self.acting.run)

    @property
    def keys(self) -> Mapping[str, bytes]:
        return self.acting.keys(self.planned.at)

    def part(self, folder: str) -> str:
        """Each controller has its own, so that a former one which wakes up writes into none of ours."""
        return directory.part_of(folder, self.acting.generation)

    async def run(self) -> Manifest:
        """Taken, or found whole where an earlier try has left it."""
        _ = self.keys  # what is missing is said before anything is frozen
        if (whole := await self._whole()) is not None:
            return await self._goes_on(whole)
        acting, host, part = self.acting, self.step.host, self.part(self.near)
        manifest = await self._read(host, self.near) if self.planned.repository else None
        if manifest is None:
            await acting.on(host, self.driver.prepare_host())
            self._check_room(await acting.on(host, directory.begin(part)))
            manifest = await self._capture(part)
            if self.planned.repository or not self.step.peer:
                await acting.on(host, directory.seal(part, self.near, manifest))
        if self.planned.repository:
            await self._upload(manifest)
        elif self.step.peer:
            await self._send(part, manifest)
        return await self._goes_on(manifest)

    async def _whole(self) -> Manifest | None:
        planned, name = self.planned, self.step.workload
        if planned.repository is None:
            return await self._read(planned.keeper, self.there)
        with suppress(CommandFailed, HostError):  # as below
            for kept in await self.acting.on(planned.keeper, restic.listed(planned.at, self.keys, name)):
                if kept.id == self.acting.run and kept.manifest is not None:
                    return kept.manifest
        return None

    async def _read(self, host: str, folder: str) -> Manifest | None:
        with suppress(InputError, HostError):  # a store that does not answer is told of when it is to take it
            text = await self.acting.on(host, directory.manifest_text(folder))
            return read_manifest(text, self.step.workload, self.acting.run) if text else None
        return None

    async def _goes_on(self, manifest: Manifest) -> Manifest:
        """What arrives late of it is refused from here on. It may have been stopped, or moved, since."""
        try:
            await self.acting.on(
                self.step.host, guard.mark(self.handover.after, Phase.RUNNING, "owner", run=self.acting.run)
            )
        except GuardRefused as refused:
            if refused.code != guard.LOWER_EPOCH:
                raise
        return manifest

    def _check_room(self, free: int) -> None:
        if free < self.planned.memory_bytes + self.planned.rootfs_bytes:
            raise CommandFailed(
                f"there is no room for a checkpoint of {self.step.workload}",
                code="C371",
                where=self.step.host,
                why=f"{format_bytes(free)} are free where it would be kept",
                fix="make room there, or keep it elsewhere: --to HOST:/FOLDER",
            )

    async def _capture(self, part: str) -> Manifest:
        acting, handover, driver, became = self.acting, self.handover, self.driver, ""
        host, planned = self.step.host, self.planned
        located = await acting.on(host, driver.shadow(handover, part))
        taken_at = acting.now()
        try:
            held = await acting.on(host, driver.capture(handover, part))
            pack = directory.pack(part, located.trees[0].path, plain=planned.repository is not None)
            files = await acting.on(host, pack)
        finally:
            # Whatever came of it, and also when the user interrupts: it must run on.
            became = await asyncio.shield(acting.on(host, driver.resume(handover, handover.fence)))
        if became:
            raise CommandFailed(
                f"{handover.name} did not simply run on, and the checkpoint is none",
                code="C370",
                where=host,
                why=became,
                fix="see how it stands: reconcile plan",
            )
        return Manifest(
            id=acting.run,
            workload=handover.name,
            epoch=planned.epoch,
            taken_at=taken_at,
            frozen_s=round(held.freeze_s, 3),
            commit=acting.plan.commit,
            dirty=acting.plan.dirty,
            tcp=planned.tcp,
            came_from=planned.came_from,
            memory_bytes=held.image_bytes,
            trees=directory.trees_of(located),
            files=files,
            spec=planned.made_from,
        ).sealed()

    async def _send(self, part: str, manifest: Manifest) -> None:
        """To the host that keeps it. Where that cannot take it, it is kept here, for what was saved is dear."""
        acting, host, there = self.acting, self.step.host, self.planned.keeper
        try:
            arrived = self.part(self.there)
            ends = (host, there, acting.link(self.step), part, arrived)
            await CheckpointCopy(acting.fleet, *ends, host, self.left.append).carry()
            if bad := await acting.on(there, directory.wrong(arrived, manifest.files)):
                raise CommandFailed("it arrived damaged", code="C372", where=there, why="; ".join(bad))
            await acting.on(there, directory.seal(arrived, self.there, manifest))
        except (CommandFailed, HostError, ReplyLost) as error:
            await self._keep_here(part, manifest, error)
        with lenient("C375", f"what was sent stays there, too, in {part}", self.left.append, host):
            await acting.on(host, directory.discard(part))

    async def _upload(self, manifest: Manifest) -> None:
        """Into the repository, from the host that works on it. It is kept here until it is there."""
        acting, host, there = self.acting, self.step.host, self.planned.keeper
        folder = self.near
        try:
            if self.step.peer:
                folder = self.part(self.there)
                await CheckpointCopy(
                    acting.fleet, host, there, acting.link(self.step), self.near, folder, host, self.left.append
                ).carry()
                if bad := await acting.on(there, directory.wrong(folder, manifest.files)):
                    raise CommandFailed("it arrived damaged", code="C372", where=there, why="; ".join(bad))
            await acting.on(there, restic.upload(self.planned.at, self.keys, folder, manifest))
        except (CommandFailed, HostError, ReplyLost) as error:
            again = f"reconcile checkpoints copy {manifest.workload}@{manifest.id} --to {self.planned.at}"
            raise self._not_taken(manifest, error, f"{self._stays}; when that is mended: {again}") from error
        with lenient("C375", "a copy of what was stored stays there, too", self.left.append, host):
            if self.step.peer:
                await acting.on(there, directory.clear(folder))
            await acting.on(host, directory.discard(self.near))

    @property
    def _stays(self) -> str:
        return f"it is kept on {self.step.host} for now, in {self.near}"

    async def _keep_here(self, part: str, manifest: Manifest, error: ReconcilerError) -> None:
        await self.acting.on(self.step.host, directory.seal(part, self.near, manifest))
        raise self._not_taken(manifest, error, self._stays) from error

    def _not_taken(self, manifest: Manifest, error: ReconcilerError, fix: str) -> CommandFailed:
        return CommandFailed(
            f"{self.planned.at} did not take the checkpoint {manifest.workload}@{manifest.id}",
            code="C372",
            where=self.planned.keeper,
            why=str(error),
            fix=fix,
        )

    async def tidy(self) -> None:
        """What is whole stays: it may be all that is left of the workload."""
        acting, step = self.acting, self.step
        await acting.on(step.host, directory.tidy(self.near))
        if step.peer:
            # A store that does not answer must not keep a workload from being changed: what stays there is never
            # listed, and goes with the next one that is taken.
            with suppress(HostError, ReplyLost):
                await acting.on(step.peer, directory.tidy(self.there))
                await acting.fleet.close_link(step.host, step.peer, acting.link(step))


async def capture(acting: Acting, step: Step, progress: Progress) -> CheckpointTaken:
    taking = _Taking(acting, step)
    manifest = await taking.run()
    return CheckpointTaken(manifest=manifest, left=tuple(str(left) for left in taking.left))


async def go_on(acting: Acting, step: Step) -> WentBack | None:
    """It runs on, under an epoch that refuses what comes late of the capture; unless it has gone on since, by this
    run or another."""
    taking, handover = _Taking(acting, step), _Taking(acting, step).handover
    became, marker = "", await acting.on(step.host, guard.marker(step.workload))
    if marker is None or marker.epoch <= handover.after.epoch:
        try:
            became = await acting.on(step.host, taking.driver.resume(handover, handover.after))
        except GuardRefused as refused:
            if refused.code not in (guard.OTHER_RUN, guard.LOWER_EPOCH):
                raise
        except CommandFailed:
            if (ended := await _ended(acting, step, taking)) is None:
                raise
            became = ended
    await taking.tidy()
    return WentBack(became=became) if became else None


async def _ended(acting: Acting, step: Step, taking: _Taking) -> str | None:
    """It ended while it was frozen, as by a power cut that took its images in memory along: there is nothing that
    could go on, and whoever wants it starts it. None where something is left."""
    found = await acting.on(step.host, taking.driver.alive(step.workload))
    if found.running or found.frozen or found.restorable:
        return None
    await acting.on(step.host, guard.mark(taking.handover.after, Phase.RUNNING, "owner", run=acting.run))
    await acting.on(step.host, guard.clean(step.workload))
    return (
        f"it ended on {step.host} while it was saved, and nothing is left of its memory; reconcile apply starts it"
    )


EFFECTS = {StepKind.CAPTURE: Effect(capture, go_on)}
