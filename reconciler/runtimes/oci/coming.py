"""The side a workload comes to: stage, commit, restore, verify, confirm, finish, unstage."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import partial

from reconciler.core.made_from import changed_fields
from reconciler.criu import arriving, config, folders, restoring, rooms
from reconciler.criu.tasks import living, stop_pages_argv
from reconciler.errors import CommandFailed, HostError
from reconciler.guard import guard
from reconciler.model.command import Command, Fence, Program
from reconciler.model.copying import is_copy
from reconciler.model.labels import LABEL_SPEC
from reconciler.model.plan import Phase
from reconciler.model.world import ContainerFacts, InstanceState
from reconciler.runtimes.base import Handover, Located
from reconciler.runtimes.oci import verifying
from reconciler.runtimes.oci.moving import EngineMoves, home_of
from reconciler.runtimes.volumes import SYNC_LIMIT


class EngineDestination(EngineMoves):
    """Of the ability `moves` what happens on the destination."""

    # --- the engine's own ---

    @abstractmethod
    def is_restorable(self, facts: ContainerFacts) -> bool:
        """Whether a container's state is what `make_restorable` leaves."""

    @abstractmethod
    def make_restorable(self, handover: Handover, image: str, secrets: Mapping[str, bytes]) -> Program[None]:
        """A container, made from the spec and this image, that can be restored into; none of its code runs, and
        its addresses appear nowhere."""

    @abstractmethod
    def ready(self, handover: Handover) -> Program[Located]:
        """The container that `make_restorable` has made, on its networks, with room for images; what CRIU will be
        told by the restore, and that none can be typed by hand until then."""

    # --- shared ---

    def stage(self, handover: Handover, *, secrets: Mapping[str, bytes]) -> Program[Located]:
        name, fence = handover.name, handover.fence
        yield from self.check_movable(handover)
        image = yield from self._image(handover)
        old = yield from self.ours(name, name)
        names = [] if handover.returns else [volume.name for volume in handover.workload.container.volumes]
        arrival = yield from arriving.take(
            handover,
            old,
            whole=old is not None and self._is_staged(handover, old),
            discard=partial(self._discard, old, fence),
            volumes=arriving.VolumeRoom(names, self.check_free, self.remove_volume),
        )
        if not arrival.again:
            for volume in names:
                yield from self.create_volume(volume, fence, handover.run)
            if not handover.returns:
                yield from folders.take(handover, arrival.undone)
            yield from self.make_restorable(handover, image, secrets)
        return (yield from self.ready(handover))

    def _is_staged(self, handover: Handover, old: ContainerFacts) -> bool:
        changed = changed_fields(handover.workload.container, old.labels.get(LABEL_SPEC, ""))
        return self.is_restorable(old) and not changed

    def _image(self, handover: Handover) -> Program[str]:
        """What to call the image here: as in the spec where that is the source's image, else by its ID."""
        spec_name, wanted = handover.workload.container.image, handover.move.image_id
        for known_as in (spec_name, wanted):
            if (yield from self.image_id(known_as)) == wanted:
                return known_as
        raise HostError(
            f"the image {spec_name} ({wanted[:12]}) is not on {handover.move.destination}",
            code="H214",
            fix="plan again: it is copied from the source",
        )

    def _discard(self, facts: ContainerFacts | None, fence: Fence, phases: arriving.Phases) -> Program[None]:
        assert facts is not None
        # All of it under the fence: a copy that another controller has restored lives on its daemon and images.
        yield from guard.run(fence, phases, stop_pages_argv(self.tasks_of(facts)))
        yield from self.discard(facts, fence, phases, whole=True)
        if left := (yield from living(self.tasks_of(facts))):
            raise CommandFailed(f"processes of {facts.name} are left: {', '.join(left)}", code="C314")

    def unstage(self, handover: Handover) -> Program[None]:
        name = handover.name
        fence = yield from arriving.fence_here(handover)
        facts = yield from self.copy_here(name)
        if facts is not None and not (handover.may_find_the_old and facts.state is InstanceState.EXITED):
            yield from self._discard(facts, fence, arriving.UNDONE)
            yield from self.drop_secrets(name, facts)
        for volume in handover.workload.container.volumes:
            yield from self.remove_volume(volume.name, fence, handover.run)
        yield from folders.drop(handover, fence, guard.ANY)
        yield from config.write(name)
        yield from self.forget(name)
        yield from guard.mark(fence, Phase.FENCED, "destination", run=handover.run, peer=handover.move.source)

    def commit_destination(self, handover: Handover) -> Program[None]:
        return arriving.commit(handover)

    def restore(self, handover: Handover) -> Program[None]:
        staged = handover.staged
        if staged is None:
            facts = yield from self.saved(handover.name)
            if facts is None:
                where = handover.move.destination
                raise CommandFailed(f"{handover.name} was not staged on {where}", code="C313")
            staged = self.located(handover, facts)
        tasks = self.tasks(staged.container_id, home_of(staged))
        if is_copy(handover.name):
            yield from restoring.without_network(tasks)
        lazy = yield from restoring.arrived(handover, tasks)
        yield from self.restore_here(handover, handover.fence, Phase.COMMITTED, staged, lazy=lazy)

    def verify(self, handover: Handover) -> Program[None]:
        name, where = handover.name, handover.move.destination
        facts = yield from self.copy_here(name)
        if facts is None or facts.state is not InstanceState.RUNNING or facts.name != name:
            if facts is not None and facts.state is InstanceState.EXITED:
                raise (yield from self.ended(facts))
            state = "gone" if facts is None else facts.state.value
            if facts is not None and facts.name != name:
                state = f"{state} there under the name {facts.name}, which somebody gave it"
            raise CommandFailed(f"{name} does not run on {where}: it is {state}", code="C315")
        config_file = yield from self.oci_config(facts)
        argv = verifying.truth_argv(facts.pid, config_file, f"{facts.userdata}/unlike", handover.workload)
        truth = yield Command(argv, secret=True)
        problems = verifying.problems(handover.workload, handover.move.image_id, facts, truth.stdout)
        if problems:
            what = f"{name} on {where} is not what its spec says"
            raise CommandFailed(what, code="C316", why="; ".join(problems))

    def confirm(self, handover: Handover) -> Program[None]:
        """Memory that follows a lazy restore must have arrived first: until then only the source's copy is whole.
        When that takes very long the move goes on, and `finish` waits for the rest."""
        facts = yield from self._drain(handover, ok=(0, restoring.ON_THEIR_WAY))
        if facts is not None:  # what arrived must outlive a power cut before the source removes its own
            trees = [tree.path for tree in self.located(handover, facts).trees if tree.kind != "images"]
            yield Command(("sync", "-f", "--", *trees), timeout=SYNC_LIMIT, changes=True)
        peer = handover.move.source
        yield from guard.mark(handover.fence, Phase.RUNNING, "owner", run=handover.run, peer=peer)
        yield from self.set_restart(handover, handover.fence, Phase.RUNNING, on=True)

    def _drain(self, handover: Handover, *, ok: tuple[int, ...] = (0,)) -> Program[ContainerFacts | None]:
        facts = yield from self.ours(handover.name, handover.name)
        if facts is not None:
            yield from restoring.drain(handover, self.tasks_of(facts), ok=ok)
        return facts

    def finish(self, handover: Handover) -> Program[None]:
        if (yield from arriving.is_passed_on(handover)):
            return
        facts = yield from self._drain(handover)
        if facts is None:
            return
        yield from config.write(handover.name)
        yield from rooms.free(self.tasks_of(facts), handover.fence, (Phase.RUNNING,))
        yield from guard.clean(handover.name)
