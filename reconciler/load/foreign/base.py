"""What an import makes, and what it could not take along."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import count
from typing import Any

Section = dict[str, Any]
WRONG_KIND = (AttributeError, TypeError, LookupError, ValueError, ArithmeticError, RecursionError)
"""What is raised where a value of a file is none of those that belong there."""


def kind(error: BaseException) -> str:
    """Why a file is refused."""
    return f"a value is of another kind than it should be: {error}"


@dataclass(frozen=True)
class Remark:
    """Something that is not as it was. `lost`: the spec cannot say it; otherwise it means nothing here, or is to
    be looked at."""

    what: str
    why: str
    lost: bool = True


@dataclass
class Service:
    """One workload to be: its name, its container section, and what is not in it."""

    name: str
    container: Section = field(default_factory=dict)
    notes: list[Remark] = field(default_factory=list)

    def lose(self, what: str, why: str) -> None:
        self.notes.append(Remark(what, why))

    def tell(self, what: str, why: str) -> None:
        self.notes.append(Remark(what, why, lost=False))


@dataclass
class Import:
    services: list[Service] = field(default_factory=list)
    networks: dict[str, Section] = field(default_factory=dict)
    notes: list[Remark] = field(default_factory=list)


def name_of(*words: str) -> str:
    """A name as specs take them, of words that may hold anything."""
    text = re.sub(r"[^a-z0-9.]+", "-", "-".join(filter(None, words)).lower()).strip("-.")
    return text[:63].rstrip("-.") or "unnamed"


def unused(name: str, taken: Collection[str]) -> str:
    """A name like this one that is not taken."""
    numbered = (f"{name[: 62 - len(str(number))]}-{number}" for number in count(2))
    return name if name not in taken else next(one for one in numbered if one not in taken)


def text_of(value: Any) -> str:
    """As compose writes a scalar into a variable or label."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def pairs(value: Any, by: str = "=") -> dict[str, Any]:
    """A mapping, or a list of `NAME=value`; names without a value have None."""
    if isinstance(value, dict):
        return {str(key): item for key, item in value.items()}
    found: dict[str, Any] = {}
    for item in listed(value):
        key, sign, rest = str(item).partition(by)
        found[key.strip()] = rest if sign else None
    return found


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
