"""What our own scripts on hosts print: sections, and lines of a name and a number."""

from __future__ import annotations

import re
from collections.abc import Sequence

SECTION = "@@ "
"""Starts a line that names the next section."""

_VERSION = re.compile(r"\d{1,9}(?:\.\d{1,9})+", re.ASCII)
_NUMBER = re.compile(r"\d{1,18}", re.ASCII)


def sections(text: str) -> dict[str, str]:
    """The parts of a script's output by the name after `@@ `; what comes before the first is dropped."""
    parts: dict[str, list[str]] = {}
    current: list[str] = []
    for line in text.splitlines():
        if line.startswith(SECTION):
            current = parts.setdefault(line[len(SECTION) :].strip(), [])
        else:
            current.append(line)
    return {name: "\n".join(lines) for name, lines in parts.items()}


def version(text: str) -> str:
    """The first version number in a program's `--version`; empty when there is none."""
    match = _VERSION.search(text)
    return match[0] if match else ""


def numbers(text: str, names: Sequence[str]) -> dict[str, int]:
    """`name value` lines as numbers; names that are missing or not numbers become 0."""
    found = dict.fromkeys(names, 0)
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name in found and _NUMBER.fullmatch(value.strip()):
            found[name] = int(value)
    return found
