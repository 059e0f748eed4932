"""A container that waits to be restored, and its restore by containerd's `StartContainer`.

CRIU's config, which a container's annotation names, says where the images are: in a folder of ours. So they are in
nothing that containerd copies, and memory may follow a restore."""

from __future__ import annotations

from reconciler.core import answers
from reconciler.criu import config, restoring
from reconciler.criu.tasks import Tasks
from reconciler.errors import CommandFailed
from reconciler.guard import guard
from reconciler.model.command import Fence, Program
from reconciler.model.plan import Phase
from reconciler.model.world import ContainerFacts, InstanceState
from reconciler.runtimes.base import Handover
from reconciler.runtimes.cri import calls, copies, dumping, looking, making
from reconciler.runtimes.cri.calls import CriCall
from reconciler.runtimes.cri.making import Phases
from reconciler.runtimes.cri.messages import mapping

HANGS = "containerd or CRIU"
_CONFIG = "containerd's configuration"


def make(handover: Handover, fence: Fence, phases: Phases) -> Program[ContainerFacts]:
    """A pod of the workload with a container that waits; with its upper directory."""
    name, move = handover.name, handover.move
    yield from making.to_restore(name, handover.workload.container, move.image_id, fence, phases)
    return (yield from made(handover))


def made(handover: Handover) -> Program[ContainerFacts]:
    """What `make` has made."""
    pod = yield from looking.current(handover.name)
    facts = pod.facts if pod is not None and pod.container is not None else None
    if facts is None or facts.state is not InstanceState.CREATED:
        state = facts.state.value if facts else "gone"
        raise CommandFailed(f"{handover.name} could not be prepared: it is {state}", code="C313")
    return facts.model_copy(update={"upper_dir": (yield from copies.upper(facts))})


def be_ready(handover: Handover, fence: Fence, tasks: Tasks, *more: str) -> Program[None]:
    """What CRIU is told by the restore, `more` lines of it, and that none can be typed by hand until then.

    CRIU puts tasks back into the control group they were dumped in, which bears the source container's ID, unless
    told; by version 2 alone, for of others it would restore the freezer too, in which they were dumped."""
    name = handover.name
    pod = yield from looking.current(name)
    if pod is None or not pod.cgroup:
        what = "its pod is gone" if pod is None else "systemd makes control groups for containerd there"
        raise CommandFailed(f"{name} could not be prepared: {what}", code="C313")
    pid = yield from making.first_process(pod.id)
    room = calls.shell("room", tasks.home, str(pid), (yield from _root()), copies.routes_note(name))
    yield from guard.run(fence, guard.ANY, room)
    lines = (*dumping.lines(handover, tasks), f"cgroup-root :{pod.cgroup}", *more)
    yield from config.allow_restore(name, *(yield from config.for_restore(handover)), *lines)
    yield from config.forbid_restore(name)


def _root() -> Program[str]:
    """Where containerd keeps what CRI has."""
    asked = (CriCall("Status", "verbose", {"verbose": 1}, "status"),)
    (said,) = calls.done((yield from calls.ask(asked)), asked)
    config = answers.parsed(mapping(said.info).get("config") or "{}", _CONFIG)
    return answers.path(answers.mapping(config, _CONFIG).get("rootDir"), "the folder of containerd")


def restore(
    handover: Handover, fence: Fence, phase: Phase, container: str, tasks: Tasks, *, lazy: str = ""
) -> Program[None]:
    """Restore a container from its images; `lazy`: the folder from which memory follows."""

    def runs() -> Program[bool]:
        now = yield from looking.current(handover.name)
        return now is not None and now.facts is not None and now.facts.id == container and now.runs

    call = CriCall("StartContainer", "id", {"id": container})
    limit = str(round(restoring.RESTORE_LIMIT))
    yield from restoring.restore(
        handover,
        fence,
        phase,
        tasks,
        calls.shell("restore", tasks.home, limit, container, tasks.cgroup, *call.line.split()),
        addresses=[ip for network in handover.workload.container.networks for ip in network.ips],
        runs=runs,
        lazy=lazy,
        hangs=HANGS,
    )
