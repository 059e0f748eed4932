"""What both sides of a move need: trees, room for images, CRIU's config, restart policies, restoring."""

from __future__ import annotations

from reconciler.criu import config, restoring
from reconciler.criu.tasks import config_file
from reconciler.errors import Refused
from reconciler.guard import guard, notes
from reconciler.model.command import Bytes, Command, Fence, Program, Seconds, Tree
from reconciler.model.container import RestartPolicy
from reconciler.model.inplace import PODMAN_KEEPS_UPDATES
from reconciler.model.labels import LABEL_WORKLOAD
from reconciler.model.plan import Phase
from reconciler.model.world import ContainerFacts
from reconciler.runtimes.base import Handover, Located
from reconciler.runtimes.podman import containers, folders, parse, paths


def located(handover: Handover, facts: ContainerFacts, expected_bytes: Bytes = 0) -> Located:
    """Where a container's state is. Volumes pair up by where they are mounted, anonymous ones included, and so do
    folders that go along. `expected_bytes`: of memory that its images will have."""
    volumes = sorted((m for m in facts.mounts if m.kind == "volume"), key=lambda m: m.target)
    trees = (
        Tree("images", containers.tasks_of(facts).images, expected_bytes=expected_bytes),
        Tree("rootfs", facts.upper_dir),
        *(Tree("volume", m.source, name=m.target) for m in volumes),
        *(Tree("volume", m.source, name=m.target) for m in folders.of(handover)),
    )
    return Located(facts.id, trees)


def home_of(located: Located) -> str:
    """The folder of a container that its images are in."""
    return located.trees[0].path.rpartition("/")[0]


def save(workload: str) -> Program[ContainerFacts]:
    """Write down what Podman says of a container now, for when it is held or clients wait."""
    inspected = yield Command(("podman", "container", "inspect", "--", workload), secret=True)
    yield from notes.write(workload, paths.INSPECTION, inspected.stdout.encode(), secret=True)
    return parse.containers(inspected.stdout)[0]


def saved(workload: str) -> Program[ContainerFacts | None]:
    """What `save` wrote; None when it did not, or `forget` was called since."""
    result = yield Command(("cat", "--", paths.saved_inspection(workload)), ok=(0, 1), secret=True)
    found = parse.containers(result.stdout)
    return found[0] if found else None


def forget(workload: str) -> Program[None]:
    yield from config.forget(workload, paths.saved_inspection(workload))


def copy_here(workload: str, within: Seconds = containers.INSPECT_LIMIT) -> Program[ContainerFacts | None]:
    """What a hand-over has of the workload on this host, also when somebody has renamed it meanwhile. A stranger's
    container of that name is none of it."""
    noted = yield from saved(workload)
    for known_as in (*((noted.id,) if noted else ()), workload):
        found = yield from containers.inspect(known_as, within)
        if found is not None and found.labels.get(LABEL_WORKLOAD) == workload:
            return found
    return None


def options(handover: Handover) -> tuple[str, ...]:
    """Options of both `podman container checkpoint` and `restore`."""
    return ("--keep", *restoring.options(handover))


def cgroup_config(handover: Handover, facts: ContainerFacts) -> Program[tuple[str, ...]]:
    """CRIU puts tasks back into the cgroup they were dumped in, which bears the source container's ID.

    On cgroup v2 runc does not correct that (crun does): the copy would be out of reach of its limits, its freezer
    and the next checkpoint."""
    if handover.move.oci_runtime == "crun":
        return ()
    result = yield Command(("cat", "--", f"{facts.userdata}/config.json"), secret=True)
    path = parse.cgroup_path(result.stdout)
    return (f"cgroup-root :{path}",) if path else ()


def check_restart_switch(handover: Handover) -> Program[None]:
    """Refused where the restart policy cannot be switched off and on without making the container anew."""
    if handover.workload.container.restart is RestartPolicy.NO:
        return
    result = yield Command(("podman", "--version"))
    have = parse.version(result.stdout)
    if parse.version_tuple(have) < PODMAN_KEEPS_UPDATES:
        raise Refused(
            f"{handover.name} has a restart policy, which Podman {have} cannot switch off during a move",
            code="P435",
            fix="upgrade Podman to 5.1 or later, or set spec.container.restart to `no`",
        )


def set_restart(handover: Handover, fence: Fence, phases: tuple[Phase, ...], *, on: bool) -> Program[None]:
    wanted = handover.workload.container.restart
    if wanted is not RestartPolicy.NO:
        section = handover.workload.container
        policy = section.restart_option if on else RestartPolicy.NO.value
        argv = ("podman", "update", f"--restart={policy}", "--", handover.name)
        yield from guard.run(fence, phases, argv)


def restore(handover: Handover, fence: Fence, phase: Phase, located: Located, *, lazy: str = "") -> Program[None]:
    """Restore a container from its images; `lazy`: the folder from which memory follows."""
    tasks = containers.tasks(located.container_id, home_of(located))
    config_of_criu = config_file(handover.name)
    command = paths.shell("restore", tasks.home, located.container_id, config_of_criu, *options(handover))

    def runs() -> Program[bool]:
        now = yield from containers.inspect(handover.name)
        return now is not None and now.id == located.container_id and now.state.has_processes

    addresses = [ip for n in handover.workload.container.networks for ip in n.ips]
    hangs = "podman or CRIU"
    yield from restoring.restore(
        handover, fence, phase, tasks, command, addresses=addresses, runs=runs, lazy=lazy, hangs=hangs
    )
