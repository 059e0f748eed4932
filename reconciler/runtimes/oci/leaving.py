"""The side a workload leaves: locate, hold, resume, commit, retire.

While a source is held, an engine may not answer for its container, whose lock its checkpoint command has. What is
needed then is written down before.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

from reconciler.criu import config, folders, holding, persisting, rooms
from reconciler.criu.tasks import living
from reconciler.errors import CommandFailed, Refused
from reconciler.guard import guard
from reconciler.model.command import Fence, Program
from reconciler.model.container import RestartPolicy
from reconciler.model.plan import Phase
from reconciler.model.spec import TcpHandling
from reconciler.model.world import ContainerFacts, InstanceState, Marker
from reconciler.runtimes.base import Handover, Held, Located
from reconciler.runtimes.oci.containers import shell
from reconciler.runtimes.oci.moving import EngineMoves

_HOLDING = ("starting", "held")
_GOES = (Phase.COMMITTED, Phase.FENCED)
"""Phases in which what a source has may go."""


class EngineSource(EngineMoves):
    """Of the ability `moves` what happens on the source."""

    # --- the engine's own ---

    @abstractmethod
    def prepare_dump(self, handover: Handover, facts: ContainerFacts) -> Program[None]:
        """Room for images, and what CRIU is told at the dump."""

    @abstractmethod
    def dump_argv(self, handover: Handover, facts: ContainerFacts) -> tuple[str, ...]:
        """The command that dumps a container into that room."""

    @abstractmethod
    def under(self, facts: ContainerFacts) -> tuple[str, ...]:
        """The script that the hold runs under; it adds to the images what CRIU does not write."""

    @abstractmethod
    def allow_restore_here(self, handover: Handover, facts: ContainerFacts) -> Program[None]:
        """Let CRIU restore a source from its own images."""

    # --- shared ---

    def locate(self, handover: Handover) -> Program[Located]:
        name, source = handover.name, handover.move.source
        shown = yield from guard.show(name)
        if shown and (shown[0].hook.state in _HOLDING or _was_committed(shown[0].marker, handover.fence)):
            return self.located(handover, (yield from self.located_here(handover)))
        facts = yield from self.ours(name, name)
        if facts is None or facts.state is not InstanceState.RUNNING:
            state = facts.state.value if facts else "not there"
            paused = facts is not None and facts.state is InstanceState.PAUSED
            unpause = f"let it run there ({self.NAME} unpause {name}), then plan again"
            raise Refused(
                f"{name} cannot move: it is {state} on {source}",
                code="P436",
                fix=unpause if paused else "plan again",
            )
        if facts.id != handover.move.container_id:
            raise Refused(f"{name} was made anew since the plan", code="P437", fix="plan again")
        check_kept(facts)
        yield from self.check_movable(handover)
        peer = handover.move.destination
        yield from guard.mark(handover.fence, Phase.RESERVED, "source", run=handover.run, peer=peer)
        yield from folders.own(handover)
        yield from self.save(name)
        yield from self.set_restart(handover, handover.fence, Phase.RESERVED, on=False)
        yield from self.prepare_dump(handover, facts)
        return self.located(handover, facts)

    def hold(self, handover: Handover) -> Program[Held]:
        facts = yield from self.located_here(handover)

        def lives_on() -> Program[str]:
            yield from self.settle(facts, handover.fence)
            now = yield from self.inspect(facts.id)
            if now is not None and now.state is InstanceState.RUNNING:
                return ""
            return now.state.value if now else "its container is gone"

        return (
            yield from holding.hold(
                handover,
                self.tasks_of(facts),
                self.dump_argv(handover, facts),
                lives_on=lives_on,
                under=self.under(facts),
                addresses=[ip for network in facts.networks for ip in network.ips],
            )
        )

    def resume(self, handover: Handover, fence: Fence) -> Program[str]:
        name, source = handover.name, handover.move.source
        outcome = yield from guard.resume(fence, run=handover.run)
        facts = yield from self._found_again(handover, fence)
        if facts is None and outcome.what == "gone":
            raise CommandFailed(f"{name} cannot resume: its container is gone", code="C311")
        if facts is None:
            yield from self.forget(name)
            yield from guard.clean(name)
            return f"somebody removed its container on {source} while it was held"
        ended, told = False, ""
        if outcome.what == "gone":
            yield from self._from_images(handover, fence, facts)
        elif not facts.state.has_processes:
            ended, told = True, f"it ended by itself on {source} while it was held (exit code {facts.exit_code})"
            if (yield from self._started_again(handover, fence, facts)):
                ended, told = False, f"{told} and was started again, as its restart policy says"
        yield from config.write(name)
        yield from self.settle(facts, fence)
        yield from self.set_restart(handover, fence, Phase.RUNNING, on=True)
        facts = yield from self.copy_here(name)
        if facts is not None and facts.state is InstanceState.PAUSED:
            told = f"somebody paused it on {source}; let it run with: {self.NAME} unpause {name}"
        elif facts is None or not (ended or facts.state is InstanceState.RUNNING):
            raise CommandFailed(f"{name} does not run after it was told to resume", code="C311")
        yield from rooms.free(self.tasks_of(facts), fence, (Phase.RUNNING,))
        yield from self.forget(name)
        yield from guard.clean(name)
        return told

    def _found_again(self, handover: Handover, fence: Fence) -> Program[ContainerFacts | None]:
        """The source's container, under its own name again where somebody has given it another one."""
        facts = yield from self.copy_here(handover.name)
        if facts is not None and facts.name != handover.name:
            argv = self.command("rename", facts.id, handover.name)
            yield from guard.run(fence, (Phase.RUNNING, Phase.HELD), argv)
        return facts

    def _from_images(self, handover: Handover, fence: Fence, facts: ContainerFacts) -> Program[None]:
        """Nothing frozen is left: its images are the way back."""
        name = handover.name
        if facts.state.has_processes and not (yield from living(self.tasks_of(facts))):
            # It was ended a moment ago, and the engine has not noted that yet.
            yield from guard.run(fence, (Phase.HELD,), self.command("wait", facts.id))
            facts = (yield from self.copy_here(name)) or facts
        if not facts.state.has_processes:
            if (yield from config.hangs_up(name)):
                policy = handover.policy.model_copy(update={"tcp": TcpHandling.CLOSE})
                handover = replace(handover, policy=policy)
            if persisting.is_wanted(handover):
                yield from persisting.put_back(handover, fence, self.tasks_of(facts))
            yield from self.allow_restore_here(handover, facts)
            yield from self.restore_here(handover, fence, Phase.HELD, self.located(handover, facts))
        yield from guard.mark(fence, Phase.RUNNING, "owner", run=handover.run)

    def _started_again(self, handover: Handover, fence: Fence, facts: ContainerFacts) -> Program[bool]:
        """The application ended by itself, while its restart policy was switched off for the move: do what that
        says. Where it says nothing the workload stays as it is, which is not this move's doing; the next apply
        starts it."""
        policy = handover.workload.container.restart
        if policy is RestartPolicy.NO or (policy is RestartPolicy.ON_FAILURE and facts.exit_code == 0):
            return False
        yield from guard.run(fence, (Phase.RUNNING,), self.command("start", facts.id))
        return True

    def hang_up(self, handover: Handover) -> Program[None]:
        return config.hang_up(handover.name)

    def commit_source(self, handover: Handover) -> Program[None]:
        return guard.commit(handover.fence)

    def retire(self, handover: Handover) -> Program[None]:
        name, peer, fence = handover.name, handover.move.destination, handover.fence
        if not (yield from holding.let_go(handover)):
            return
        facts = yield from self.copy_here(name)
        if facts is not None:
            # The images as well under the fence: another controller may be on its way back to them.
            yield from self.discard(facts, fence, _GOES, whole=True)
            yield from self.drop_secrets(name, facts)
        for volume in handover.workload.container.volumes:
            yield from self.drop_volume(volume.name, fence)
        yield from folders.drop(handover, fence, _GOES)
        yield from self.forget(name)
        yield from guard.mark(fence, Phase.RETIRED, "source", run=handover.run, peer=peer)
        yield from guard.clean(name)


def _was_committed(marker: Marker | None, fence: Fence) -> bool:
    """The same hand-over's, also where nothing is held any more, for its host has lost power since."""
    return marker is not None and (marker.phase, marker.role, marker.epoch) == (
        Phase.COMMITTED,
        "source",
        fence.epoch,
    )


def check_kept(facts: ContainerFacts) -> None:
    """Refused where nothing would be left of it after a dump."""
    if facts.auto_remove:
        raise Refused(
            f"{facts.name} removes itself when it ends (--rm), so nothing would be left to go back to",
            code="P438",
            fix="let Reconciler make it anew from its spec",
        )


def noting_descriptors(home: str, state: str) -> tuple[str, ...]:
    """A script that a hold runs under where no engine notes what runc needs to know at a restore. `home`: the
    folder that the images are in; `state`: runc's file about the container."""
    return shell("held", home, state)
