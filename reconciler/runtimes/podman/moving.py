"""What both sides of a move need: trees, room for images, CRIU's config, restart policies, restoring."""

from __future__ import annotations

from reconciler.core import causes
from reconciler.errors import CommandFailed, Refused
from reconciler.guard import guard
from reconciler.model.base import parse_duration
from reconciler.model.command import Bytes, Command, Fence, Program, Seconds, Tree
from reconciler.model.container import RestartPolicy
from reconciler.model.inplace import PODMAN_KEEPS_UPDATES
from reconciler.model.labels import LABEL_WORKLOAD
from reconciler.model.plan import Phase
from reconciler.model.room import available_for
from reconciler.model.spec import Strategy, TcpHandling
from reconciler.model.world import ContainerFacts
from reconciler.runtimes.base import Handover, Located
from reconciler.runtimes.podman import containers, pagemaps, parse, paths
from reconciler.runtimes.podman.verifying import sysctl_path

RESTORE_LIMIT: Seconds = 900.0
_UNMARKED = 9
"""How `restore.sh` ends, before anything, when CRIU has marked no page of a process as lazy."""
KILL_AFTER: Seconds = 3.0
"""Between asking a restore to end and ending it."""
GUARD_SLACK: Seconds = 20.0
"""What the guard may take around a command: waiting for its lock, and its answer."""
_STOPPED = (124, 137)
"""How `timeout` ends when it has stopped its command."""
DUMP_CONFIG = ("link-remap",)
"""Files that are open under a name that is gone and still have another one, as `sem_open` leaves them: CRIU gives
them a name for the time of the move, beside the old one, and takes it away again however the move ends."""


def located(facts: ContainerFacts, expected_bytes: Bytes = 0) -> Located:
    """Where a container's state is. Volumes pair up by where they are mounted, anonymous ones included.
    `expected_bytes`: of memory that its images will have."""
    volumes = sorted((m for m in facts.mounts if m.kind == "volume"), key=lambda m: m.target)
    trees = (
        Tree("images", paths.images_dir(facts.userdata), expected_bytes=expected_bytes),
        Tree("rootfs", facts.upper_dir, xattrs=True),
        *(Tree("volume", m.source, name=m.target) for m in volumes),
    )
    return Located(facts.id, trees)


def save(workload: str) -> Program[ContainerFacts]:
    """Write down what Podman says of a container now, for when it is held or clients wait."""
    inspected = yield Command(("podman", "container", "inspect", "--", workload), secret=True)
    argv = paths.shell("note", guard.workload_dir(workload), "container.json")
    yield Command(argv, stdin=inspected.stdout.encode(), changes=True, secret=True)
    return parse.containers(inspected.stdout)[0]


def saved(workload: str) -> Program[ContainerFacts | None]:
    """What `save` wrote; None when it did not, or `forget` was called since."""
    result = yield Command(("cat", "--", paths.saved_inspection(workload)), ok=(0, 1), secret=True)
    found = parse.containers(result.stdout)
    return found[0] if found else None


def hang_up(workload: str) -> Program[None]:
    """Note that connections end when the source goes back; the hook does it, or `resume` restores without them."""
    argv = paths.shell("note", guard.workload_dir(workload), paths.HANG_UP, "a destination may have answered")
    yield Command(argv, changes=True)


def hangs_up(workload: str) -> Program[bool]:
    noted = yield Command(("test", "-e", paths.hang_up_note(workload)), ok=(0, 1))
    return noted.status == 0


def forget(workload: str) -> Program[None]:
    files = (paths.saved_inspection(workload), paths.restore_config(workload), paths.hang_up_note(workload))
    yield Command(("rm", "-f", "--", *files), changes=True)


def make_room(handover: Handover, facts: ContainerFacts) -> Program[None]:
    """Empty folders for the images, in memory where they fit."""
    wanted = str(available_for(handover.move.memory_bytes))
    folders = [paths.images_dir(facts.userdata)]
    if handover.move.strategy is Strategy.PRECOPY:
        folders.append(paths.rounds_dir(facts.userdata))
    for folder in folders:
        yield Command(paths.shell("room", folder, wanted), changes=True)


def free_room(facts: ContainerFacts) -> Program[None]:
    yield Command(paths.unmount_rooms(facts.userdata), changes=True)


def write_criu_config(workload: str, *lines: str, file: str = "criu.conf") -> Program[None]:
    """CRIU reads these last, so they win over what Podman and the OCI runtime ask for."""
    text = "".join(f"{line}\n" for line in lines).encode()
    argv = paths.shell("note", guard.workload_dir(workload), file)
    yield Command(argv, stdin=text, changes=True)


def allow_restore(workload: str, *lines: str) -> Program[None]:
    """The config that `restore` puts in the place of one that forbids it."""
    yield from write_criu_config(workload, *lines, file=paths.RESTORE_CONFIG)


def forbid_restore(workload: str) -> Program[None]:
    """From here on a `podman container restore` that a person types asks the guard, and is refused while another
    host may own the workload."""
    yield from write_criu_config(workload, f"action-script {(yield from guard.install_hook(workload))}")


def copy_here(workload: str) -> Program[ContainerFacts | None]:
    """What a hand-over has of the workload on this host, also when somebody has renamed it meanwhile. A stranger's
    container of that name is none of it."""
    noted = yield from saved(workload)
    for known_as in (*((noted.id,) if noted else ()), workload):
        found = yield from containers.inspect(known_as)
        if found is not None and found.labels.get(LABEL_WORKLOAD) == workload:
            return found
    return None


def options(handover: Handover) -> tuple[str, ...]:
    """Options of both `podman container checkpoint` and `restore`."""
    established = handover.policy.tcp is TcpHandling.ESTABLISHED
    return ("--keep", "--file-locks", *(("--tcp-established",) if established else ()))


def tcp_config(handover: Handover) -> tuple[str, ...]:
    """Closing connections is not an option of Podman's before 5.7; CRIU's own config has it."""
    lock = handover.move.network_lock
    return (
        *((f"network-lock {lock}",) if lock else ()),
        *(("tcp-close",) if handover.policy.tcp is TcpHandling.CLOSE else ()),
    )


def restore_config(handover: Handover) -> Program[tuple[str, ...]]:
    """What CRIU's config says for a restore, wherever it happens; CRIU fails where its script is not there."""
    return (f"action-script {(yield from guard.install_restoring())}", *tcp_config(handover))


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


def _addresses(handover: Handover) -> str:
    """Addresses to keep clients' packets away from until the sockets behind them are restored."""
    if handover.policy.tcp is not TcpHandling.ESTABLISHED:
        return ""
    return ",".join(ip for n in handover.workload.container.networks for ip in n.ips)


def restore(handover: Handover, fence: Fence, phase: Phase, located: Located, *, lazy: str = "") -> Program[None]:
    """Restore a container from its images; a failure carries the last errors of CRIU's log. Clients wait while
    this runs, so nothing is asked first, and a Podman that hangs is ended at the policy's limit of a freeze.
    `lazy`: the folder from which memory follows."""
    userdata = paths.userdata_of(located.trees[0].path)
    keeper = paths.script("keeper", "pl") if lazy else ""
    how = (lazy, keeper, _addresses(handover), paths.restore_config(handover.name), *options(handover))
    limit = RESTORE_LIMIT  # going back ends nothing: these images are all there is
    if phase is Phase.COMMITTED:
        limit = min(limit, max(1.0, parse_duration(handover.policy.freeze_limit)))
    bounded = ("timeout", f"--kill-after={KILL_AFTER:g}", f"{limit:g}")
    argv = (*bounded, *paths.shell("restore", located.container_id, userdata, *how))
    patience = limit + KILL_AFTER + GUARD_SLACK
    try:
        done = yield from guard.run(fence, (phase,), argv, timeout=patience, ok=(0, _UNMARKED))
        if done.status == _UNMARKED:
            yield from pagemaps.mark(userdata)
            yield from guard.run(fence, (phase,), argv, timeout=patience)
        yield from _sysctls(handover, fence, phase)
    except CommandFailed as error:
        if error.status in _STOPPED:
            raise CommandFailed(
                f"{handover.name} was not restored within {limit:g} s, the policy's freezeLimit; it was ended",
                code="C341",
                where=error.where,
                why="podman or CRIU hangs there",
                fix=f"look at podman on {error.where}: podman ps",
            ) from error
        now = yield from containers.inspect(handover.name)
        if now is not None and now.id == located.container_id and now.state.has_processes:
            return  # done before; the reply was lost
        log = yield from criu_errors(handover.name, f"{userdata}/restore.log")
        raise CommandFailed(
            f"{handover.name} could not be restored",
            argv=error.argv,
            exit_code=error.status,
            stderr=error.stderr,
            log_tail=log,
            where=error.where,
            why=(causes.criu_cause(log) or causes.telling(error.stderr)) + kept_log(handover, bool(log)),
        ) from error


def _sysctls(handover: Handover, fence: Fence, phase: Phase) -> Program[None]:
    wanted = handover.workload.container.sysctls
    of_network = [(sysctl_path(name), value) for name, value in wanted.items() if name.startswith("net.")]
    if of_network:
        argv = paths.shell("sysctls", handover.name, *(word for pair in of_network for word in pair))
        yield from guard.run(fence, (phase,), argv)


def criu_errors(workload: str, log: str) -> Program[str]:
    """The last error lines of a CRIU log on the host; empty when there is none. The log goes with its container,
    so the last failed one of each workload is kept."""
    argv = paths.shell("keep-log", log, paths.failed_log(workload))
    result = yield Command(argv, changes=True, ok=(0, 1))
    return causes.criu_errors(result.stdout)


def kept_log(handover: Handover, there: bool) -> str:
    """Where a user can read all of it, as the end of a sentence."""
    return f"; the full log is kept there: {paths.failed_log(handover.name)}" if there else ""
