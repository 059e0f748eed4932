"""Saving what runs on: its files while it runs, its memory and what changed of its files in one freeze."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reconciler.core.causes import telling
from reconciler.criu import holding
from reconciler.criu.tasks import Tasks
from reconciler.errors import CommandFailed
from reconciler.guard import guard
from reconciler.model.command import Command, Program, Seconds
from reconciler.model.handover import Handover, Held, Located
from reconciler.resources import host_script

SHADOW_LIMIT: Seconds = 4 * 3600.0
_TOO_LONG = 5
"""How `shadow.sh` ends where a path could never be restored."""
_TORN = 4
"""How `capture.sh` ends when what it has is of more than one instant."""


def script(name: str, *arguments: str) -> tuple[str, ...]:
    """The argument list that runs a script which makes the files of a checkpoint."""
    return ("/bin/sh", "-c", host_script("store", name), name, *arguments)


def shadow(located: Located, folder: str, config: str = "") -> Program[None]:
    """Copy the folders of a workload that runs. `config`: of its OCI runtime, to be kept beside them."""
    trees = (tree for tree in located.trees if tree.kind != "images")
    lines = "".join(f"{tree.path}\n" for tree in trees)
    argv, ok = script("shadow", folder, config), (0, _TOO_LONG)
    said = yield Command(argv, stdin=lines.encode(), timeout=SHADOW_LIMIT, changes=True, ok=ok)
    if said.status == _TOO_LONG:
        raise CommandFailed(
            telling(said.stderr),
            code="C326",
            exit_code=said.status,
            fix="move or rename what is so deep in it, or remove it",
        )


def capture(
    handover: Handover,
    tasks: Tasks,
    argv: Sequence[str],
    folder: str,
    *,
    lives_on: Callable[[], Program[str]],
    under: Sequence[str] = (),
) -> Program[Held]:
    """Hold it by this dump, copy what changed and let it run on, all by one command on its host. `under`: a
    command that gets the guard's as its last arguments. Its addresses stay where they are."""
    fence = handover.fence
    who = (handover.name, str(fence.epoch), handover.run)
    wrapped = (*script("capture", folder, *who, guard.guard_path()), *under)
    try:
        return (
            yield from holding.hold(handover, tasks, argv, lives_on=lives_on, under=wrapped, fence_network=False)
        )
    except CommandFailed as error:
        if error.status != _TORN:
            raise
        raise CommandFailed(
            f"{handover.name} could not be captured",
            exit_code=error.status,
            stderr=error.stderr,
            where=error.where,
            code="C370",
            why=telling(error.stderr),
            fix="look for disk space and for what else writes to its folders, then take it again",
        ) from error
