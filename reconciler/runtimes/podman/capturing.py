"""A container that is saved and runs on. Nothing of it is switched off meanwhile: should the dump end it after
all, the guard keeps Podman from starting it anew, and `resume` restores it from its images."""

from __future__ import annotations

from reconciler.criu import capturing, config, rooms
from reconciler.errors import CommandFailed, Refused
from reconciler.model.command import Program
from reconciler.model.world import InstanceState
from reconciler.runtimes.base import Handover, Held, Located
from reconciler.runtimes.podman import containers, moving, paths


def shadow(handover: Handover, folder: str) -> Program[Located]:
    name = handover.name
    facts = yield from containers.ours(name, name)
    if facts is None or facts.state is not InstanceState.RUNNING or facts.id != handover.move.container_id:
        state = facts.state.value if facts else "not there"
        raise Refused(
            f"{name} cannot be saved: it is {state} on {handover.move.source}", code="P450", fix="try again"
        )
    if facts.auto_remove:
        raise Refused(
            f"{name} removes itself when it ends (--rm), so nothing would be left to go back to",
            code="P438",
            fix="let Reconciler make it anew from its spec",
        )
    yield from moving.check_restart_switch(handover)
    yield from moving.save(name)
    tasks = containers.tasks_of(facts)
    yield from rooms.make(handover, tasks)
    yield from config.for_dump(handover, tasks)
    found = moving.located(handover, facts)
    yield from capturing.shadow(found, folder)
    return found


def capture(handover: Handover, folder: str) -> Program[Held]:
    name = handover.name
    facts = yield from moving.saved(name)
    if facts is None:
        raise CommandFailed(f"{name} was not made ready to be saved", code="C312")

    def lives_on() -> Program[str]:
        now = yield from containers.inspect(name)
        if now is not None and now.state is InstanceState.RUNNING:
            return ""
        return now.state.value if now else "its container is gone"

    argv = ("podman", "container", "checkpoint", "--leave-running", *moving.options(handover), "--", name)
    keep_shm = paths.shell("keep-shm", facts.userdata)
    return (
        yield from capturing.capture(
            handover, containers.tasks_of(facts), argv, folder, lives_on=lives_on, under=keep_shm
        )
    )
