"""Folders that both hosts of a move mount from the same storage (`shared: true`): proven before all else.

What file systems say of themselves proves nothing, so one host writes and the other reads. The file is there for
an instant, and goes whatever happens; one that a controller left when it died is written over by the next move.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from reconciler.engine.effects.base import Acting
from reconciler.errors import CommandFailed, Refused
from reconciler.model.command import Command, Program, Seconds
from reconciler.model.container import Mount
from reconciler.model.plan import Step
from reconciler.resources import host_script

LIMIT: Seconds = 30.0
"""A network file system whose server is gone answers never."""
_NO_FOLDER, _NOT_SEEN = 3, 4


def of(mounts: Iterable[Mount]) -> tuple[str, ...]:
    """Each folder once."""
    return tuple(dict.fromkeys(mount.source for mount in mounts if mount.shared))


async def prove(acting: Acting, step: Step) -> None:
    """Refused when one of the workload's is not the same on both hosts of this step."""
    assert step.peer
    for path in of(acting.plan.workloads[step.workload].spec.mounts):
        try:
            number = await acting.on(step.peer, _do("write", path, step.workload, acting.run))
            try:
                found = await acting.on(step.host, _do("read", path, step.workload, acting.run))
            finally:
                await asyncio.shield(acting.on(step.peer, _do("remove", path, step.workload, acting.run)))
        except CommandFailed as error:
            if error.status not in (_NO_FOLDER, _NOT_SEEN):
                raise
            raise _refused(path, step, "what one host writes there the other does not see") from error
        if found != number:
            raise _refused(
                path, step, f"a file there has the inode number {number} on one and {found} on the other"
            )


def _do(what: str, path: str, workload: str, token: str) -> Program[str]:
    argv = ("/bin/sh", "-c", host_script("host", "shared"), "shared", what, path, workload, token)
    done = yield Command(argv, timeout=LIMIT, changes=what != "read")
    return done.stdout.strip()


def _refused(path: str, step: Step, why: str) -> Refused:
    return Refused(
        f"{path} is not the same folder on {step.peer} and {step.host}",
        code="P443",
        where=step.host,
        why=why,
        fix=f"mount the same storage on both at {path}, or let the folder go along: `move: true`",
    )
