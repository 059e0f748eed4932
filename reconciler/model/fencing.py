"""How a host that does not answer is made sure to be off."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from reconciler.model.base import Duration, Model
from reconciler.model.fields import Flag, OneLine

PROGRAM = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", re.ASCII)


def _program_first(words: list[str]) -> list[str]:
    if not PROGRAM.fullmatch(words[0]):
        raise ValueError(f"`{words[0]}` is no name of a program: no folder, letters, digits, dots and dashes")
    return words


Words = Annotated[list[OneLine], Field(min_length=1, max_length=100), AfterValidator(_program_first)]
"""A program of the controller's folder for them, and its arguments. No shell runs it."""


class Fencing(Model):
    """Programs of the controller that cut a host off from power, and say whether it is off. They are looked for in
    the folder that RECONCILE_FENCING names, else in /etc/reconciler/fencing, and nowhere else."""

    command: Words = Field(description="Cuts its power; ends with 0 once that is done")
    verify: Words = Field(description="Ends with 0 only if it is off; asked again until `timeout` is over")
    timeout: Duration = Field("1m", description="For each of the two")
    automatic: Flag = Field(False, description="Whether a watch may use it by itself")
    after: Duration = Field(
        "5m", description="With `automatic`: how long the host does not answer before a watch does"
    )
