"""Images, networks and volumes: what a workload needs on its host before it can be made there."""

from __future__ import annotations

from reconciler.engine.carry import ImageCopy, VolumeCopy
from reconciler.engine.effects.base import Acting, Effect, copied
from reconciler.hosts.base import Progress
from reconciler.model.container import REGISTRY_PASSWORD
from reconciler.model.plan import Step, StepKind
from reconciler.model.result import CopyMade, ImagePulled
from reconciler.runtimes.base import Pull


async def pull_image(acting: Acting, step: Step, progress: Progress) -> ImagePulled:
    driver, how = acting.driver(step), _pull(acting, step)
    asked = driver.pull_image(step.subject, how) if how != Pull() else driver.pull_image(step.subject)
    return ImagePulled(image=await acting.on(step.host, asked))


def _pull(acting: Acting, step: Step) -> Pull:
    workload = acting.plan.workloads[step.workload]
    wanted, login = workload.spec.container, None
    if wanted is None:
        return Pull()
    if wanted.registry is not None:
        login = (wanted.registry.user, acting.secrets(workload)[REGISTRY_PASSWORD])
    return Pull(wanted.pull == "always", wanted.platform or "", login)


async def copy_image(acting: Acting, step: Step, progress: Progress) -> CopyMade:
    assert step.peer
    link = f"{acting.run}-{step.workload}-image"
    name = acting.plan.workloads[step.workload].spec.image
    way = (acting.fleet, step.peer, step.host, link)
    copy = ImageCopy(acting.driver(step), *way, step.subject, name, acting.arriving)
    return copied(await copy.carry(progress))


async def create_network(acting: Acting, step: Step, progress: Progress) -> None:
    network = acting.plan.networks[step.subject].spec
    await acting.on(step.host, acting.driver(step).create_network(step.subject, network))


async def create_volume(acting: Acting, step: Step, progress: Progress) -> None:
    await acting.on(step.host, acting.driver(step).create_volume(step.subject, acting.fence(step), acting.run))


async def remove_new_volume(acting: Acting, step: Step) -> None:
    """Only while the volume that was copied into it is there and the workload's."""
    for other in acting.plan.groups[step.workload]:
        if other.kind is StepKind.COPY_VOLUME and other.subject == step.subject and other.peer:
            await acting.on(other.peer, acting.peer_driver(other).locate_volume(step.subject, step.workload))
    program = acting.driver(step).remove_volume(step.subject, acting.fence(step), acting.run)
    await acting.on(step.host, program)


async def copy_volume(acting: Acting, step: Step, progress: Progress) -> CopyMade:
    compression = acting.plan.policy_of(step.workload).compression
    return copied(await _volume_copy(acting, step).carry(compression, progress))


async def end_copy(acting: Acting, step: Step) -> None:
    await _volume_copy(acting, step).end()


def _volume_copy(acting: Acting, step: Step) -> VolumeCopy:
    return VolumeCopy(step, acting.peer_driver(step), acting.driver(step), acting.fleet, acting.run)


async def remove_volume(acting: Acting, step: Step, progress: Progress) -> None:
    """Only while the volume that it was copied into is there and the workload's. What a copy beside its workload
    had was copied nowhere."""
    if step.peer:
        await acting.on(step.peer, acting.peer_driver(step).locate_volume(step.subject, step.workload))
    await acting.on(step.host, acting.driver(step).remove_volume(step.subject, acting.fence(step)))


EFFECTS = {
    StepKind.PULL_IMAGE: Effect(pull_image),
    StepKind.COPY_IMAGE: Effect(copy_image),
    StepKind.CREATE_NETWORK: Effect(create_network),
    StepKind.CREATE_VOLUME: Effect(create_volume, remove_new_volume),
    StepKind.COPY_VOLUME: Effect(copy_volume, end_copy),
    StepKind.REMOVE_VOLUME: Effect(remove_volume),
}
