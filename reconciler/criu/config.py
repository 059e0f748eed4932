"""CRIU's config file of a workload. CRIU reads it last, so it wins over what an engine asks for."""

from __future__ import annotations

from reconciler.criu.tasks import (
    HANG_UP,
    RESTORE_CONFIG,
    Tasks,
    hang_up_note,
    restore_config_file,
    restoring_script,
)
from reconciler.guard import guard, notes
from reconciler.model.command import Command, Program
from reconciler.model.handover import Handover
from reconciler.model.spec import TcpHandling

DUMP = ("link-remap",)
"""Files that are open under a name that is gone and still have another one, as `sem_open` leaves them: CRIU gives
them a name for the time of the move, beside the old one, and takes it away again however the move ends."""


def write(workload: str, *lines: str, file: str = "criu.conf") -> Program[None]:
    yield from notes.write(workload, file, "".join(f"{line}\n" for line in lines).encode())


def for_dump(handover: Handover, tasks: Tasks, *more: str) -> Program[None]:
    """Of the dump under the freeze; `more` lines of a pre-copy."""
    hook = f"action-script {(yield from guard.install_hook(handover.name, tasks.group, paused=tasks.paused))}"
    yield from write(handover.name, hook, *DUMP, *tcp(handover), *more)


def build_on(handover: Handover, tasks: Tasks, number: int) -> Program[None]:
    """What is dumped under the freeze is only what changed since that round of a pre-copy."""
    yield from for_dump(handover, tasks, "track-mem", f"prev-images-dir ../precopy/{number}")


def tcp(handover: Handover) -> tuple[str, ...]:
    """Closing connections is not an option of every engine; CRIU's own config has it."""
    lock = handover.move.network_lock
    return (
        *((f"network-lock {lock}",) if lock else ()),
        *(("tcp-close",) if handover.policy.tcp is TcpHandling.CLOSE else ()),
    )


def for_restore(handover: Handover) -> Program[tuple[str, ...]]:
    """What it says for a restore, wherever it happens; CRIU fails where its script is not there."""
    script = yield from guard.install_script("restoring", restoring_script())
    return (f"action-script {script}", *tcp(handover))


def allow_restore(workload: str, *lines: str) -> Program[None]:
    """The config that a restore puts in the place of one that forbids it."""
    yield from write(workload, *lines, file=RESTORE_CONFIG)


def forbid_restore(workload: str) -> Program[None]:
    """From here on a restore that a person types asks the guard, and is refused while another host may own the
    workload."""
    yield from write(workload, f"action-script {(yield from guard.install_hook(workload))}")


def hang_up(workload: str) -> Program[None]:
    """Note that connections end when the source goes back; the hook does it, or a restore without them."""
    yield from notes.write(workload, HANG_UP, b"a destination may have answered\n")


def hangs_up(workload: str) -> Program[bool]:
    noted = yield Command(("test", "-e", hang_up_note(workload)), ok=(0, 1))
    return noted.status == 0


def forget(workload: str, *files: str) -> Program[None]:
    """What only a hand-over needs, and more of its `files`."""
    argv = ("rm", "-f", "--", restore_config_file(workload), hang_up_note(workload), *files)
    yield Command(argv, changes=True)
