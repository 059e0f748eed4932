"""A container that is saved and runs on. Nothing of it is switched off meanwhile: should the dump end it after
all, the guard keeps Podman from starting it anew, and `resume` restores it from its images."""

from __future__ import annotations

from reconciler.criu import capturing, config, rooms
from reconciler.errors import CommandFailed, Refused
from reconciler.model.command import Program
from reconciler.model.world import InstanceState
from reconciler.runtimes.base import Handover, Held, Located
from reconciler.runtimes.oci.leaving import check_kept
from reconciler.runtimes.podman.source import PodmanSource


class PodmanCaptures(PodmanSource):
    """The ability `captures`."""

    def shadow(self, handover: Handover, folder: str) -> Program[Located]:
        name = handover.name
        facts = yield from self.ours(name, name)
        if facts is None or facts.state is not InstanceState.RUNNING or facts.id != handover.move.container_id:
            state = facts.state.value if facts else "not there"
            raise Refused(
                f"{name} cannot be saved: it is {state} on {handover.move.source}", code="P450", fix="try again"
            )
        check_kept(facts)
        yield from self.check_movable(handover)
        yield from self.save(name)
        tasks = self.tasks_of(facts)
        yield from rooms.make(handover, tasks)
        yield from config.for_dump(handover, tasks)
        found = self.located(handover, facts)
        yield from capturing.shadow(found, folder, (yield from self.oci_config(facts)))
        return found

    def capture(self, handover: Handover, folder: str) -> Program[Held]:
        name = handover.name
        facts = yield from self.saved(name)
        if facts is None:
            raise CommandFailed(f"{name} was not made ready to be saved", code="C312")

        def lives_on() -> Program[str]:
            now = yield from self.inspect(name)
            if now is not None and now.state is InstanceState.RUNNING:
                return ""
            return now.state.value if now else "its container is gone"

        argv = self.dump_argv(handover, facts, "--leave-running")
        under, tasks = self.under(facts), self.tasks_of(facts)
        return (yield from capturing.capture(handover, tasks, argv, folder, lives_on=lives_on, under=under))
