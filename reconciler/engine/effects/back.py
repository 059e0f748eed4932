"""Going back from a move. That is a hand-over too: both hosts get the epoch after the destination's, so that what
arrives late of this hand-over, or comes from a replaced controller, is refused."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from reconciler.engine.effects.base import Acting
from reconciler.errors import CommandFailed, GuardRefused
from reconciler.guard import actions, guard
from reconciler.hosts.base import each
from reconciler.model.command import Fence
from reconciler.model.plan import Phase, Step
from reconciler.model.result import WentBack
from reconciler.runtimes.base import Handover


async def fence_off(acting: Acting, step: Step) -> WentBack | None:
    """Prove that the destination does not run it. A source that was not committed resumes under the move's own
    epoch, which rules a commit out, whether the destination answers or not. Else its copy is ended there, but
    never the last one: another controller may have retired the source, or be about to. It is refused from the
    moment the source has the epoch of going back, so what is left is asked for once more then."""
    assert step.peer
    handover, driver = acting.handover(step), acting.driver(step)
    with suppress(GuardRefused, CommandFailed):
        return _became(await acting.on(step.peer, driver.resume(handover, handover.fence)))
    left = await acting.on(step.peer, driver.alive(step.workload))
    back = Fence(step.workload, handover.move.epoch + 1)
    if left.running or left.restorable:
        await acting.on(step.peer, guard.mark(back, Phase.VERIFIED, "source", run=acting.run, peer=step.host))
        left = await acting.on(step.peer, driver.alive(step.workload))
        if not (left.running or left.restorable):
            await acting.on(step.peer, guard.mark(back, Phase.FENCED, "source", run=acting.run, peer=step.host))
    if not (left.running or left.restorable):
        raise CommandFailed(
            f"{step.workload} cannot go back: nothing is left on {step.peer}", code="C319", why=left.detail
        )
    if await acting.on(step.host, driver.fence_off(handover, back.epoch)):
        await acting.on(step.peer, driver.hang_up(handover))
    with suppress(CommandFailed):  # undoing `stage` does it again, and tells
        await take_back_actions(acting, handover, actions.AFTER_RESTORE)
    return None


async def let_run(acting: Acting, step: Step) -> WentBack | None:
    """The source runs again."""
    return _became(await _resume(acting, step))


async def _resume(acting: Acting, step: Step) -> str:
    handover = acting.handover(step)
    fence = Fence(handover.name, handover.move.epoch + 1)
    try:
        became, _ = await each(
            acting.on(handover.move.source, acting.driver(step).resume(handover, fence)),
            acting.fleet.cancel_copy(handover.move.source, handover.move.destination, acting.link(step)),
        )
    except GuardRefused as refused:
        if refused.code != guard.OTHER_RUN:
            raise
        return ""  # another controller holds it, under a run that is none of ours: so we hold nothing
    with suppress(CommandFailed):  # it runs, which is what counts; undoing `stage` tells
        await take_back_actions(acting, handover, actions.BEFORE_HOLD)
    return str(became or "")


async def unstage(acting: Acting, step: Step) -> WentBack | None:
    assert step.peer
    handover, driver = acting.handover(step), acting.driver(step)
    back = replace(handover, move=handover.move.model_copy(update={"epoch": handover.move.epoch + 1}))
    became, *_ = await each(
        _resume(acting, step),
        acting.on(step.host, driver.unstage(back)),
        acting.fleet.close_link(step.peer, step.host, acting.link(step)),
    )
    await take_back_actions(acting, handover, actions.AFTER_RESTORE)
    await take_back_actions(acting, handover, actions.BEFORE_HOLD)
    await forget_actions(acting, handover)
    return _became(became)


async def forget_actions(acting: Acting, handover: Handover) -> None:
    declared, move = actions.of(handover.workload), handover.move
    if declared.before_hold:
        await acting.on(move.source, actions.forget(handover.name, actions.BEFORE_HOLD, move.epoch))
    if declared.after_restore:
        await acting.on(move.destination, actions.forget(handover.name, actions.AFTER_RESTORE, move.epoch))


async def take_back_actions(acting: Acting, handover: Handover, when: str) -> None:
    """Under the epoch that going back has."""
    declared, move = actions.of(handover.workload), handover.move
    source = when == actions.BEFORE_HOLD
    found = declared.before_hold if source else declared.after_restore
    fence = Fence(handover.name, move.epoch + 1)
    host = move.source if source else move.destination
    await acting.on(host, actions.take_back(handover.name, when, found, move.epoch, fence))


def _became(text: object) -> WentBack | None:
    return WentBack(became=str(text)) if text else None
