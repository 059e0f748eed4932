"""A workload that comes back from a checkpoint: a hand-over that has no source. Made from the spec of now, like
the destination of a move; what is in the store are memory and files only.

First what it needs is brought to its host, and its container made there, which every controller that looks sees
from then on. Then all other hosts are fenced under the same epoch, so that none of them starts it, whoever asks;
and only then is it committed. Undoing proves that nothing of it runs; the checkpoint stays where it is."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

from reconciler.core.returning import failed_run
from reconciler.engine.carry import CheckpointCopy
from reconciler.engine.effects import back
from reconciler.engine.effects.base import Acting, Effect
from reconciler.engine.lenient import Warn, lenient, unsaid
from reconciler.errors import CommandFailed, GuardRefused, HostError, HostUnreachable, JournalError, ReplyLost
from reconciler.guard import actions, dossier, guard, notes
from reconciler.hosts.base import Progress
from reconciler.model.checkpoint import KeptAt
from reconciler.model.comeback import Comeback
from reconciler.model.command import Command, Fence, Program
from reconciler.model.event import Untidied
from reconciler.model.handover import Handover, Located
from reconciler.model.plan import Phase, Step, StepKind
from reconciler.model.result import CheckpointFetched, Staged, WentBack
from reconciler.model.world import Alive, Marker
from reconciler.stores import directory, restic

DAMAGED = "C373"
"""The code of a checkpoint whose files are not as they were packed."""
LAYING = "laying-out"
"""The note that a workload's own volumes are being laid over."""


def comeback_of(acting: Acting, step: Step) -> Comeback | None:
    """What the step's workload comes back from; None for a move."""
    move = acting.plan.moves.get(step.workload)
    return move.comeback if move else None


def _comeback(acting: Acting, step: Step) -> Comeback:
    found = comeback_of(acting, step)
    assert found is not None, step.id
    return found


async def fetch(acting: Acting, step: Step, progress: Progress) -> CheckpointFetched:
    """The checkpoint's files are on the host, all of them as they were packed."""
    kept, folder, left = _comeback(acting, step), _comeback(acting, step).folder, list[Untidied]()
    if kept.repository is not None:
        folder = await _bring(acting, step)
    if step.peer:
        there, folder = folder, directory.part_of(_copied(acting, step))
        ends = (step.peer, step.host, acting.link(step))
        copy = CheckpointCopy(acting.fleet, *ends, there, folder, step.host, left.append)
        await copy.carry()
        await _forget_brought(acting, step, left.append)
    if bad := await acting.on(step.host, directory.wrong(folder, kept.files)):
        raise CommandFailed(
            f"the checkpoint {_whose(acting, step)}@{kept.checkpoint} is damaged",
            code=DAMAGED,
            where=step.host,
            why="; ".join(bad),
            fix="use another one: reconcile checkpoints list",
        )
    return CheckpointFetched(folder=folder, link_left=bool(left))


async def _bring(acting: Acting, step: Step) -> str:
    """Out of its repository, into a folder of the host that works on that."""
    kept, name = _comeback(acting, step), _whose(acting, step)
    folder = (
        restic.brought_to(kept.at, acting.link(step)) if step.peer else directory.part_of(_copied(acting, step))
    )
    size = sum(file.bytes for file in kept.files)
    keys = acting.keys(kept.at)
    await acting.on(kept.host, restic.bring(kept.at, keys, name, kept.checkpoint, folder, size))
    return folder


def _whose(acting: Acting, step: Step) -> str:
    """The workload whose checkpoint it is."""
    return _comeback(acting, step).copy_of or step.workload


async def _forget_brought(acting: Acting, step: Step, warn: Warn) -> None:
    kept = _comeback(acting, step)
    if kept.repository is not None and step.peer:
        with lenient("C375", "files of a checkpoint stay there for a day", warn, step.peer):
            await acting.on(step.peer, directory.clear(restic.brought_to(kept.at, acting.link(step))))


def _copied(acting: Acting, step: Step) -> str:
    """What a copy of the checkpoint is called on the host that it is restored on."""
    return KeptAt(step.host).of(step.workload, acting.run)


async def unfetch(acting: Acting, step: Step) -> WentBack | None:
    """Only while its store answers: else the copy may be all that is left of the workload. What makes a copy
    beside the workload brings nothing that would be missed."""
    kept = _comeback(acting, step)
    became = await _as_before(acting, step) if kept.returns else None
    if not kept.copy_of:
        await _is_asked(acting, step)
    if step.peer or kept.repository is not None:
        await acting.on(step.host, directory.discard(_copied(acting, step)))
    if step.peer:
        await _forget_brought(acting, step, unsaid)
        await acting.fleet.close_link(step.peer, step.host, acting.link(step))
    return became


async def _is_asked(acting: Acting, step: Step) -> None:
    """The store answers, whatever it has by now."""
    kept = _comeback(acting, step)
    if kept.repository is not None:
        await acting.on(kept.host, restic.probe(kept.at, acting.keys(kept.at)))
    elif step.peer:
        with suppress(CommandFailed):  # somebody has removed it there since
            await acting.on(step.peer, directory.wrong(kept.folder, ()))


async def _as_before(acting: Acting, step: Step) -> WentBack:
    """What was set aside runs again, from its files, for it could not go back to its checkpoint. Hosts that others
    may have made it on meanwhile are fenced first. Volumes that were being laid out get all of it: half of each
    would be worse than either."""
    handover, driver, kept = acting.handover(step), acting.driver(step), _comeback(acting, step)
    name, fence = step.workload, Fence(step.workload, handover.move.epoch + 2)
    for other in acting.plan.groups[name]:
        if other.kind is StepKind.FENCE:
            await _fence_again(acting, other, fence.epoch)
    if await acting.on(step.host, notes.read(name, LAYING)):
        copied = step.peer or kept.repository is not None
        folder = directory.part_of(_copied(acting, step)) if copied else kept.folder
        for number, tree in enumerate(kept.trees, 1):
            if tree.kind == "volume" and (there := await _place_of(acting, step, tree.target)):
                await acting.on(step.host, directory.unpack_tree(folder, number, there))
        await acting.on(step.host, notes.forget(name, LAYING))
    await acting.on(step.host, guard.mark(fence, Phase.RUNNING, "owner", run=acting.run))
    await acting.on(step.host, driver.bring_back(name, fence))
    return WentBack(became=f"it was started anew on {step.host}, from its files: what it held in memory is lost")


async def _fence_again(acting: Acting, step: Step, epoch: int) -> None:
    """The run that has failed may have taken something back there since, under a higher epoch; nobody else."""
    try:
        await _fence(acting, step, epoch)
    except GuardRefused as refused:
        shown = await acting.on(step.host, guard.marker(step.workload))
        if refused.code != guard.LOWER_EPOCH or shown is None or shown.run != failed_run(acting.run):
            raise


async def _place_of(acting: Acting, step: Step, target: str) -> str:
    """Where on the host is what the workload has mounted there: a volume, or a folder that goes along with it."""
    workload = acting.plan.workloads[step.workload]
    for volume in workload.spec.volumes:
        if volume.target == target:
            tree = await acting.on(step.host, acting.driver(step).locate_volume(volume.name, step.workload))
            return tree.path
    mounts = workload.container.mounts if workload.spec.container else ()
    return next((mount.source for mount in mounts if mount.target == target and mount.move), "")


async def reserve(acting: Acting, step: Step) -> None:
    await acting.on(step.host, acting.driver(step).prepare_host())
    await acting.on(step.host, dossier.write(acting.plan, step.workload, acting.run))


async def stage(acting: Acting, step: Step) -> Staged:
    """The container is there, and waits for memory and files."""
    handover, driver, kept = acting.handover(step), acting.driver(step), _comeback(acting, step)
    secrets = acting.secrets(handover.workload)
    if kept.replaces and not await _staged_here(acting, handover):
        await acting.on(step.host, driver.remove(step.workload, handover.fence))
        for volume in handover.workload.spec.volumes:
            await acting.on(step.host, driver.remove_volume(volume.name, handover.fence))
    located = await acting.on(step.host, driver.stage(handover, secrets=secrets))
    has = {(tree.kind, tree.target) for tree in kept.trees}
    wants = {(_kind(t.kind), t.name) for t in located.trees if t.kind != "images"}
    if has != wants:
        raise CommandFailed(
            f"the checkpoint and the spec of {step.workload} do not have the same folders",
            code="C374",
            where=step.host,
            why=", ".join(sorted(target or kind for kind, target in has ^ wants)),
            fix="restore it by the specs it was taken with",
        )
    return Staged(source=Located("", ()), destination=located)


def _kind(kind: str) -> str:
    return "rootfs" if kind == "rootfs" else "volume"


async def _staged_here(acting: Acting, handover: Handover) -> bool:
    """Whether what is there was staged by this very run before: then there is nothing left to make way."""
    return _is_ours(acting, handover, await _marker(acting, handover))


async def _marker(acting: Acting, handover: Handover) -> Marker | None:
    shown = await acting.on(handover.move.destination, guard.show(handover.name))
    return shown[0].marker if shown else None


def _is_ours(acting: Acting, handover: Handover, marker: Marker | None) -> bool:
    return marker is not None and marker.run == acting.run and marker.epoch >= handover.move.epoch


async def unstage(acting: Acting, step: Step) -> None:
    """What was there before this run came is not taken away: it gets the epoch that refuses what comes late."""
    handover = acting.handover(step)
    before = await _marker(acting, handover)
    if before is not None and before.epoch < handover.move.epoch and not _is_ours(acting, handover, before):
        owned = before.phase == Phase.RUNNING
        mark = guard.mark(
            handover.after,
            Phase.RUNNING if owned else Phase.FENCED,
            "owner" if owned else "destination",
            run=acting.run,
        )
        await acting.on(step.host, mark)
        return
    staged = acting.results.get(step.id)
    if isinstance(staged, Staged):
        await acting.on(step.host, directory.settled(staged.destination))
    later = replace(handover, move=handover.move.model_copy(update={"epoch": handover.move.epoch + 1}))
    await acting.on(step.host, acting.driver(step).unstage(later))
    await back.take_back_actions(acting, handover, actions.AFTER_RESTORE)
    await _forget_actions(acting, handover)


async def unpack(acting: Acting, step: Step, progress: Progress) -> None:
    staged = acting.results.get(acting.plan.sibling(step, StepKind.STAGE).id)
    fetched = _fetched(acting, step)
    if not isinstance(staged, Staged) or fetched is None:
        raise JournalError(f"the journal does not say where {step.workload} was staged", where=acting.run)
    trees = _comeback(acting, step).trees
    if _comeback(acting, step).returns:
        await acting.on(step.host, notes.write(step.workload, LAYING, b"begun"))
    await acting.on(step.host, directory.unpack(fetched.folder, trees, staged.destination))


def _fetched(acting: Acting, step: Step) -> CheckpointFetched | None:
    """What `fetch` recorded; None for a controller that has lost its journal."""
    found = acting.results.get(acting.plan.sibling(step, StepKind.FETCH).id)
    return found if isinstance(found, CheckpointFetched) else None


async def fence(acting: Acting, step: Step, progress: Progress) -> None:
    """The host does not run the workload, and never starts what it has of it. One that runs meanwhile is left
    alone, and the restore is none."""
    await _fence(acting, step, acting.handover(step).move.epoch)


async def _fence(acting: Acting, step: Step, epoch: int) -> None:
    handover, driver = acting.handover(step), acting.driver(step)
    kept, name = _comeback(acting, step), step.workload
    here = handover.move.model_copy(update={"source": handover.move.destination, "destination": step.host})
    fencing = replace(handover, move=here)
    if step.host in kept.without:
        await acting.on(step.host, guard.install())
        peer = handover.move.destination
        await acting.on(
            step.host, guard.mark(Fence(name, epoch), Phase.FENCED, "owner", run=acting.run, peer=peer)
        )
        return
    await acting.on(step.host, driver.prepare_host())
    _refuse_running(step, await acting.on(step.host, driver.alive(name)))
    await acting.on(step.host, driver.fence_off(fencing, epoch))


def _refuse_running(step: Step, found: Alive) -> None:
    if found.running or found.frozen:
        raise CommandFailed(
            f"{step.workload} runs on {step.host} by now",
            code="C377",
            where=step.host,
            fix="leave it running there, or stop it first; see how it stands: reconcile status",
        )


async def commit(acting: Acting, step: Step) -> None:
    """From here on it may run. A host that was said to be gone, and answers, may run it, too."""
    handover = acting.handover(step)
    gone = _comeback(acting, step).gone
    for host, answers in zip(gone, await asyncio.gather(*(_answers(acting, host) for host in gone)), strict=True):
        if answers:
            raise CommandFailed(
                f"{host} is said to be gone, and answers",
                code="C378",
                where=host,
                fix=f"see what it runs: reconcile plan; then restore without --gone {host}",
            )
    await acting.on(step.host, acting.driver(step).commit_destination(handover))


async def _answers(acting: Acting, host: str) -> bool:
    """Also one that refuses us, or is lost only after it was reached: it is up."""
    try:
        await acting.on(host, _nothing())
    except HostUnreachable:
        return False
    except (HostError, ReplyLost):
        return True
    return True


def _nothing() -> Program[None]:
    yield Command(("true",))


async def uncommit(acting: Acting, step: Step) -> None:
    """The proof that nothing of it runs; never of one that was found to be well: another controller has finished
    what this one began."""
    handover = acting.handover(step)
    marker = await _marker(acting, handover)
    if marker and (marker.phase, marker.epoch) == (Phase.RUNNING, handover.move.epoch):
        raise CommandFailed(
            f"{step.workload} runs on {step.host}, and was found to be well", code="C379", where=step.host
        )
    await acting.on(step.host, acting.driver(step).fence_off(handover, handover.move.epoch + 1))


async def retire(acting: Acting, step: Step) -> None:
    """What only the restore needed goes."""
    handover = acting.handover(step)
    await acting.on(step.host, acting.driver(step).finish(handover))
    if _comeback(acting, step).returns:
        await acting.on(step.host, acting.driver(step).remove_aside(step.workload, handover.fence))
        await acting.on(step.host, notes.forget(step.workload, LAYING))
    await acting.on(step.host, directory.discard(_copied(acting, step)))
    store, fetched = acting.plan.sibling(step, StepKind.FETCH).peer, _fetched(acting, step)
    if store and fetched and fetched.link_left:
        await acting.fleet.close_link(store, step.host, acting.link(step))
    await _forget_actions(acting, handover)


async def _forget_actions(acting: Acting, handover: Handover) -> None:
    if actions.of(handover.workload).after_restore:
        move = handover.move
        await acting.on(move.destination, actions.forget(handover.name, actions.AFTER_RESTORE, move.epoch))


EFFECTS = {
    StepKind.FETCH: Effect(fetch, unfetch),
    StepKind.UNPACK: Effect(unpack),
    StepKind.FENCE: Effect(fence),
}
