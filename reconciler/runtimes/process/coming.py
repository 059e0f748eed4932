"""The side a tree comes to: stage, restore, verify, confirm, finish, unstage; and making sure that no copy
runs."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.core.made_from import changed_fields
from reconciler.criu import config, restoring, rooms, standing
from reconciler.criu.tasks import living, spoke, stop_pages_argv
from reconciler.errors import CommandFailed, GuardRefused, Refused
from reconciler.guard import guard
from reconciler.model.command import Command, Fence, Program
from reconciler.model.labels import LABEL_SPEC
from reconciler.model.plan import Phase
from reconciler.model.spec import Strategy
from reconciler.model.world import InstanceState, Marker, TreeFacts
from reconciler.runtimes.base import Alive, Handover, Located
from reconciler.runtimes.process import leaving, lifecycle, observing, places, settings, stores, verifying

_RESERVED = (Phase.RESERVED,)
_UNDONE = (guard.NONE, Phase.RESERVED, Phase.FENCED, Phase.RETIRED)


def stage(handover: Handover, secrets: Mapping[str, bytes]) -> Program[Located]:
    name, move, fence = handover.name, handover.move, handover.fence
    spec = settings.process_of(handover.workload)
    old = yield from observing.tree(name)
    if old is not None and old.state.has_processes:
        raise Refused(f"a copy of {name} runs on {move.destination} already", code="P439", fix="plan again")
    marker = yield from _marker(name)
    again = _staged_before(handover, old, marker)
    if not again:
        if old is not None:
            yield from _discard(old, fence, (*lifecycle.SETTLED, Phase.RESERVED))
        yield from _make_way(handover, marker)
    yield from guard.mark(fence, Phase.RESERVED, "destination", run=handover.run, peer=move.source)
    if again and old is not None:
        tree_id = old.id
    else:
        for volume in spec.volumes:
            yield from stores.create_volume(volume.name, fence, handover.run)
        tree_id = yield from lifecycle.make(handover.workload, fence, _RESERVED, secrets)
    yield from guard.run(fence, _RESERVED, places.shell("stage", places.home(name)))
    yield from rooms.make(handover, places.tasks(name, tree_id))
    lazy = ("lazy-pages",) if move.follows else ()
    yield from config.allow_restore(name, *lazy, *(yield from config.for_restore(handover)))
    yield from config.forbid_restore(name)
    expected = 0 if move.strategy is Strategy.PRECOPY else move.memory_bytes
    return leaving.located(handover, tree_id, expected)


def _make_way(handover: Handover, marker: Marker | None) -> Program[None]:
    """Volumes that a hand-over has left here which was undone are void, and go. Any other with data of its own is
    a refusal, before this host is told of the hand-over."""
    left = marker and marker.role == "destination" and marker.phase in (Phase.FENCED, Phase.RESERVED)
    undone = marker.run if marker and left else ""
    for volume in settings.process_of(handover.workload).volumes:
        if undone:
            yield from stores.remove_volume(volume.name, handover.fence, undone)
        yield from stores.check_free(volume.name, handover.fence, handover.run)


def _staged_before(handover: Handover, old: TreeFacts | None, marker: Marker | None) -> bool:
    """Whether this is what an earlier `stage` of the same move made, whose reply was lost."""
    return (
        old is not None
        and marker is not None
        and (marker.epoch, marker.phase, marker.role) == (handover.fence.epoch, Phase.RESERVED, "destination")
        and old.state is InstanceState.CREATED
        and not changed_fields(settings.process_of(handover.workload), old.labels.get(LABEL_SPEC, ""))
    )


def _marker(name: str) -> Program[Marker | None]:
    shown = yield from guard.show(name)
    return shown[0].marker if shown else None


def _discard(facts: TreeFacts, fence: Fence, phases: tuple[Phase | str, ...]) -> Program[None]:
    # All of it under the fence: a copy that another controller has restored lives on its page daemon and images.
    tasks = places.tasks(facts.name, facts.id)
    for argv in (stop_pages_argv(tasks), rooms.free_argv(tasks)):
        yield from guard.run(fence, phases, argv)
    yield from lifecycle.end(facts.name, fence, phases, remove=True)


def unstage(handover: Handover) -> Program[None]:
    name, fence = handover.name, handover.fence
    marker = yield from _marker(name)
    if marker is not None and marker.phase == Phase.FENCED and marker.epoch > fence.epoch:
        fence = Fence(name, marker.epoch)
    facts = yield from observing.tree(name)
    if facts is not None:
        yield from _discard(facts, fence, _UNDONE)
    for volume in settings.process_of(handover.workload).volumes:
        yield from stores.remove_volume(volume.name, fence, handover.run)
    yield from config.write(name)
    yield from config.forget(name)
    yield from guard.mark(fence, Phase.FENCED, "destination", run=handover.run, peer=handover.move.source)


def commit(handover: Handover) -> Program[None]:
    """Clients wait: nothing is asked before the guard has refused."""
    try:
        yield from guard.mark(
            handover.fence, Phase.COMMITTED, "destination", run=handover.run, peer=handover.move.source
        )
    except GuardRefused:
        marker = yield from _marker(handover.name)
        if marker is None or (marker.epoch, marker.phase) != (handover.fence.epoch, Phase.RUNNING):
            raise


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
    problems = verifying.problems(settings.process_of(handover.workload), facts, truth.stdout)
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
        yield Command(("sync", "-f", "--", *folders), timeout=stores.SYNC_LIMIT, changes=True)
    yield from guard.mark(handover.fence, Phase.RUNNING, "owner", run=handover.run, peer=handover.move.source)


def finish(handover: Handover) -> Program[None]:
    name = handover.name
    marker = yield from _marker(name)
    if marker is not None and marker.epoch > handover.fence.epoch:
        return  # a later hand-over has it by now, and what is here is that one's
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
