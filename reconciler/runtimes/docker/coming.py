"""The side a workload comes to: stage, restore, verify, confirm, finish, unstage.

A container that Docker has made and never started is all that a restore needs: it has an ID, a file system that is
not mounted, and addresses that appear nowhere before it starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from reconciler.core.made_from import changed_fields
from reconciler.criu import arriving, config, restoring, rooms
from reconciler.criu.tasks import living, stop_pages_argv
from reconciler.errors import CommandFailed, HostError
from reconciler.guard import guard
from reconciler.model.command import Command, Fence, Program
from reconciler.model.labels import LABEL_SPEC
from reconciler.model.plan import Phase
from reconciler.model.world import ContainerFacts, InstanceState
from reconciler.runtimes.base import Handover, Located
from reconciler.runtimes.docker import containers, health, moving, places, stores
from reconciler.runtimes.oci import verifying


def stage(handover: Handover, secrets: Mapping[str, bytes]) -> Program[Located]:
    name, move, fence = handover.name, handover.move, handover.fence
    image = yield from _image(handover)
    old = yield from containers.ours(name, name)
    names = [volume.name for volume in handover.workload.container.volumes]
    arrival = yield from arriving.take(
        handover,
        old,
        whole=old is not None and _is_staged(handover, old),
        discard=partial(_discard, old, fence),
        volumes=arriving.VolumeRoom(names, stores.check_free, stores.remove_volume),
    )
    if not arrival.again:
        for volume in names:
            yield from stores.create_volume(volume, fence, handover.run)
        restart = containers.NO_RESTART
        yield from containers.make(
            handover.workload, fence, arriving.RESERVED, image=image, restart=restart, secrets=secrets
        )
    facts = yield from moving.save(name)
    if facts is None or facts.state is not InstanceState.CREATED or not facts.upper_dir:
        state = facts.state.value if facts else "gone"
        raise CommandFailed(f"{name} could not be prepared on {move.destination}: it is {state}", code="C313")
    located = moving.located(handover, facts, move.memory_bytes)
    if filled := [tree.path for tree in located.trees if tree.kind == "volume"]:
        yield from guard.run(fence, arriving.RESERVED, places.shell("empty", *filled))
    yield from rooms.make(handover, containers.tasks_of(facts))
    lazy = ("lazy-pages",) if move.follows else ()
    yield from moving.allow_restore(handover, facts.userdata, *lazy)
    yield from config.forbid_restore(name)
    return located


def _is_staged(handover: Handover, old: ContainerFacts) -> bool:
    """Whether this container is as `stage` leaves it."""
    changed = changed_fields(handover.workload.container, old.labels.get(LABEL_SPEC, ""))
    return old.state is InstanceState.CREATED and not changed


def _image(handover: Handover) -> Program[str]:
    """What to call the image here: as in the spec where that is the source's image, else by its ID."""
    spec_name, wanted = handover.workload.container.image, handover.move.image_id
    for known_as in (spec_name, wanted):
        if (yield from stores.image_id(known_as)) == wanted:
            return known_as
    raise HostError(
        f"the image {spec_name} ({wanted[:12]}) is not on {handover.move.destination}",
        code="H214",
        fix="plan again: it is copied from the source",
    )


def _discard(facts: ContainerFacts | None, fence: Fence, phases: arriving.Phases) -> Program[None]:
    assert facts is not None
    # All of it under the fence: a copy that another controller has restored lives on its page daemon and images.
    yield from guard.run(fence, phases, stop_pages_argv(containers.tasks_of(facts)))
    yield from containers.discard(facts, fence, phases)
    if left := (yield from living(containers.tasks_of(facts))):
        raise CommandFailed(f"processes of {facts.name} are left: {', '.join(left)}", code="C314")


def unstage(handover: Handover) -> Program[None]:
    name = handover.name
    fence = yield from arriving.fence_here(handover)
    facts = yield from moving.copy_here(name)
    if facts is not None:
        yield from _discard(facts, fence, arriving.UNDONE)
    for volume in handover.workload.container.volumes:
        yield from stores.remove_volume(volume.name, fence, handover.run)
    yield from config.write(name)
    yield from moving.forget(name)
    yield from guard.mark(fence, Phase.FENCED, "destination", run=handover.run, peer=handover.move.source)


commit = arriving.commit


def restore(handover: Handover) -> Program[None]:
    staged = handover.staged
    if staged is None:
        facts = yield from moving.saved(handover.name)
        if facts is None:
            raise CommandFailed(f"{handover.name} was not staged on {handover.move.destination}", code="C313")
        staged = moving.located(handover, facts)
    lazy = yield from restoring.arrived(handover, places.tasks(moving.home_of(staged)))
    yield from moving.restore(handover, handover.fence, Phase.COMMITTED, staged, lazy=lazy)


def verify(handover: Handover) -> Program[None]:
    name, where = handover.name, handover.move.destination
    facts = yield from moving.copy_here(name)
    if facts is None or facts.state is not InstanceState.RUNNING or facts.name != name:
        if facts is not None and facts.state is InstanceState.EXITED:
            raise (yield from health.ended(facts))
        state = "gone" if facts is None else facts.state.value
        if facts is not None and facts.name != name:
            state = f"{state} there under the name {facts.name}, which somebody gave it"
        raise CommandFailed(f"{name} does not run on {where}: it is {state}", code="C315")
    config_file = (yield Command(places.shell("config", facts.id))).stdout.strip()
    argv = verifying.truth_argv(facts.pid, config_file, f"{facts.userdata}/unlike", handover.workload)
    truth = yield Command(argv, secret=True)
    problems = verifying.problems(handover.workload, handover.move.image_id, facts, truth.stdout)
    if problems:
        what = f"{name} on {where} is not what its spec says"
        raise CommandFailed(what, code="C316", why="; ".join(problems))


def confirm(handover: Handover) -> Program[None]:
    """Memory that follows a lazy restore must have arrived first: until then only the source's copy is whole. When
    that takes very long the move goes on, and `finish` waits for the rest."""
    facts = yield from containers.ours(handover.name, handover.name)
    if facts is not None:
        yield from restoring.drain(handover, containers.tasks_of(facts), ok=(0, restoring.ON_THEIR_WAY))
        folders = [tree.path for tree in moving.located(handover, facts).trees if tree.kind != "images"]
        yield Command(("sync", "-f", "--", *folders), timeout=stores.SYNC_LIMIT, changes=True)
    yield from guard.mark(handover.fence, Phase.RUNNING, "owner", run=handover.run, peer=handover.move.source)
    if facts is not None:
        yield from containers.switch_restart(facts, handover.fence, (Phase.RUNNING,), on=True)


def finish(handover: Handover) -> Program[None]:
    name = handover.name
    if (yield from arriving.is_passed_on(handover)):
        return
    facts = yield from containers.ours(name, name)
    if facts is None:
        return
    yield from restoring.drain(handover, containers.tasks_of(facts))
    yield from config.write(name)
    yield from rooms.free(containers.tasks_of(facts), handover.fence, (Phase.RUNNING,))
    yield from guard.clean(name)
