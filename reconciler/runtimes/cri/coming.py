"""The side a pod comes to: stage, restore, verify, confirm, finish, unstage; and making sure that no copy runs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from reconciler.core.made_from import changed_fields
from reconciler.criu import arriving, config, folders, rooms, standing
from reconciler.criu import restoring as criu_restoring
from reconciler.criu.tasks import Tasks, end_argv, living, spoke, stop_pages_argv
from reconciler.errors import CommandFailed, HostError, ReplyLost
from reconciler.guard import guard
from reconciler.model.command import Command, Fence, Program
from reconciler.model.labels import LABEL_SPEC
from reconciler.model.plan import Phase
from reconciler.model.world import ContainerFacts, InstanceState
from reconciler.runtimes.base import Alive, Handover, Located
from reconciler.runtimes.cri import calls, copies, images, leaving, lifecycle, networks, restoring
from reconciler.runtimes.cri.looking import OwnPod
from reconciler.runtimes.oci import verifying
from reconciler.runtimes.volumes import SYNC_LIMIT

_FENCED = (Phase.FENCED,)
_BUNDLES = "/run/containerd/io.containerd.runtime.v2.task/k8s.io"


def stage(handover: Handover, *, secrets: object) -> Program[Located]:
    """`secrets`: of which CRI takes none."""
    name, fence = handover.name, handover.fence
    yield from _has_image(handover)
    pods = yield from copies.others(name)
    old = next((pod for pod in pods if pod.runs), pods[0] if pods else None)
    facts = old.facts if old is not None else None
    arrival = yield from arriving.take(
        handover,
        facts,
        whole=old is not None and facts is not None and _is_staged(handover, old, facts),
        discard=partial(_discard, pods, fence),
        volumes=arriving.VolumeRoom((), _is_free, _nothing),
    )
    if arrival.again and facts is not None:
        facts = yield from restoring.made(handover)
    else:
        yield from copies.forget(name)
        yield from folders.take(handover, arrival.undone)
        facts = yield from restoring.make(handover, fence, arriving.RESERVED)
    facts = (yield from copies.save(name)) or facts
    yield calls.room(facts.userdata)
    yield from rooms.make(handover, copies.tasks(facts))
    lazy = ("lazy-pages",) if handover.move.follows else ()
    yield from restoring.be_ready(handover, fence, copies.tasks(facts), *lazy)
    return leaving.located(handover, facts, handover.move.memory_bytes)


def _is_free(_name: str, _fence: Fence, _run: str) -> Program[bool]:
    yield from ()
    return True


def _nothing(_name: str, _fence: Fence, _run: str) -> Program[None]:
    yield from ()


def _is_staged(handover: Handover, pod: OwnPod, facts: ContainerFacts) -> bool:
    """Whether it is as `stage` leaves it."""
    made = pod.ready and pod.container is not None and facts.state is InstanceState.CREATED
    return made and not changed_fields(handover.workload.container, facts.labels.get(LABEL_SPEC, ""))


def _has_image(handover: Handover) -> Program[None]:
    wanted = handover.move.image_id
    if (yield from images.image_id(wanted)) != wanted:
        raise HostError(
            f"the image {handover.workload.container.image} ({wanted[:12]}) is not on {handover.move.destination}",
            code="H214",
            fix="plan again: it is copied from the source",
        )


def _discard(pods: Sequence[OwnPod], fence: Fence, phases: arriving.Phases) -> Program[None]:
    for pod in pods:
        tasks = copies.tasks(pod.facts) if pod.facts is not None and pod.facts.userdata else None
        if tasks is not None:
            # Under the fence: a copy that another controller has restored lives on its daemon and images.
            yield from guard.run(fence, phases, stop_pages_argv(tasks))
        yield from lifecycle.remove_pod(pod, fence, phases, grace=0)
        if tasks is not None and (left := (yield from living(tasks))):
            raise CommandFailed(f"processes of {pod.workload} are left: {', '.join(left)}", code="C314")


def unstage(handover: Handover) -> Program[None]:
    name = handover.name
    fence = yield from arriving.fence_here(handover)
    yield from _discard((yield from copies.others(name)), fence, arriving.UNDONE)
    yield from folders.drop(handover, fence, guard.ANY)
    yield from config.write(name)
    yield from copies.forget(name)
    yield from guard.mark(fence, Phase.FENCED, "destination", run=handover.run, peer=handover.move.source)


def restore(handover: Handover) -> Program[None]:
    staged = handover.staged
    if staged is None:
        noted = yield from copies.saved(handover.name)
        if noted is None:
            raise CommandFailed(f"{handover.name} was not staged on {handover.move.destination}", code="C313")
        staged = leaving.located(handover, noted.facts)
    home = staged.trees[0].path.rpartition("/")[0]
    tasks = Tasks(home, home.rpartition("/")[2], paused=True)
    lazy = yield from criu_restoring.arrived(handover, tasks)
    container = staged.container_id
    yield from restoring.restore(handover, handover.fence, Phase.COMMITTED, container, tasks, lazy=lazy)


def verify(handover: Handover) -> Program[None]:
    name, where, workload = handover.name, handover.move.destination, handover.workload
    pod = yield from copies.copy_here(name)
    facts = pod.facts if pod is not None else None
    if pod is None or facts is None or not pod.runs:
        if pod is not None and facts is not None and facts.state is InstanceState.EXITED:
            raise (yield from lifecycle.ended(pod))
        state = facts.state.value if facts else "gone"
        raise CommandFailed(f"{name} does not run on {where}: it is {state}", code="C315")
    argv = verifying.truth_argv(
        facts.pid, f"{_BUNDLES}/{facts.id}/config.json", f"{facts.userdata}/unlike", workload
    )
    truth = yield Command(argv, secret=True)
    problems = verifying.problems(workload, handover.move.image_id, facts, truth.stdout)
    problems += yield from networks.unlike(workload.container, facts.pid)
    if problems:
        what = f"{name} on {where} is not what its spec says"
        raise CommandFailed(what, code="C316", why="; ".join(problems))


def confirm(handover: Handover) -> Program[None]:
    """Memory that follows a lazy restore must have arrived first: until then only the source's copy is whole."""
    noted = yield from copies.saved(handover.name)
    if noted is not None:
        drained = (0, criu_restoring.ON_THEIR_WAY)
        yield from criu_restoring.drain(handover, copies.tasks(noted.facts), ok=drained)
        trees = [tree.path for tree in leaving.located(handover, noted.facts).trees if tree.kind != "images"]
        yield Command(("sync", "-f", "--", *trees), timeout=SYNC_LIMIT, changes=True)
    yield from guard.mark(handover.fence, Phase.RUNNING, "owner", run=handover.run, peer=handover.move.source)


def finish(handover: Handover) -> Program[None]:
    name = handover.name
    if (yield from arriving.is_passed_on(handover)):
        return
    noted = yield from copies.saved(name)
    if noted is not None:
        yield from criu_restoring.drain(handover, copies.tasks(noted.facts))
        yield from config.write(name)
        yield from rooms.free(copies.tasks(noted.facts), handover.fence, (Phase.RUNNING,))
    yield from copies.forget(name)
    yield from guard.clean(name)


# --- does a copy run here ---


def alive(workload: str) -> Program[Alive]:
    if (known := (yield from standing.by_hook(workload))) is not None:
        return known
    pod = yield from copies.copy_here(workload)
    if pod is None or pod.facts is None:
        return Alive(exists=False, running=False, detail="no pod")
    if not pod.facts.userdata:
        return Alive(exists=True, running=False, detail="a pod without a container")
    tasks = copies.tasks(pod.facts)
    images = yield from standing.images(tasks)
    return Alive(
        exists=True,
        running=pod.runs or bool((yield from living(tasks))),
        restorable=images.restorable,
        following=images.following,
        pid=pod.facts.pid,
        detail=pod.facts.state.value,
    )


def fence_off(handover: Handover, epoch: int) -> Program[bool]:
    """By the kernel first, which answers also where containerd does not."""
    name, fence, where = handover.name, Fence(handover.name, epoch), handover.move.destination
    if (yield from standing.raise_fence(handover, fence)):
        return False
    noted = yield from copies.saved(name)
    left = (yield from _end(fence, noted.facts)) if noted is not None else []
    try:
        pod = yield from copies.copy_here(name)
    except (CommandFailed, ReplyLost):
        if noted is None or left:
            raise
        return (yield from _spoke(noted.facts, name))  # what was staged does not run; the marker keeps it so
    if pod is None or pod.facts is None or not pod.facts.userdata:
        return True  # somebody has removed it: nobody knows what it did before
    if noted is None or noted.facts.id != pod.facts.id:
        left += yield from _end(fence, pod.facts)
    if left:
        raise CommandFailed(
            f"a copy of {name} still runs on {where}",
            code="C317",
            why=f"containerd says {pod.facts.state.value}; processes: {', '.join(left)}",
            fix="end it there by hand: kill -9 these processes",
        )
    return (yield from _spoke(pod.facts, name))


def _spoke(facts: ContainerFacts, workload: str) -> Program[bool]:
    return (yield from spoke(copies.tasks(facts), copies.saved_note(workload)))


def _end(fence: Fence, facts: ContainerFacts) -> Program[list[str]]:
    """Kill a container's processes by the kernel's list of them; what lives nevertheless. Under the fence: what a
    later hand-over restores here meanwhile must not be ended. A restore that goes on although nobody waits for it
    is refused by CRIU's script before its tasks run."""
    tasks = copies.tasks(facts)
    yield from guard.run(fence, _FENCED, calls.shell("fence", facts.userdata))
    yield from guard.run(fence, _FENCED, stop_pages_argv(tasks))
    ended = yield from guard.run(fence, _FENCED, end_argv(tasks))
    return ended.stdout.splitlines()
