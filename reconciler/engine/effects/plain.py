"""Steps that act on a container without a hand-over."""

from __future__ import annotations

from reconciler.engine.effects.base import Acting, Effect
from reconciler.hosts.base import Progress
from reconciler.model.plan import Step, StepKind
from reconciler.model.result import InstanceMade


async def create(acting: Acting, step: Step, progress: Progress) -> InstanceMade:
    workload, driver = acting.workload(step.workload), acting.driver(step)
    wanted = workload.spec.container
    runtime = (wanted.oci_runtime if wanted else None) or ""
    program = driver.create(workload, acting.fence(step), oci_runtime=runtime, secrets=acting.secrets(workload))
    return InstanceMade(instance=await acting.on(step.host, program))


async def remove_new(acting: Acting, step: Step) -> None:
    """Only while the host of the one it replaces answers: else it may be all that is left of the workload."""
    for other in acting.plan.groups[step.workload]:
        if other.kind is StepKind.SET_ASIDE and other.host != step.host:
            await acting.on(other.host, acting.driver(other).alive(step.workload))
    await acting.on(step.host, acting.driver(step).remove(step.workload, acting.fence(step)))


async def start(acting: Acting, step: Step, progress: Progress) -> None:
    workload, driver = acting.plan.workloads[step.workload], acting.driver(step)
    await acting.on(step.host, driver.start(workload, acting.fence(step)))


async def stop(acting: Acting, step: Step, progress: Progress) -> None:
    await acting.on(step.host, acting.driver(step).stop(step.workload, acting.fence(step)))


async def stop_again(acting: Acting, step: Step) -> None:
    await stop(acting, step, lambda _: None)


async def update(acting: Acting, step: Step, progress: Progress) -> None:
    workload = acting.plan.workloads[step.workload]
    await acting.on(step.host, acting.driver(step).update(workload, acting.fence(step), acting.run))


async def update_back(acting: Acting, step: Step) -> None:
    await acting.on(step.host, acting.driver(step).update_back(step.workload, acting.fence(step), acting.run))


async def set_aside(acting: Acting, step: Step, progress: Progress) -> None:
    await acting.on(step.host, acting.driver(step).set_aside(step.workload, acting.fence(step)))


async def bring_back(acting: Acting, step: Step) -> None:
    """What goes back to a checkpoint is not started from its files: it stays aside until it runs again, or until
    that has failed (`comeback.unfetch`). Where it never stopped there is nothing to go back to."""
    if acting.goes_back(step.workload):
        driver = acting.driver(step)
        if not (await acting.on(step.host, driver.alive(step.workload))).running:
            return await acting.on(step.host, driver.set_aside(step.workload, acting.fence(step)))
        await acting.on(step.host, driver.remove_aside(step.workload, acting.fence(step)))
    await acting.on(step.host, acting.driver(step).bring_back(step.workload, acting.fence(step)))


async def remove(acting: Acting, step: Step, progress: Progress) -> None:
    driver = acting.driver(step)
    remove = driver.remove_aside if step.subject == "aside" else driver.remove
    await acting.on(step.host, remove(step.workload, acting.fence(step)))


EFFECTS = {
    StepKind.CREATE: Effect(create, remove_new),
    StepKind.START: Effect(start, stop_again),
    StepKind.STOP: Effect(stop),
    StepKind.UPDATE: Effect(update, update_back),
    StepKind.SET_ASIDE: Effect(set_aside, bring_back),
    StepKind.REMOVE: Effect(remove),
}
