"""The steps of a move, in their order (ARCHITECTURE.md, "A hand-over")."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from reconciler.core.unwell import ENDED
from reconciler.engine import shared
from reconciler.engine.effects import back, comeback, selfmoving
from reconciler.engine.effects.base import Acting, Effect, copied, keep_dossier, leave
from reconciler.engine.precopy import Precopy
from reconciler.errors import CommandFailed, HostError, JournalError, ReconcilerError, ReplyLost
from reconciler.guard import actions, dossier, guard
from reconciler.hosts.base import Progress, each
from reconciler.model.command import Bytes, Seconds
from reconciler.model.plan import Step, StepKind
from reconciler.model.result import (
    CopyMade,
    HealthSeen,
    ImagesWritten,
    MemoryRestored,
    RoundsMade,
    Staged,
    WentBack,
)
from reconciler.model.spec import Strategy
from reconciler.model.units import format_bytes
from reconciler.runtimes.base import Located


async def reserve(acting: Acting, step: Step, progress: Progress) -> None:
    if comeback.comeback_of(acting, step):
        return await comeback.reserve(acting, step)
    assert step.peer
    driver = acting.driver(step)
    hosts = (step.host, step.peer)
    await each(*(acting.on(host, driver.prepare_host()) for host in hosts))
    await each(*(acting.on(host, dossier.write(acting.plan, step.workload, acting.run)) for host in hosts))
    if acting.plan.moves[step.workload].by_runtime:
        await selfmoving.announce(acting, step)


async def unreserve(acting: Acting, step: Step) -> None:
    """What was staged takes the rest back; a runtime that moves by itself has staged nothing."""
    if acting.plan.moves[step.workload].by_runtime:
        await selfmoving.stay(acting, step)


async def unstage(acting: Acting, step: Step) -> WentBack | None:
    if comeback.comeback_of(acting, step):
        await comeback.unstage(acting, step)
        return None
    return await back.unstage(acting, step)


async def fence_off(acting: Acting, step: Step) -> WentBack | None:
    """Undoing a commit is the proof that the destination does not run."""
    if comeback.comeback_of(acting, step):
        await comeback.uncommit(acting, step)
        return None
    return await back.fence_off(acting, step)


async def stage(acting: Acting, step: Step, progress: Progress) -> Staged:
    if comeback.comeback_of(acting, step):
        staged = await comeback.stage(acting, step)
        await keep_dossier(acting, step, step.host)
        return staged
    assert step.peer
    handover, driver = acting.handover(step), acting.driver(step)
    secrets = acting.secrets(handover.workload)
    await shared.prove(acting, step)
    here, there, _ = await each(
        acting.on(step.host, driver.stage(handover, secrets=secrets)),
        acting.on(step.peer, driver.locate(handover)),
        acting.fleet.open_link(step.peer, step.host, acting.link(step), handover.policy.compression),
    )
    await keep_dossier(acting, step, step.host, step.peer)
    if handover.move.strategy is not Strategy.PRECOPY:
        await _prepare_copy(acting, step, there, here)
    return Staged(source=there, destination=here)


async def _prepare_copy(acting: Acting, step: Step, source: Located, destination: Located) -> None:
    move = acting.plan.moves[step.workload]
    pairs = tuple(zip(source.trees, destination.trees, strict=True))
    await acting.fleet.prepare_copy(move.source, move.destination, acting.link(step), pairs)


async def precopy(acting: Acting, step: Step, progress: Progress) -> RoundsMade:
    copy = Precopy(acting.handover(step), acting.driver(step), acting.fleet, acting.link(step))
    done = await copy.run(progress)
    staged = _staged(acting, step)
    await _prepare_copy(acting, step, staged.source, staged.destination)
    return done


def _known(acting: Acting, step: Step) -> Staged | None:
    """What `stage` recorded; None for a controller that has lost its journal."""
    found = acting.results.get(acting.plan.sibling(step, StepKind.STAGE).id)
    return found if isinstance(found, Staged) else None


def _staged(acting: Acting, step: Step) -> Staged:
    if found := _known(acting, step):
        return found
    raise JournalError(f"the journal does not say where {step.workload} was staged", where=acting.run)


async def hold(acting: Acting, step: Step, progress: Progress) -> ImagesWritten:
    handover = acting.handover(step)
    found = actions.of(handover.workload).before_hold
    done = await acting.on(step.host, actions.perform(handover.name, actions.BEFORE_HOLD, found, handover.fence))
    held = await acting.on(step.host, acting.driver(step).hold(handover))
    return ImagesWritten(image_bytes=held.image_bytes, freeze_s=round(held.freeze_s, 3), actions=done)


async def transfer(acting: Acting, step: Step, progress: Progress) -> CopyMade:
    assert step.peer
    staged = _staged(acting, step)
    pairs = tuple(zip(staged.source.trees, staged.destination.trees, strict=True))
    report = await acting.fleet.copy_trees(step.peer, step.host, acting.link(step), pairs, progress)
    return copied(report)


async def commit(acting: Acting, step: Step, progress: Progress) -> None:
    if comeback.comeback_of(acting, step):
        return await comeback.commit(acting, step)
    assert step.peer
    handover, driver = acting.handover(step), acting.driver(step)
    await _still_there(acting, step)
    await acting.on(step.peer, driver.commit_source(handover))
    await acting.on(step.host, driver.commit_destination(handover))


async def _still_there(acting: Acting, step: Step) -> None:
    """A destination that does not answer now is found while going back is free. A failure of this step is no
    HostError, which would be tried again, for clients wait."""
    for left in (1, 0):
        try:
            await acting.on(step.host, guard.beat([step.workload]))
            return
        except HostError as error:
            if not left:
                raise CommandFailed(
                    f"{step.host} does not answer, right before {step.workload} would be handed over to it",
                    code="C337",
                    where=step.host,
                    why=str(error),
                    fix=f"make {step.host} reachable, then: reconcile apply",
                ) from error


async def restore(acting: Acting, step: Step, progress: Progress) -> MemoryRestored | None:
    known = _known(acting, step)
    handover = replace(acting.handover(step), staged=known.destination if known else None)
    if handover.move.drains:  # clients wait: who feeds the memory gets ready beside the restore, which needs none
        await each(acting.on(step.host, acting.driver(step).restore(handover)), _feed(acting, step, known))
    else:
        await acting.on(step.host, acting.driver(step).restore(handover))
    found = actions.of(handover.workload).after_restore
    done = await acting.on(step.host, actions.perform(handover.name, actions.AFTER_RESTORE, found, handover.fence))
    return MemoryRestored(actions=done) if done else None


@dataclass
class Fed:
    """How memory follows. `why`: what keeps it from that. `lost`: how much never can, for its source has lost
    power before that was on its disk; `gone`: all that has not arrived."""

    why: str = ""
    lost: Bytes = 0
    gone: bool = False


async def _feed(acting: Acting, step: Step, known: Staged | None) -> Fed:
    """Memory follows from the source, by itself from now on; else why it does not. A source that cannot be asked
    may still be feeding it."""
    assert step.peer
    driver, handover, fed = acting.driver(step), acting.handover(step), Fed()
    try:
        here = known.source if known else await acting.on(step.peer, driver.locate(handover))
        if handover.policy.postcopy.persist:
            try:
                fed.lost = (await acting.on(step.peer, driver.persist(handover))).lost
            except CommandFailed as error:
                fed.why = error.why or str(error)
        await acting.fleet.feed(step.peer, step.host, acting.link(step), here.trees[0])
    except ReconcilerError as error:
        fed.why = fed.why or error.why or str(error)
        fed.gone = isinstance(error, CommandFailed) and error.status == IMAGES_GONE
    return fed


async def drain(acting: Acting, step: Step, progress: Progress) -> None:
    """Wait until all memory has arrived. What keeps it from that is waited for, and never a reason to go back: the
    workload runs here, and only stands still at what is missing. Only when it cannot arrive any more, for its page
    daemon has gone, is the source's copy the one that is whole."""
    handover, driver, clock = acting.handover(step), acting.driver(step), asyncio.get_running_loop()
    known, least, moved = _known(acting, step), handover.move.memory_bytes + 1, clock.time()
    fed = await _feed(acting, step, known)
    while left := await acting.on(step.host, driver.missing(handover)):
        if left < least:
            least, moved = left, clock.time()
            progress(max(0, handover.move.memory_bytes - left))
        elif left == IN_PLACE_SOON and clock.time() < moved + handover.move.memory_bytes / PUT_IN_PLACE_RATE:
            continue
        elif fed.gone or fed.lost >= left:
            raise ReplyLost(
                f"{format_bytes(left)} of the memory of {step.workload} are lost: {step.peer} lost power"
                " before they were on its disk",
                code="C344",
                where=step.host,
                fix=f"it runs on {step.host} and stands still at what is missing: end it there by its engine, then"
                ": reconcile resume, and what `reconcile status` says",
            )
        elif clock.time() > moved + STALLED:
            raise ReplyLost(
                f"{format_bytes(left)} of the memory of {step.workload} have not arrived from {step.peer}, and"
                f" nothing has come for {STALLED:g} s",
                code="C344",
                where=step.host,
                why=fed.why or "the hosts do not reach each other",
                fix=f"it runs on {step.host} and stands still at what is missing, which only {step.peer} has: keep"
                " both alive, let them reach each other, then: reconcile resume",
            )
        else:
            asked = clock.time()
            fed = await _feed(acting, step, known)
            moved += 0 if fed.why else clock.time() - asked  # what comes back from disk is read before it is fed


async def confirm(acting: Acting, step: Step, progress: Progress) -> HealthSeen | None:
    workload, driver = acting.plan.workloads[step.workload], acting.driver(step)
    moving = step.workload in acting.plan.moves
    if moving:
        await acting.on(step.host, driver.verify(acting.handover(step)))
    seen = None
    if check := workload.spec.health:
        try:
            await acting.on(step.host, driver.health(step.workload, check, workload.spec.address))
        except CommandFailed as error:
            stays = moving and acting.plan.policy_of(step.workload).on_unhealthy == "stay"
            if not stays or error.code == ENDED:
                raise
            seen = HealthSeen(unhealthy=str(error))
    elif not moving and not (await acting.on(step.host, driver.alive(step.workload))).running:
        raise CommandFailed(f"{step.workload} does not run after it was started", code="C315", where=step.host)
    if moving:
        await acting.on(step.host, driver.confirm(acting.handover(step)))
    return seen


async def retire(acting: Acting, step: Step, progress: Progress) -> None:
    if comeback.comeback_of(acting, step):
        return await comeback.retire(acting, step)
    assert step.peer
    handover, driver = acting.handover(step), acting.driver(step)
    # The frozen copy is let go only when the destination answers and has all memory; else it may be the last.
    await acting.on(step.peer, driver.finish(handover))
    await each(
        acting.on(step.host, driver.retire(handover)),
        acting.fleet.close_link(step.host, step.peer, acting.link(step)),
    )
    await back.forget_actions(acting, handover)


STALLED: Seconds = 60.0
"""A drain that nothing has come of for so long is told; it goes on by itself, and with `resume`."""
IN_PLACE_SOON: Bytes = 1
"""What a driver says is missing when all has arrived and the page daemon still hands it to the processes."""
PUT_IN_PLACE_RATE: float = 50e6
"""Bytes per second that it does at least; 1.3 GB/s were seen on two processors."""

IMAGES_GONE = 66
"""How a feed ends that finds no images (transfer-feed.sh)."""

EFFECTS = {
    StepKind.RESERVE: Effect(reserve, unreserve),
    StepKind.STAGE: Effect(stage, unstage),
    StepKind.PRECOPY: Effect(precopy, leave),
    StepKind.HOLD: Effect(hold, back.let_run),
    StepKind.TRANSFER: Effect(transfer),
    StepKind.COMMIT: Effect(commit, fence_off),
    StepKind.RESTORE: Effect(restore),
    StepKind.DRAIN: Effect(drain),
    StepKind.CONFIRM: Effect(confirm),
    StepKind.RETIRE: Effect(retire),
}
