"""Empty folders for images, in memory where they fit."""

from __future__ import annotations

from reconciler.criu.tasks import Tasks, shell
from reconciler.guard import guard
from reconciler.model.command import Command, Fence, Program, Tree
from reconciler.model.handover import Handover
from reconciler.model.plan import Phase
from reconciler.model.room import available_for
from reconciler.model.spec import Strategy


def make(handover: Handover, tasks: Tasks) -> Program[None]:
    wanted = str(available_for(handover.move.memory_bytes))
    folders = [tasks.images]
    if handover.move.strategy is Strategy.PRECOPY:
        folders.append(tasks.rounds)
    for folder in folders:
        yield Command(shell("room", folder, wanted), changes=True)


def free(tasks: Tasks, fence: Fence, phases: tuple[Phase | str, ...]) -> Program[None]:
    """Under the fence: a controller that stood still meanwhile would free what a later hand-over has written here,
    which may be all that is left of the workload."""
    yield from guard.run(fence, phases, free_argv(tasks))


def free_argv(tasks: Tasks) -> tuple[str, ...]:
    """Frees every folder a move may have mounted memory on."""
    return shell("unmount", tasks.images, tasks.rounds, tasks.lazy)


def round_tree(tasks: Tasks, number: int) -> Tree:
    return Tree("round", f"{tasks.rounds}/{number}")


def take_round(tasks: Tasks, number: int) -> Program[Tree]:
    """On the destination: an empty folder for a round of a pre-copy."""
    tree = round_tree(tasks, number)
    yield Command(shell("round", tree.path), changes=True)
    return tree
