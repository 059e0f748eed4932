"""Who reads what ended a command. Nothing else is here: a command that ends well loads no more than this."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Audience:
    """`command` as far as it was understood, and whether JSON was asked for."""

    command: str = ""
    as_json: bool = False
