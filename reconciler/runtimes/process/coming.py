"""The side a tree comes to: stage, restore, verify, confirm, finish, unstage; and making sure that no copy
runs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from reconciler.core.made_from import changed_fields
from reconciler.criu import arriving, config, folders, restoring, rooms, standing
from reconciler.criu.tasks import living, spoke, stop_pages_argv
from reconciler.errors import CommandFailed
from reconciler.guard import guard
from reconciler.model.command import Command, Fence, Program
from reconciler.model.labels import LABEL_SPEC
from reconciler.model.plan import Phase
from reconciler.model.world import InstanceState, TreeFacts
from reconciler.runtimes.base import Alive, Handover, Located
from reconciler.runtimes.process import (
    attaching,
    leaving,
    lifecycle,
    observing,
    places,
    settings,
    stores,
    verifying,
)
from reconciler.runtimes.volumes import SYNC_LIMIT


def stage(handover: Handover, *, secrets: Mapping[str, bytes]) -> Program[Located]:
    name, fence = handover.name, handover.fence
    spec = settings.process_of(handover.workload)
    old = yield from observing.tree(name)
    names = [volume.name for volume in spec.volumes]
    arrival = yield from arriving.take(
        handover,
        old,
        whole=old is not None and _is_staged(handover, old),
        discard=partial(_discard, old, fence),
        volumes=arriving.VolumeRoom(names, stores.VOLUMES.check_free, stores.VOLUMES.remove_volume),
    )
    if arrival.again and old is not None:
        tree_id = old.id
    else:
        for volume in names:
            yield from stores.VOLUMES.create_volume(volume, fence, handover.run)
        yield from folders.take(handover, arrival.undone)
        tree_id = yield from lifecycle.make(handover.workload, fence, arriving.RESERVED, secrets)
    argv = places.shell("stage", places.home(name), *handover.move.carried)
    yield from guard.run(fence, arriving.RESERVED, argv)
    yield from rooms.make(handover, places.tasks(name, tree_id))
    yield from arriving.be_ready(handover)
    return leaving.located(handover, tree_id, arriving.expected(handover))


def _is_staged(handover: Handover, old: TreeFacts) -> bool:
    """Whether this tree is as `stage` leaves it."""
    wanted = settings.process_of(handover.workload)
    return old.state is InstanceState.CREATED and not changed_fields(wanted, old.labels.get(LABEL_SPEC, ""))


def _discard(facts: TreeFacts | None, fence: Fence, phases: arriving.Phases) -> Program[None]:
    assert facts is not None
    # All of it under the fence: a copy that another controller has restored lives on its page daemon and images.
    tasks = places.tasks(facts.name, facts.id)
    for argv in (stop_pages_argv(tasks), rooms.free_argv(tasks)):
        yield from guard.run(fence, phases, argv)
    yield from lifecycle.end(facts.name, fence, phases, remove=True)


def unstage(handover: Handover) -> Program[None]:
    name = handover.name
    fence = yield from arriving.fence_here(handover)
    facts = yield from observing.tree(name)
    if facts is not None:
        yield from _discard(facts, fence, arriving.UNDONE)
    for volume in settings.process_of(handover.workload).volumes:
        yield from stores.VOLUMES.remove_volume(volume.name, fence, handover.run)
    yield from folders.drop(handover, fence, guard.ANY)
    yield from config.write(name)
    yield from config.forget(name)
    yield from guard.mark(fence, Phase.FENCED, "destination", run=handover.run, peer=handover.move.source)


def restore(handover: Handover) -> Program[None]:
    if handover.staged is not None:
        tree_id = handover.staged.container_id
    else:
        facts = yield from observing.tree(handover.name)
        if facts is None:
            raise CommandFailed(f"{handover.name} was not staged on {handover.move.destination}", code="C313")
        tree_id = facts.id
    lazy = yield from restoring.arrived(handover, places.tasks(handover.name, tree_id))
    yield from leaving.restore(handover, handover.fence, Phase.COMMITTED, tree_id, lazy=lazy)


def verify(handover: Handover) -> Program[None]:
    name = handover.name
    facts = yield from observing.tree(name)
    if facts is None or facts.state is not InstanceState.RUNNING:
        if facts is not None and facts.state is InstanceState.EXITED:
            raise (yield from lifecycle.ended(facts))
        state = facts.state.value if facts else "gone"
        raise CommandFailed(f"{name} does not run on {handover.move.destination}: it is {state}", code="C315")
    truth = yield Command(places.shell("truth", places.home(name)))
    problems = verifying.problems(
        settings.process_of(handover.workload), facts, truth.stdout, handover.move.carried
    )
    if problems:
        what = f"{name} on {handover.move.destination} is not what its spec says"
        raise CommandFailed(what, code="C316", why="; ".join(problems))


def confirm(handover: Handover) -> Program[None]:
    """Memory that follows a lazy restore must have arrived first: until then only the source's copy is whole."""
    facts = yield from observing.tree(handover.name)
    if facts is not None:
        tasks = places.tasks(handover.name, facts.id)
        yield from restoring.drain(handover, tasks, ok=(0, restoring.ON_THEIR_WAY))
        folders = [tree.path for tree in leaving.located(handover, facts.id).trees if tree.kind != "images"]
        yield Command(("sync", "-f", "--", *folders), timeout=SYNC_LIMIT, changes=True)
    yield from guard.mark(handover.fence, Phase.RUNNING, "owner", run=handover.run, peer=handover.move.source)
    if attach := settings.process_of(handover.workload).attach:
        yield from attaching.show_pid(handover.name, attach, handover.fence, (Phase.RUNNING,))


def finish(handover: Handover) -> Program[None]:
    name = handover.name
    if (yield from arriving.is_passed_on(handover)):
        return
    facts = yield from observing.tree(name)
    if facts is None:
        return
    tasks = places.tasks(name, facts.id)
    yield from restoring.drain(handover, tasks)
    yield from config.write(name)
    yield from rooms.free(tasks, handover.fence, (Phase.RUNNING,))
    yield from guard.clean(name)


def alive(workload: str) -> Program[Alive]:
    if (known := (yield from standing.by_hook(workload))) is not None:
        return known
    facts = yield from observing.tree(workload)
    if facts is None:
        return Alive(exists=False, running=False, detail="no tree of processes")
    images = yield Command(("test", "-s", f"{places.tasks(workload, facts.id).images}/inventory.img"), ok=(0, 1))
    return Alive(
        exists=True,
        running=facts.state.has_processes,
        restorable=images.status == 0,
        pid=facts.pid,
        detail=facts.state.value,
    )


def fence_off(handover: Handover, epoch: int) -> Program[bool]:
    name, fence, move = handover.name, Fence(handover.name, epoch), handover.move
    if (yield from standing.raise_fence(handover, fence)):
        return False
    facts = yield from observing.tree(name)
    if facts is None:
        return True  # somebody has removed it: nobody knows what it did before
    tasks = places.tasks(name, facts.id)
    # Its address first: what clients had there is told them by the source, and not by the end of these tasks.
    yield from lifecycle.end(name, fence, (Phase.FENCED,))
    yield from guard.run(fence, (Phase.FENCED,), stop_pages_argv(tasks))
    if left := (yield from living(tasks)):
        raise CommandFailed(
            f"a copy of {name} still runs on {move.destination}", code="C317", why=f"processes: {', '.join(left)}"
        )
    return (yield from spoke(tasks, places.made_file(name)))
