"""What a command line asks for, as far as that can be told before, or without, understanding all of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from typer import Typer

JSON = {"--json", "--format=json", "--output=json", "-o=json", "-ojson"}
LONGEST = 36500 * 86400.0
"""Seconds that somebody can mean."""
PASSES_ON = ("lab exec",)
"""Commands whose last words are another program's."""


def command_of(app: Typer, arguments: Sequence[str]) -> str:
    """The words of the command that is named, such as `hosts add`; empty when none is."""
    command = typer.main.get_command(app)
    words: list[str] = []
    left = iter(arguments)
    for word in left:
        if word.startswith("-"):
            takes = (p for p in command.params if word in p.opts and not getattr(p, "is_flag", False))
            if any(takes):
                next(left, None)
            continue
        found = getattr(command, "commands", {}).get(word)
        if found is None:
            break
        words.append(word)
        command = found
    return " ".join(words)


def wants_json(command: str, arguments: Sequence[str]) -> bool:
    """Whether it is to answer in JSON, also when the rest makes no sense."""
    ours = arguments[: arguments.index("--")] if "--" in arguments else arguments
    pairs = {*ours, *(f"{one}={two}" for one, two in pairwise(ours))}
    return (
        bool({"--json", "--format=json", "--output=json", "-o=json", "-ojson"} & pairs)
        and command not in PASSES_ON
    )


def duration(option: str, text: str) -> float:
    """Seconds of an option's value, which are added to times. InputError names the option."""
    from reconciler.errors import InputError
    from reconciler.model.base import parse_duration

    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise InputError(f"{option} {error}", code="E190") from None
    if seconds > LONGEST:
        raise InputError(f"{option} must be a hundred years (36500d) at most", code="E190")
    return seconds
