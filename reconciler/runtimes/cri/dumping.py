"""A dump by containerd's `CheckpointContainer`, and what CRIU is told at one and at a restore: containerd's calls
have no options of CRIU's."""

from __future__ import annotations

from reconciler.criu import config, rooms
from reconciler.criu.holding import DUMP_LIMIT
from reconciler.criu.tasks import Tasks, config_file
from reconciler.errors import Refused
from reconciler.model.command import Program
from reconciler.model.labels import ANNOTATION_CRIU
from reconciler.model.spec import Cutover, TcpHandling
from reconciler.model.world import ContainerFacts
from reconciler.runtimes.base import Handover
from reconciler.runtimes.cri import calls, copies
from reconciler.runtimes.cri.calls import CriCall

_ARCHIVE = "archive.tar"
FIX_ANNOTATION = (
    f'container_annotations = ["{ANNOTATION_CRIU}"] in the table of its runtime runc in config.toml there, '
    "restart containerd, and let the workload be made anew"
)


def check(handover: Handover, facts: ContainerFacts, what: str) -> None:
    """Refused where CRIU would not be told. `what`: is to be done with it, as a word."""
    if facts.annotations.get(ANNOTATION_CRIU) != config_file(handover.name):
        raise Refused(
            f"{handover.name} cannot be {what}: containerd does not hand on its annotation {ANNOTATION_CRIU}",
            code="P450",
            where=handover.move.source,
            fix=FIX_ANNOTATION,
        )


def prepare(handover: Handover, tasks: Tasks) -> Program[None]:
    """Room for images, and what CRIU is told at the dump. containerd has CRIU let go of the tasks in the end: what
    is to be stopped by the dump stays so until it is ended."""
    yield calls.room(tasks.home)
    yield from rooms.make(handover, tasks)
    stopped = handover.move.cutover is Cutover.RESTORE_BACK
    yield from config.for_dump(handover, tasks, *lines(handover, tasks), *(("leave-stopped",) if stopped else ()))


def lines(handover: Handover, tasks: Tasks) -> tuple[str, ...]:
    established = handover.policy.tcp is TcpHandling.ESTABLISHED
    return (
        "file-locks",
        *(("tcp-established",) if established else ()),
        f"images-dir {tasks.images}",
        f"work-dir {tasks.home}",
    )


def argv(facts: ContainerFacts, *, ends: bool = False) -> tuple[str, ...]:
    """The command that dumps a container. `ends`: its tasks end with that."""
    own, limit = copies.tasks(facts), round(DUMP_LIMIT)
    fields = {"container_id": facts.id, "location": f"{own.home}/{_ARCHIVE}", "timeout": limit}
    call = CriCall("CheckpointContainer", "checkpoint", fields)
    return calls.shell("dump", own.home, str(limit), own.cgroup if ends else "", *call.line.split())
