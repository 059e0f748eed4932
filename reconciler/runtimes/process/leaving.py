"""The side a tree leaves: locate, hold, resume, commit, retire."""

from __future__ import annotations

from dataclasses import replace

from reconciler.criu import config, folders, holding, restoring, rooms
from reconciler.criu.tasks import config_file
from reconciler.errors import CommandFailed, Refused
from reconciler.guard import guard
from reconciler.model.command import Bytes, Fence, Program, Tree
from reconciler.model.container import RestartPolicy
from reconciler.model.plan import Phase
from reconciler.model.spec import TcpHandling
from reconciler.model.world import InstanceState, TreeFacts
from reconciler.runtimes.base import Handover, Held, Located
from reconciler.runtimes.process import attaching, lifecycle, observing, places, settings, stores

_HOLDING = ("starting", "held")


def located(handover: Handover, tree_id: str, expected_bytes: Bytes = 0) -> Located:
    """Where its state is: images, its own folder (output, how it ended), and volumes by where they are mounted."""
    home = places.home(handover.name)
    volumes = sorted(settings.process_of(handover.workload).volumes, key=lambda volume: volume.target)
    trees = (
        Tree("images", places.tasks(handover.name, tree_id).images, expected_bytes=expected_bytes),
        Tree("rootfs", f"{home}/own"),
        *((Tree("volume", f"{home}/carried", name="files"),) if handover.move.carried else ()),
        *(Tree("volume", places.volume_data(v.name), name=v.target) for v in volumes),
        *(Tree("volume", mount.source, name=mount.target) for mount in folders.of(handover)),
    )
    return Located(tree_id, trees)


def locate(handover: Handover) -> Program[Located]:
    name, spec = handover.name, settings.process_of(handover.workload)
    facts = yield from observing.tree(name)
    if facts is not None and facts.id == handover.move.container_id and (yield from _hook_state(name)) in _HOLDING:
        return located(handover, facts.id)
    if facts is None or facts.state is not InstanceState.RUNNING:
        what = f"it is {facts.state.value if facts else 'not there'} on {handover.move.source}"
        raise Refused(f"{name} cannot move: {what}", code="P436", fix="plan again")
    if facts.id != handover.move.container_id:
        raise Refused(f"{name} was made anew since the plan", code="P437", fix="plan again")
    if spec.host_network and handover.policy.tcp is TcpHandling.ESTABLISHED:
        raise Refused(
            f"{name} shares its host's network, so its connections cannot move along",
            code="P448",
            fix="give it `networks`, or move it with a policy that has tcp: close",
        )
    if spec.attach:
        attaching.check(handover, spec.attach)
    yield from guard.mark(
        handover.fence, Phase.RESERVED, "source", run=handover.run, peer=handover.move.destination
    )
    yield from folders.own(handover)
    if handover.move.carried:
        argv = places.shell("carry", places.home(name), *handover.move.carried)
        yield from guard.run(handover.fence, (Phase.RESERVED,), argv)
    tasks = places.tasks(name, facts.id)
    yield from rooms.make(handover, tasks)
    if spec.attach:
        yield from attaching.note_addresses(name, spec.attach)
    # What is kept from sockets in the host's own network is kept by taking their addresses away (hook.sh).
    yield from config.for_dump(handover, tasks, *(("network-lock skip",) if spec.attach else ()))
    return located(handover, facts.id)


def hold(handover: Handover) -> Program[Held]:
    name, spec = handover.name, settings.process_of(handover.workload)

    def lives_on() -> Program[str]:
        now = yield from observing.tree(name)
        if now is not None and now.state is InstanceState.RUNNING:
            return ""
        return now.state.value if now else "it is gone"

    options = (*restoring.options(handover), *settings.dump_options(name, spec))
    argv = places.shell("dump", places.home(name), config_file(name), *options)
    tasks = places.tasks(name, handover.move.container_id)
    return (yield from holding.hold(handover, tasks, argv, lives_on=lives_on))


def restore(handover: Handover, fence: Fence, phase: Phase, tree_id: str, *, lazy: str = "") -> Program[None]:
    """Restore it here from its images; `lazy`: the folder from which memory follows."""
    name, spec = handover.name, settings.process_of(handover.workload)
    options = (*restoring.options(handover), *settings.restore_options(name, spec))
    command = places.shell("restore", places.home(name), config_file(name), *options)

    def runs() -> Program[bool]:
        now = yield from observing.tree(name)
        return now is not None and now.id == tree_id and now.state.has_processes

    addresses = [network.ip for network in spec.networks if network.ip] or list(filter(None, [spec.address]))
    tasks = places.tasks(name, tree_id)
    yield from restoring.restore(handover, fence, phase, tasks, command, addresses=addresses, runs=runs, lazy=lazy)


def resume(handover: Handover, fence: Fence) -> Program[str]:
    name, source = handover.name, handover.move.source
    outcome = yield from guard.resume(fence, run=handover.run)
    facts = yield from observing.tree(name)
    if facts is None and outcome.what == "gone":
        raise CommandFailed(f"{name} cannot resume: it is gone", code="C311")
    if facts is None:
        yield from config.forget(name)
        yield from guard.clean(name)
        return f"somebody removed it on {source} while it was held"
    told = ""
    if outcome.what == "gone":
        yield from _from_images(handover, fence, facts)
    elif not facts.state.has_processes:
        told = yield from _ended(handover, fence, facts)
    yield from config.write(name)
    now = yield from observing.tree(name)
    if now is not None and now.state is InstanceState.PAUSED:
        told = f"somebody paused it on {source}"
    elif now is None or not (told or now.state is InstanceState.RUNNING):
        raise CommandFailed(f"{name} does not run after it was told to resume", code="C311")
    yield from rooms.free(places.tasks(name, now.id), fence, (Phase.RUNNING,))
    yield from config.forget(name)
    yield from guard.clean(name)
    return told


def _from_images(handover: Handover, fence: Fence, facts: TreeFacts) -> Program[None]:
    """Nothing frozen is left: its images are the way back."""
    name = handover.name
    if not facts.state.has_processes:
        if (yield from config.hangs_up(name)):
            handover = replace(handover, policy=handover.policy.model_copy(update={"tcp": TcpHandling.CLOSE}))
        yield from config.allow_restore(name, *(yield from config.for_restore(handover)))
        yield from restore(handover, fence, Phase.HELD, facts.id)
    yield from guard.mark(fence, Phase.RUNNING, "owner", run=handover.run)


def _ended(handover: Handover, fence: Fence, facts: TreeFacts) -> Program[str]:
    """The whole tree ended by itself while it was moved: do what its restart policy says."""
    told = f"it ended by itself on {handover.move.source} while it was held (exit code {facts.exit_code})"
    policy = settings.process_of(handover.workload).restart
    if policy is RestartPolicy.NO or (policy is RestartPolicy.ON_FAILURE and facts.exit_code == 0):
        return told
    yield from lifecycle.run(handover.name, fence, (Phase.RUNNING,))
    return f"{told} and was started again, as its restart policy says"


def retire(handover: Handover) -> Program[None]:
    name, peer = handover.name, handover.move.destination
    attach = settings.process_of(handover.workload).attach
    if not (yield from holding.let_go(handover)):
        return
    facts = yield from observing.tree(name)
    if facts is not None:
        phases = (Phase.COMMITTED, Phase.FENCED)
        yield from guard.run(handover.fence, phases, rooms.free_argv(places.tasks(name, facts.id)))
        if attach:
            yield from attaching.hide_pid(name, attach, handover.fence, phases)
        yield from lifecycle.end(name, handover.fence, phases, remove=True)
    for volume in settings.process_of(handover.workload).volumes:
        yield from stores.VOLUMES.drop_volume(volume.name, handover.fence)
    yield from folders.drop(handover, handover.fence, (Phase.COMMITTED, Phase.FENCED))
    yield from config.forget(name)
    yield from guard.mark(handover.fence, Phase.RETIRED, "source", run=handover.run, peer=peer)
    yield from guard.clean(name)


def _hook_state(workload: str) -> Program[str]:
    shown = yield from guard.show(workload)
    return shown[0].hook.state if shown else guard.NONE
