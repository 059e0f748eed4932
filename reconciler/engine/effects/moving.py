"""The steps of a move, in their order (ARCHITECTURE.md, "A hand-over")."""

from __future__ import annotations

from dataclasses import replace

from reconciler.core.unwell import ENDED
from reconciler.engine.effects import back, selfmoving
from reconciler.engine.effects.base import Acting, Data, Effect, leave
from reconciler.engine.precopy import Precopy
from reconciler.errors import CommandFailed, HostError
from reconciler.guard import actions, dossier, guard
from reconciler.hosts.base import Progress, each
from reconciler.model.plan import Step, StepKind
from reconciler.model.spec import Strategy
from reconciler.runtimes.base import Located


async def reserve(acting: Acting, step: Step, progress: Progress) -> Data:
    assert step.peer
    driver = acting.driver(step)
    hosts = (step.host, step.peer)
    await each(*(acting.on(host, driver.prepare_host()) for host in hosts))
    await each(*(acting.on(host, dossier.write(acting.plan, step.workload, acting.run)) for host in hosts))
    if acting.plan.moves[step.workload].by_runtime:
        await selfmoving.announce(acting, step)
    return {}


async def unreserve(acting: Acting, step: Step) -> Data:
    """What was staged takes the rest back; a runtime that moves by itself has staged nothing."""
    if acting.plan.moves[step.workload].by_runtime:
        await selfmoving.stay(acting, step)
    return {}


async def stage(acting: Acting, step: Step, progress: Progress) -> Data:
    assert step.peer
    handover, driver = acting.handover(step), acting.driver(step)
    secrets = acting.secrets(handover.workload)
    here, there, _ = await each(
        acting.on(step.host, driver.stage(handover, secrets=secrets)),
        acting.on(step.peer, driver.locate(handover)),
        acting.fleet.open_link(step.peer, step.host, acting.link(step), handover.policy.compression),
    )
    if handover.move.strategy is not Strategy.PRECOPY:
        await _prepare_copy(acting, step, there, here)
    return {"destination": here.text, "source": there.text}


async def _prepare_copy(acting: Acting, step: Step, source: Located, destination: Located) -> None:
    move = acting.plan.moves[step.workload]
    pairs = tuple(zip(source.trees, destination.trees, strict=True))
    await acting.fleet.prepare_copy(move.source, move.destination, acting.link(step), pairs)


async def precopy(acting: Acting, step: Step, progress: Progress) -> Data:
    copy = Precopy(acting.handover(step), acting.driver(step), acting.fleet, acting.link(step))
    done = await copy.run(progress)
    await _prepare_copy(acting, step, *_staged(acting, step))
    return done


def _staged(acting: Acting, step: Step) -> tuple[Located, Located]:
    """What `stage` recorded: where the source's state is, and where it goes."""
    located = acting.data[acting.plan.sibling(step, StepKind.STAGE).id]
    return Located.parse(located["source"]), Located.parse(located["destination"])


async def hold(acting: Acting, step: Step, progress: Progress) -> Data:
    handover = acting.handover(step)
    found = actions.of(handover.workload).before_hold
    done = await acting.on(step.host, actions.perform(handover.name, actions.BEFORE_HOLD, found, handover.fence))
    held = await acting.on(step.host, acting.driver(step).hold(handover))
    note = {"actions": done} if done else {}
    return {"bytes": str(held.image_bytes), "freeze": f"{held.freeze_s:.3f}"} | note


async def transfer(acting: Acting, step: Step, progress: Progress) -> Data:
    assert step.peer
    source, destination = _staged(acting, step)
    pairs = tuple(zip(source.trees, destination.trees, strict=True))
    report = await acting.fleet.copy_trees(step.peer, step.host, acting.link(step), pairs, progress)
    return {"bytes": str(report.bytes), "seconds": f"{report.seconds:.3f}", "how": report.how}


async def commit(acting: Acting, step: Step, progress: Progress) -> Data:
    assert step.peer
    handover, driver = acting.handover(step), acting.driver(step)
    await _still_there(acting, step)
    await acting.on(step.peer, driver.commit_source(handover))
    await acting.on(step.host, driver.commit_destination(handover))
    return {}


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


async def restore(acting: Acting, step: Step, progress: Progress) -> Data:
    # A controller that has lost its journal does not know.
    known = acting.data.get(acting.plan.sibling(step, StepKind.STAGE).id, {}).get("destination")
    handover = replace(acting.handover(step), staged=Located.parse(known) if known else None)
    await acting.on(step.host, acting.driver(step).restore(handover))
    found = actions.of(handover.workload).after_restore
    done = await acting.on(step.host, actions.perform(handover.name, actions.AFTER_RESTORE, found, handover.fence))
    return {"actions": done} if done else {}


async def confirm(acting: Acting, step: Step, progress: Progress) -> Data:
    workload, driver = acting.plan.workloads[step.workload], acting.driver(step)
    moving = step.workload in acting.plan.moves
    if moving:
        await acting.on(step.host, driver.verify(acting.handover(step)))
    note = {}
    if check := workload.spec.health:
        try:
            await acting.on(step.host, driver.health(step.workload, check, workload.spec.address))
        except CommandFailed as error:
            stays = moving and acting.plan.policy_of(step.workload).on_unhealthy == "stay"
            if not stays or error.code == ENDED:
                raise
            note = {"unhealthy": str(error)}
    elif not moving and not (await acting.on(step.host, driver.alive(step.workload))).running:
        raise CommandFailed(f"{step.workload} does not run after it was started", code="C315", where=step.host)
    if moving:
        await acting.on(step.host, driver.confirm(acting.handover(step)))
    return note


async def retire(acting: Acting, step: Step, progress: Progress) -> Data:
    assert step.peer
    handover, driver = acting.handover(step), acting.driver(step)
    # The frozen copy is let go only when the destination answers and has all memory; else it may be the last.
    await acting.on(step.peer, driver.finish(handover))
    await each(
        acting.on(step.host, driver.retire(handover)),
        acting.fleet.close_link(step.host, step.peer, acting.link(step)),
    )
    await back.forget_actions(acting, handover)
    return {}


EFFECTS = {
    StepKind.RESERVE: Effect(reserve, unreserve),
    StepKind.STAGE: Effect(stage, back.unstage),
    StepKind.PRECOPY: Effect(precopy, leave),
    StepKind.HOLD: Effect(hold, back.let_run),
    StepKind.TRANSFER: Effect(transfer),
    StepKind.COMMIT: Effect(commit, back.fence_off),
    StepKind.RESTORE: Effect(restore),
    StepKind.CONFIRM: Effect(confirm),
    StepKind.RETIRE: Effect(retire),
}
