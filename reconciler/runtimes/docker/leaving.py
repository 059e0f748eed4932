"""The side a workload leaves: locate, hold, resume, retire."""

from __future__ import annotations

from dataclasses import replace

from reconciler.criu import config, holding, rooms
from reconciler.criu.tasks import living
from reconciler.errors import CommandFailed, Refused
from reconciler.guard import guard
from reconciler.model.command import Command, Fence, Program, Seconds
from reconciler.model.container import RestartPolicy
from reconciler.model.plan import Phase
from reconciler.model.spec import TcpHandling
from reconciler.model.world import ContainerFacts, InstanceState
from reconciler.runtimes.base import Handover, Held, Located
from reconciler.runtimes.docker import containers, moving, places, stores

RELEASE_LIMIT: Seconds = 120.0
_HOLDING = ("starting", "held")


def locate(handover: Handover) -> Program[Located]:
    name, source = handover.name, handover.move.source
    shown = yield from moving.marked(name)
    if shown is not None and shown.hook.state in _HOLDING:
        return moving.located(handover, (yield from _saved(handover)))
    facts = yield from containers.ours(name, name)
    if facts is None or facts.state is not InstanceState.RUNNING:
        state = facts.state.value if facts else "not there"
        paused = facts is not None and facts.state is InstanceState.PAUSED
        raise Refused(
            f"{name} cannot move: it is {state} on {source}",
            code="P436",
            fix=f"let it run there (docker unpause {name}), then plan again" if paused else "plan again",
        )
    if facts.id != handover.move.container_id:
        raise Refused(f"{name} was made anew since the plan", code="P437", fix="plan again")
    if facts.auto_remove:
        raise Refused(
            f"{name} removes itself when it ends (--rm), so nothing would be left to go back to",
            code="P438",
            fix="let Reconciler make it anew from its spec",
        )
    yield from guard.mark(
        handover.fence, Phase.RESERVED, "source", run=handover.run, peer=handover.move.destination
    )
    yield from moving.save(name)
    yield from containers.switch_restart(facts, handover.fence, (Phase.RESERVED,), on=False)
    yield from moving.prepare_dump(handover, facts)
    return moving.located(handover, facts)


def hold(handover: Handover) -> Program[Held]:
    facts = yield from _saved(handover)

    def lives_on() -> Program[str]:
        yield Command(places.shell("settle", facts.id))
        now = yield from containers.inspect(facts.id)
        if now is not None and now.state is InstanceState.RUNNING:
            return ""
        return now.state.value if now else "its container is gone"

    argv = places.shell("dump", facts.userdata, facts.id, f"epoch-{handover.move.epoch}")
    given = [ip for network in facts.networks for ip in network.ips]
    return (
        yield from holding.hold(
            handover,
            containers.tasks_of(facts),
            argv,
            lives_on=lives_on,
            under=places.shell("held", facts.userdata, facts.id),
            addresses=given,
        )
    )


def resume(handover: Handover, fence: Fence) -> Program[str]:
    name, source = handover.name, handover.move.source
    outcome = yield from guard.resume(fence, run=handover.run)
    facts = yield from _found_again(handover, fence)
    if facts is None and outcome.what == "gone":
        raise CommandFailed(f"{name} cannot resume: its container is gone", code="C311")
    if facts is None:
        yield from moving.forget(name)
        yield from guard.clean(name)
        return f"somebody removed its container on {source} while it was held"
    ended, told = False, ""
    if outcome.what == "gone":
        yield from _from_images(handover, fence, facts)
    elif not facts.state.has_processes:
        ended, told = True, f"it ended by itself on {source} while it was held (exit code {facts.exit_code})"
        if (yield from _started_again(handover, fence, facts)):
            ended, told = False, f"{told} and was started again, as its restart policy says"
    yield from config.write(name)
    yield Command(places.shell("settle", facts.id))
    facts = (yield from moving.copy_here(name)) or facts
    yield from containers.switch_restart(facts, fence, (Phase.RUNNING,), on=True)
    if facts.state is InstanceState.PAUSED:
        told = f"somebody paused it on {source}; let it run with: docker unpause {name}"
    elif not (ended or facts.state is InstanceState.RUNNING):
        raise CommandFailed(f"{name} does not run after it was told to resume", code="C311")
    yield from rooms.free(containers.tasks_of(facts), fence, (Phase.RUNNING,))
    yield from moving.forget(name)
    yield from guard.clean(name)
    return told


def _found_again(handover: Handover, fence: Fence) -> Program[ContainerFacts | None]:
    """The source's container, under its own name again where somebody has given it another one."""
    facts = yield from moving.copy_here(handover.name)
    if facts is not None and facts.name != handover.name:
        argv = ("docker", "rename", facts.id, handover.name)
        yield from guard.run(fence, (Phase.RUNNING, Phase.HELD), argv)
    return facts


def _from_images(handover: Handover, fence: Fence, facts: ContainerFacts) -> Program[None]:
    """Nothing frozen is left: its images are the way back."""
    name = handover.name
    if facts.state.has_processes and not (yield from living(containers.tasks_of(facts))):
        # It was ended a moment ago, and Docker has not noted that yet.
        yield from guard.run(fence, (Phase.HELD,), ("docker", "wait", facts.id))
        facts = (yield from moving.copy_here(name)) or facts
    if not facts.state.has_processes:
        if (yield from config.hangs_up(name)):
            policy = handover.policy.model_copy(update={"tcp": TcpHandling.CLOSE})
            handover = replace(handover, policy=policy)
        yield from moving.allow_restore(handover, facts.userdata)
        yield from moving.restore(handover, fence, Phase.HELD, moving.located(handover, facts))
    yield from guard.mark(fence, Phase.RUNNING, "owner", run=handover.run)


def _started_again(handover: Handover, fence: Fence, facts: ContainerFacts) -> Program[bool]:
    """The application ended by itself, while its restart policy was switched off for the move: do what that says.
    Where it says nothing the workload stays as it is, which is not this move's doing; the next apply starts it."""
    policy = handover.workload.container.restart
    if policy is RestartPolicy.NO or (policy is RestartPolicy.ON_FAILURE and facts.exit_code == 0):
        return False
    yield from guard.run(fence, (Phase.RUNNING,), ("docker", "start", facts.id))
    return True


def retire(handover: Handover) -> Program[None]:
    name, peer = handover.name, handover.move.destination
    shown = yield from moving.marked(name)
    marker = shown.marker if shown else None
    if marker is not None and marker.phase == Phase.RETIRED and marker.epoch == handover.fence.epoch:
        return
    if marker is None:
        # Deleted. Who lets go has proof that the destination runs, which is what it would say.
        yield from guard.mark(handover.fence, Phase.COMMITTED, "source", run=handover.run, peer=peer)
    yield from guard.release(handover.fence, timeout=RELEASE_LIMIT)
    facts = yield from moving.copy_here(name)
    if facts is not None:
        # The images as well under the fence: another controller may be on its way back to them.
        yield from containers.discard(facts, handover.fence, (Phase.COMMITTED, Phase.FENCED))
    for volume in handover.workload.container.volumes:
        yield from stores.drop_volume(volume.name, handover.fence)
    yield from moving.forget(name)
    yield from guard.mark(handover.fence, Phase.RETIRED, "source", run=handover.run, peer=peer)
    yield from guard.clean(name)


def _saved(handover: Handover) -> Program[ContainerFacts]:
    """The source as it was located."""
    facts = yield from moving.saved(handover.name)
    if facts is None or facts.id != handover.move.container_id:
        raise CommandFailed(
            f"{handover.name} was not located for this move on {handover.move.source}", code="C312"
        )
    return facts
