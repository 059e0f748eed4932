"""A pod that is saved and runs on: CRIU's hook keeps it frozen over complete images, as for every runtime.

`CheckpointContainer` has CRIU dump it. CRIU's config, which a container's annotation names, has the images written
into our own folder, and its hook tells CRIU in the end that the dump has failed: so the tasks run on, containerd
lets go of them and makes no archive. The call fails for containerd; whether the checkpoint is whole the guard
says.
"""

from __future__ import annotations

from reconciler.criu import capturing, config, rooms
from reconciler.criu.holding import DUMP_LIMIT
from reconciler.criu.tasks import Tasks, config_file
from reconciler.errors import CommandFailed, Refused
from reconciler.guard import guard
from reconciler.model.command import Command, Fence, Program, Tree
from reconciler.model.labels import ANNOTATION_CRIU
from reconciler.model.plan import Phase
from reconciler.model.spec import TcpHandling
from reconciler.model.world import ContainerFacts
from reconciler.runtimes.base import Handover, Held, Located
from reconciler.runtimes.cri import calls, looking
from reconciler.runtimes.cri.calls import CriCall

_ARCHIVE = "archive.tar"


def tasks(facts: ContainerFacts) -> Tasks:
    return Tasks(facts.userdata, facts.userdata.rpartition("/")[2], paused=True)


def shadow(handover: Handover, folder: str) -> Program[Located]:
    name = handover.name
    facts = yield from _running(handover)
    if facts is None:
        where = handover.move.source
        raise Refused(f"{name} cannot be saved: it does not run on {where}", code="P450", fix="try again")
    if facts.annotations.get(ANNOTATION_CRIU) != config_file(name):
        raise Refused(
            f"{name} cannot be saved: containerd does not hand on its annotation {ANNOTATION_CRIU}",
            code="P450",
            where=handover.move.source,
            fix=f'container_annotations = ["{ANNOTATION_CRIU}"] in the table of its runtime runc in config.toml '
            "there, restart containerd, and let the workload be made anew",
        )
    own = tasks(facts)
    yield calls.room(own.home)
    yield from rooms.make(handover, own)
    lines = ["file-locks", f"images-dir {own.images}", f"work-dir {own.home}"]
    if handover.policy.tcp is TcpHandling.ESTABLISHED:
        lines.append("tcp-established")
    yield from config.for_dump(handover, own, *lines)
    found = Located(facts.id, (Tree("images", own.images), Tree("rootfs", (yield from _upper(facts)))))
    yield from capturing.shadow(found, folder)
    return found


def _running(handover: Handover) -> Program[ContainerFacts | None]:
    pod = yield from looking.current(handover.name)
    facts = pod.facts if pod is not None and pod.runs else None
    return facts if facts is not None and facts.id == handover.move.container_id else None


def _upper(facts: ContainerFacts) -> Program[str]:
    """Where what it changed of its root file system is: the upper directory of its overlay."""
    found = yield Command(calls.shell("upper", str(facts.pid)))
    return found.stdout.strip()


def capture(handover: Handover, folder: str) -> Program[Held]:
    facts = yield from _running(handover)
    if facts is None:
        raise CommandFailed(f"{handover.name} was not made ready to be saved", code="C312")

    def lives_on() -> Program[str]:
        now = yield from _running(handover)
        return "" if now is not None else "it has ended"

    own = tasks(facts)
    limit = round(DUMP_LIMIT)
    fields = {"container_id": facts.id, "location": f"{own.home}/{_ARCHIVE}", "timeout": limit}
    argv = calls.shell(
        "dump", own.home, str(limit), *CriCall("CheckpointContainer", "checkpoint", fields).line.split()
    )
    return (yield from capturing.capture(handover, own, argv, folder, lives_on=lives_on))


def resume(handover: Handover, fence: Fence) -> Program[str]:
    name, source = handover.name, handover.move.source
    outcome = yield from guard.resume(fence, run=handover.run)
    yield from config.write(name)
    facts = yield from _running(handover)
    if outcome.what == "gone" or facts is None:
        yield from guard.mark(fence, Phase.RUNNING, "owner", run=handover.run)
    if facts is not None:
        yield from rooms.free(tasks(facts), fence, (Phase.RUNNING,))
    yield from config.forget(name)
    yield from guard.clean(name)
    return "" if facts is not None else f"it ended on {source} while it was saved, and starts with the next apply"
