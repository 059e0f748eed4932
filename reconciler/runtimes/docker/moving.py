"""What both sides of a move need: trees, room for images, CRIU's config, restoring.

CRIU's config names the folder of ours for images, at a dump and at a restore. So the images are never in what
Docker and containerd copy (three times at each), memory may follow a restore, and the way back finds them where
they are.
"""

from __future__ import annotations

from reconciler.criu import config, restoring, rooms
from reconciler.guard import guard, notes
from reconciler.model.command import Bytes, Command, Fence, Program, Tree
from reconciler.model.labels import LABEL_WORKLOAD
from reconciler.model.plan import Phase
from reconciler.model.spec import TcpHandling
from reconciler.model.world import ContainerFacts
from reconciler.runtimes.base import Handover, Located
from reconciler.runtimes.docker import containers, places


def located(handover: Handover, facts: ContainerFacts, expected_bytes: Bytes = 0) -> Located:
    """Where a container's state is. Volumes pair up by where they are mounted, anonymous ones included."""
    volumes = sorted((m for m in facts.mounts if m.kind == "volume"), key=lambda m: m.target)
    trees = (
        Tree("images", containers.tasks_of(facts).images, expected_bytes=expected_bytes),
        Tree("rootfs", facts.upper_dir),
        *(Tree("volume", m.source, name=m.target) for m in volumes),
    )
    return Located(facts.id, trees)


def home_of(staged: Located) -> str:
    return staged.trees[0].path.rpartition("/")[0]


def save(workload: str) -> Program[ContainerFacts | None]:
    """Write down what Docker says of a container now, for when clients wait, or Docker does not answer; and make
    our folder of it."""
    text = yield from containers.looked(workload)
    facts = containers.read(text)
    if facts is not None:
        yield from notes.write(workload, places.INSPECTION, text.encode(), secret=True)
        yield Command(places.shell("room", facts.userdata, containers.folder(text, facts.id)), changes=True)
    return facts


def saved(workload: str) -> Program[ContainerFacts | None]:
    """What `save` wrote; None when it did not, or `forget` was called since."""
    result = yield Command(("cat", "--", places.saved_inspection(workload)), ok=(0, 1), secret=True)
    return containers.read(result.stdout) if result.status == 0 else None


def forget(workload: str) -> Program[None]:
    yield from config.forget(workload, places.saved_inspection(workload))


def copy_here(workload: str) -> Program[ContainerFacts | None]:
    """What a hand-over has of the workload on this host, also when somebody has renamed it meanwhile. A stranger's
    container of that name is none of it."""
    noted = yield from saved(workload)
    for known_as in (*((noted.id,) if noted else ()), workload):
        found = yield from containers.inspect(known_as)
        if found is not None and found.labels.get(LABEL_WORKLOAD) == workload:
            return found
    return None


def lines(handover: Handover, home: str) -> tuple[str, ...]:
    """Of CRIU's config at a dump and at a restore: Docker's commands have no options of CRIU's."""
    established = handover.policy.tcp is TcpHandling.ESTABLISHED
    return (
        "file-locks",
        *(("tcp-established",) if established else ()),
        f"images-dir {places.tasks(home).images}",
        f"work-dir {home}",
    )


def prepare_dump(handover: Handover, facts: ContainerFacts) -> Program[None]:
    tasks = containers.tasks_of(facts)
    yield from rooms.make(handover, tasks)
    yield from config.for_dump(handover, tasks, *lines(handover, facts.userdata))


def allow_restore(handover: Handover, home: str, *more: str) -> Program[None]:
    """CRIU puts tasks back into the control group they were dumped in, which bears the source container's ID,
    unless told; by version 2 alone, for of others it would restore the freezer too, in which they were dumped."""
    group = f"cgroup-root :{places.cgroup_path(home)}"
    own = (*lines(handover, home), group, *more)
    yield from config.allow_restore(handover.name, *(yield from config.for_restore(handover)), *own)


def restore(handover: Handover, fence: Fence, phase: Phase, staged: Located, *, lazy: str = "") -> Program[None]:
    """Restore a container from its images; `lazy`: the folder from which memory follows."""
    home = home_of(staged)
    command = places.shell("restore", home, staged.container_id)

    def runs() -> Program[bool]:
        now = yield from containers.inspect(staged.container_id)
        return now is not None and now.state.has_processes

    addresses = [ip for n in handover.workload.container.networks for ip in n.ips]
    yield from restoring.restore(
        handover,
        fence,
        phase,
        places.tasks(home),
        command,
        addresses=addresses,
        runs=runs,
        lazy=lazy,
        hangs="Docker, containerd or CRIU",
    )


def marked(workload: str) -> Program[guard.Shown | None]:
    """What this host has noted of the workload."""
    shown = yield from guard.show(workload)
    return shown[0] if shown else None
