"""Commands that a spec adds to a move. Argument lists only: nothing here is ever read by a shell."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from reconciler.model.base import Duration, Model

PROGRAM = r"(/[A-Za-z0-9._+/-]*)?[A-Za-z0-9_][A-Za-z0-9._+-]*"
ARGUMENT = r"^[^\x00-\x1f\x7f]*$"


def _argv(words: list[str]) -> list[str]:
    if not re.fullmatch(PROGRAM, words[0]):
        raise ValueError("must begin with a program's name or absolute path")
    return words


Argument = Annotated[str, Field(pattern=ARGUMENT, max_length=1024)]
Argv = Annotated[list[Argument], Field(min_length=1, max_length=64), AfterValidator(_argv)]


class Action(Model):
    """A command on a host, as root, that belongs to a move. `undo` takes it back when the move does not happen; it
    is run once, and only where `do` was begun."""

    do: Argv
    undo: Argv
    within: Duration = "5s"


class MoveActions(Model):
    """What else must change hands, such as an address that is not the container's own. In order; undone in
    reverse."""

    before_hold: list[Action] = Field([], max_length=8, description="On the source, right before it is frozen")
    after_restore: list[Action] = Field(
        [], max_length=8, description="On the destination, once the workload runs there"
    )
