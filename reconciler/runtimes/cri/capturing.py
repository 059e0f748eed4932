"""A pod that is saved and runs on: CRIU's hook keeps it frozen over complete images, as for every runtime.

`CheckpointContainer` has CRIU dump it. CRIU's config, which a container's annotation names, has the images written
into our own folder, and its hook tells CRIU in the end that the dump has failed: so the tasks run on, containerd
lets go of them and makes no archive. The call fails for containerd; whether the checkpoint is whole the guard
says.
"""

from __future__ import annotations

from reconciler.criu import capturing
from reconciler.errors import CommandFailed, Refused
from reconciler.model.command import Program, Tree
from reconciler.runtimes.base import Handover, Held, Located
from reconciler.runtimes.cri import copies, dumping


def shadow(handover: Handover, folder: str) -> Program[Located]:
    name = handover.name
    facts = yield from copies.running(handover)
    if facts is None:
        where = handover.move.source
        raise Refused(f"{name} cannot be saved: it does not run on {where}", code="P450", fix="try again")
    dumping.check(handover, facts, "saved")
    own = copies.tasks(facts)
    yield from dumping.prepare(handover, own)
    found = Located(facts.id, (Tree("images", own.images), Tree("rootfs", (yield from copies.upper(facts)))))
    yield from capturing.shadow(found, folder)
    return found


def capture(handover: Handover, folder: str) -> Program[Held]:
    facts = yield from copies.running(handover)
    if facts is None:
        raise CommandFailed(f"{handover.name} was not made ready to be saved", code="C312")

    def lives_on() -> Program[str]:
        now = yield from copies.running(handover)
        return "" if now is not None else "it has ended"

    own, argv = copies.tasks(facts), dumping.argv(facts)
    return (yield from capturing.capture(handover, own, argv, folder, lives_on=lives_on))
