"""The side a workload comes to: stage, restore, verify, confirm, finish, unstage.

Staging makes a container that is restorable without any of its code having run, and without its addresses having
appeared on the network, where they still belong to the source: a network namespace that answers for them before
anything listens in it resets the clients' connections.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.core.made_from import changed_fields
from reconciler.criu import config, restoring, rooms
from reconciler.criu.tasks import living, stop_pages_argv
from reconciler.errors import CommandFailed, GuardRefused, HostError, Refused
from reconciler.guard import guard
from reconciler.model.command import Command, Fence, Program
from reconciler.model.container import RestartPolicy
from reconciler.model.labels import LABEL_SPEC
from reconciler.model.plan import Phase
from reconciler.model.spec import Strategy
from reconciler.model.world import ContainerFacts, InstanceState, Marker
from reconciler.runtimes.base import Handover, Located
from reconciler.runtimes.oci import verifying
from reconciler.runtimes.podman import containers, folders, health, moving, options, paths, stores

_RESERVED = (Phase.RESERVED,)


def stage(handover: Handover, *, secrets: Mapping[str, bytes]) -> Program[Located]:
    name, move, fence = handover.name, handover.move, handover.fence
    yield from moving.check_restart_switch(handover)
    image = yield from _image(handover)
    old = yield from containers.ours(name, name)
    if old is not None and old.state.has_processes:
        raise Refused(f"a copy of {name} runs on {move.destination} already", code="P439", fix="plan again")
    marker = yield from _marker(handover)
    again = _staged_before(handover, old, marker)
    if not again:
        if old is not None:
            yield from _discard(old, fence, (*containers.SETTLED, Phase.RESERVED))
        yield from _make_way(handover, marker)
    yield from guard.mark(fence, Phase.RESERVED, "destination", run=handover.run, peer=move.source)
    if not again:
        for volume in handover.workload.container.volumes:
            yield from stores.create_volume(volume.name, fence, handover.run)
        yield from folders.take(handover, _undone(marker))
        yield from containers.store_secrets(name, secrets)
        argv = options.create_argv(
            handover.workload,
            image=image,
            oci_runtime=move.oci_runtime,
            restart=RestartPolicy.NO.value,
            attach=False,
            init_path=(yield from containers.init_path(handover.workload)),
        )
        yield from guard.run(fence, _RESERVED, argv)
        yield from _dry_start(handover)
    facts = yield from _attach(handover)
    yield from rooms.make(handover, containers.tasks_of(facts))
    lazy = ("lazy-pages",) if move.follows else ()
    cgroup = yield from moving.cgroup_config(handover, facts)
    yield from config.allow_restore(name, *lazy, *(yield from config.for_restore(handover)), *cgroup)
    yield from config.forbid_restore(name)
    ahead = 0 if move.strategy is Strategy.PRECOPY else move.memory_bytes
    return moving.located(handover, facts, expected_bytes=ahead)


def _make_way(handover: Handover, marker: Marker | None) -> Program[None]:
    """Volumes that a hand-over has left here which was undone are void, and go. Any other with data of its own is
    a refusal, before this host is told of the hand-over."""
    undone = _undone(marker)
    for volume in handover.workload.container.volumes:
        if undone:
            yield from stores.remove_volume(volume.name, handover.fence, undone)
        yield from stores.check_free(volume.name, handover.fence, handover.run)


def _undone(marker: Marker | None) -> str:
    """The run of a hand-over to this host that was put back; empty when there was none."""
    left = marker and marker.role == "destination" and marker.phase in (Phase.FENCED, Phase.RESERVED)
    return marker.run if marker and left else ""


def _staged_before(handover: Handover, old: ContainerFacts | None, marker: Marker | None) -> bool:
    """Whether this container is what an earlier `stage` of the same move made, whose reply was lost."""
    return (
        old is not None
        and marker is not None
        and (marker.epoch, marker.phase, marker.role) == (handover.fence.epoch, Phase.RESERVED, "destination")
        and old.state is InstanceState.EXITED
        and old.exit_code != 0
        and old.started_at > 0
        and not changed_fields(handover.workload.container, old.labels.get(LABEL_SPEC, ""))
    )


def _marker(handover: Handover) -> Program[Marker | None]:
    shown = yield from guard.show(handover.name)
    return shown[0].marker if shown else None


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


def _dry_start(handover: Handover) -> Program[None]:
    """Start it with a hook that ends it right before its first instruction.

    That leaves what a restore needs (an OCI config and a start time, which Podman otherwise never sets) in a
    container that has exited. Only this one Podman command sees the hook.
    """
    name, fence = handover.name, handover.fence
    start = ("podman", f"--hooks-dir={paths.DRY_START_HOOKS}", "start", "--", name)
    yield from guard.run(fence, _RESERVED, start, ok=(0, 1, 125, 126, 127))
    yield from guard.run(fence, _RESERVED, ("podman", "wait", "--", name))
    yield from guard.run(fence, _RESERVED, ("podman", "container", "cleanup", "--", name))
    facts = yield from containers.inspect(name)
    if facts is None or facts.state is not InstanceState.EXITED or facts.exit_code == 0 or not facts.started_at:
        raise CommandFailed(
            f"{name} could not be prepared on {handover.move.destination}",
            code="C313",
            why=f"after the dry start it is {facts.state.value if facts else 'gone'}",
        )
    mounted = yield Command(("grep", "-F", f"upperdir={facts.upper_dir},", "/proc/mounts"), ok=(0, 1))
    if mounted.status == 0:
        raise CommandFailed(f"the file system of {name} is still mounted", code="C313")


def _attach(handover: Handover) -> Program[ContainerFacts]:
    """Give it its networks. It does not run, so nothing appears on them before the restore."""
    name, fence = handover.name, handover.fence
    attachments = handover.workload.container.networks
    if attachments:
        # All anew, in the spec's order: that numbers the interfaces as on the source.
        facts = yield from containers.inspect(name)
        for present in facts.networks if facts else ():
            argv = ("podman", "network", "disconnect", "--", present.name, name)
            yield from guard.run(fence, _RESERVED, argv)
        for attachment in attachments:
            yield from guard.run(fence, _RESERVED, options.connect_argv(name, attachment))
    return (yield from moving.save(name))


def _discard(facts: ContainerFacts, fence: Fence, phases: tuple[Phase | str, ...]) -> Program[None]:
    # All of it under the fence: a copy that another controller has restored lives on its page daemon and images.
    for argv in (
        stop_pages_argv(containers.tasks_of(facts)),
        rooms.free_argv(containers.tasks_of(facts)),
        ("podman", "rm", "--force", "--volumes", "--", facts.id),
    ):
        yield from guard.run(fence, phases, argv)
    if left := (yield from living(containers.tasks_of(facts))):
        raise CommandFailed(f"processes of {facts.name} are left: {', '.join(left)}", code="C314")


def unstage(handover: Handover) -> Program[None]:
    name = handover.name
    fence = yield from _fence_here(handover)
    facts = yield from moving.copy_here(name)
    if facts is not None:
        yield from _discard(facts, fence, (guard.NONE, Phase.RESERVED, Phase.FENCED, Phase.RETIRED))
        yield from containers.drop_secrets(name, facts)
    for volume in handover.workload.container.volumes:
        yield from stores.remove_volume(volume.name, fence, handover.run)
    yield from folders.drop(handover, fence, guard.ANY)
    yield from config.write(name)
    yield from moving.forget(name)
    yield from guard.mark(fence, Phase.FENCED, "destination", run=handover.run, peer=handover.move.source)


def _fence_here(handover: Handover) -> Program[Fence]:
    """The move's epoch, or the higher one this host was fenced with."""
    marker = yield from _marker(handover)
    if marker is not None and marker.phase == Phase.FENCED and marker.epoch > handover.fence.epoch:
        return Fence(handover.name, marker.epoch)
    return handover.fence


def commit_destination(handover: Handover) -> Program[None]:
    """Clients wait: nothing is asked before the guard has refused."""
    try:
        yield from guard.mark(
            handover.fence, Phase.COMMITTED, "destination", run=handover.run, peer=handover.move.source
        )
    except GuardRefused:
        marker = yield from _marker(handover)
        if marker is None or (marker.epoch, marker.phase) != (handover.fence.epoch, Phase.RUNNING):
            raise


def restore(handover: Handover) -> Program[None]:
    staged = handover.staged
    if staged is None:
        facts = yield from moving.saved(handover.name)
        if facts is None:
            raise CommandFailed(f"{handover.name} was not staged on {handover.move.destination}", code="C313")
        staged = moving.located(handover, facts)
    tasks = containers.tasks(staged.container_id, moving.home_of(staged))
    lazy = yield from restoring.arrived(handover, tasks)
    yield from moving.restore(handover, handover.fence, Phase.COMMITTED, staged, lazy=lazy)


def verify(handover: Handover) -> Program[None]:
    facts = yield from moving.copy_here(handover.name)
    if facts is None or facts.state is not InstanceState.RUNNING or facts.name != handover.name:
        if facts is not None and facts.state is InstanceState.EXITED:
            raise (yield from health.ended(facts))
        state = "gone" if facts is None else facts.state.value
        if facts is not None and facts.name != handover.name:
            state = f"{state} there under the name {facts.name}, which somebody gave it"
        raise CommandFailed(
            f"{handover.name} does not run on {handover.move.destination}: it is {state}", code="C315"
        )
    home = facts.userdata
    argv = verifying.truth_argv(facts.pid, f"{home}/config.json", f"{home}/unlike", handover.workload)
    truth = yield Command(argv, secret=True)
    problems = verifying.problems(handover.workload, handover.move.image_id, facts, truth.stdout)
    if problems:
        raise CommandFailed(
            f"{handover.name} on {handover.move.destination} is not what its spec says",
            code="C316",
            why="; ".join(problems),
        )


def confirm(handover: Handover) -> Program[None]:
    """Memory that follows a lazy restore must have arrived first: until then only the source's copy is whole. When
    that takes very long the move goes on, and `finish` waits for the rest."""
    yield from _drain(handover, ok=(0, restoring.ON_THEIR_WAY))
    yield from _on_disk(handover)
    yield from guard.mark(handover.fence, Phase.RUNNING, "owner", run=handover.run, peer=handover.move.source)
    yield from moving.set_restart(handover, handover.fence, (Phase.RUNNING,), on=True)


def _drain(handover: Handover, *, ok: tuple[int, ...] = (0,)) -> Program[ContainerFacts | None]:
    facts = yield from containers.ours(handover.name, handover.name)
    if facts is not None:
        yield from restoring.drain(handover, containers.tasks_of(facts), ok=ok)
    return facts


def _on_disk(handover: Handover) -> Program[None]:
    """What arrived must outlive a power cut before the source removes its own."""
    facts = yield from moving.saved(handover.name)
    if facts is not None:
        trees = [tree.path for tree in moving.located(handover, facts).trees if tree.kind != "images"]
        yield Command(("sync", "-f", "--", *trees), timeout=stores.SYNC_LIMIT, changes=True)


def finish(handover: Handover) -> Program[None]:
    marker = yield from _marker(handover)
    if marker is not None and marker.epoch > handover.fence.epoch:
        return  # a later hand-over has it by now, and what is here is that one's
    facts = yield from _drain(handover)
    if facts is None:
        return
    yield from config.write(handover.name)
    yield from rooms.free(containers.tasks_of(facts), handover.fence, (Phase.RUNNING,))
    yield from guard.clean(handover.name)
