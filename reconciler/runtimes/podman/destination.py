"""The side a workload comes to: stage, restore, verify, confirm, finish, unstage.

Staging makes a container that is restorable without any of its code having run, and without its addresses having
appeared on the network, where they still belong to the source: a network namespace that answers for them before
anything listens in it resets the clients' connections.
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
from reconciler.model.container import RestartPolicy
from reconciler.model.labels import LABEL_SPEC
from reconciler.model.plan import Phase
from reconciler.model.world import ContainerFacts, InstanceState
from reconciler.runtimes.base import Handover, Located
from reconciler.runtimes.oci import verifying
from reconciler.runtimes.podman import containers, folders, health, moving, options, paths, stores


def stage(handover: Handover, *, secrets: Mapping[str, bytes]) -> Program[Located]:
    name, fence = handover.name, handover.fence
    yield from moving.check_restart_switch(handover)
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
        yield from folders.take(handover, arrival.undone)
        yield from containers.store_secrets(name, secrets)
        argv = options.create_argv(
            handover.workload,
            image=image,
            oci_runtime=handover.move.oci_runtime,
            restart=RestartPolicy.NO.value,
            attach=False,
            init_path=(yield from containers.init_path(handover.workload)),
        )
        yield from guard.run(fence, arriving.RESERVED, argv)
        yield from _dry_start(handover)
    facts = yield from _attach(handover)
    yield from rooms.make(handover, containers.tasks_of(facts))
    yield from arriving.be_ready(handover, *(yield from moving.cgroup_config(handover, facts)))
    return moving.located(handover, facts, expected_bytes=arriving.expected(handover))


def _is_staged(handover: Handover, old: ContainerFacts) -> bool:
    """Whether this container is as `stage` leaves it."""
    return (
        old.state is InstanceState.EXITED
        and old.exit_code != 0
        and old.started_at > 0
        and not changed_fields(handover.workload.container, old.labels.get(LABEL_SPEC, ""))
    )


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
    yield from guard.run(fence, arriving.RESERVED, start, ok=(0, 1, 125, 126, 127))
    yield from guard.run(fence, arriving.RESERVED, ("podman", "wait", "--", name))
    yield from guard.run(fence, arriving.RESERVED, ("podman", "container", "cleanup", "--", name))
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
            yield from guard.run(fence, arriving.RESERVED, argv)
        for attachment in attachments:
            yield from guard.run(fence, arriving.RESERVED, options.connect_argv(name, attachment))
    return (yield from moving.save(name))


def _discard(facts: ContainerFacts | None, fence: Fence, phases: arriving.Phases) -> Program[None]:
    assert facts is not None
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
    fence = yield from arriving.fence_here(handover)
    facts = yield from moving.copy_here(name)
    if facts is not None:
        yield from _discard(facts, fence, arriving.UNDONE)
        yield from containers.drop_secrets(name, facts)
    for volume in handover.workload.container.volumes:
        yield from stores.remove_volume(volume.name, fence, handover.run)
    yield from folders.drop(handover, fence, guard.ANY)
    yield from config.write(name)
    yield from moving.forget(name)
    yield from guard.mark(fence, Phase.FENCED, "destination", run=handover.run, peer=handover.move.source)


commit_destination = arriving.commit


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
    if (yield from arriving.is_passed_on(handover)):
        return
    facts = yield from _drain(handover)
    if facts is None:
        return
    yield from config.write(handover.name)
    yield from rooms.free(containers.tasks_of(facts), handover.fence, (Phase.RUNNING,))
    yield from guard.clean(handover.name)
