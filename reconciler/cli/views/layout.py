"""Text made to fit who reads it: folded on a terminal, whole lines in a pipe, where programs search and cut them.

The one place that knows how wide a terminal is. What is folded goes on under the text of its own column; words
that cannot be broken, such as paths and digests, stay whole.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from typing import IO, Any, Final

import typer

from reconciler.text import terminal

NARROWEST: Final = 20
"""Columns below which nothing could be read any more: what says less is taken for not knowing."""
USUAL: Final = 80
"""Columns of a terminal that does not say how many it has."""

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_WORD = re.compile(r"\s*\S+")
_COLUMN = re.compile(r"\s*\S.*?\s{2,}(?=\S)")
"""What stands before the text of a line: a label, and two blanks or more."""


def width_of(stream: IO[Any]) -> int | None:
    """Columns of a terminal, or as COLUMNS says; None for what is no terminal."""
    if not stream.isatty():
        return None
    said = os.environ.get("COLUMNS", "")
    try:
        columns = int(said) if said.isdecimal() else os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        columns = 0
    return columns if columns >= NARROWEST else USUAL


def say(text: str, *, err: bool = False, hang: int = 2) -> None:
    """Print text for people on stdout, or on stderr. `hang`: see `folded`."""
    typer.echo(folded(text, width_of(sys.stderr if err else sys.stdout), hang), err=err)


def folded(text: str, width: int | None, hang: int = 2) -> str:
    """Lines of at most `width` columns. A line goes on under its text where a label stands before it that takes at
    most half of them, else `hang` columns further in than it begins."""
    text = terminal(text)
    if width is None:
        return text
    return "\n".join(_fold(line, width, hang) if columns_of(line) > width else line for line in text.split("\n"))


def columns_of(text: str) -> int:
    """Columns a text takes on a terminal: colours take none, wide characters two."""
    plain = _COLOURS.sub("", text)
    if plain.isascii():
        return len(plain)
    from rich.cells import cell_len

    return cell_len(plain)


def padded(text: str, columns: int) -> str:
    """A text filled with blanks."""
    return text + " " * (columns - columns_of(text))


def labelled(label: str, text: str, *, indent: int, column: int) -> str:
    """`label` and `text` in two columns; at least two blanks are between them, for `folded` to know them by."""
    return f"{' ' * indent}{padded(f'{label}  ', column)}{text}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Rows in columns under their heads. Where that is wider than `width`: a block of lines for each, the first
    cell above the others with their heads, and without those that hold nothing ("-")."""
    every = [head, *rows]
    widths = [max(columns_of(row[n]) for row in every) for n in range(len(head))]
    if width is None or sum(widths) + 2 * (len(widths) - 1) <= width:
        return ["  ".join(padded(c, w) for c, w in zip(row, widths, strict=True)).rstrip() for row in every]
    label = max(map(columns_of, head[1:]), default=0)
    return ["\n".join([row[0], *_cells(head, row, label)]) for row in rows]


def _cells(head: Sequence[str], row: Sequence[str], label: int) -> list[str]:
    named = zip(head[1:], row[1:], strict=True)
    return [f"    {padded(name, label)}  {cell}" for name, cell in named if cell not in ("", "-")]


def _fold(line: str, width: int, hang: int) -> str:
    """Neither textwrap nor rich will do: the one counts wide characters and colours wrongly, the other cuts long
    words or breaks them."""
    plain = _COLOURS.sub("", line)
    indent = len(plain) - len(plain.lstrip())
    column = _COLUMN.match(plain)
    further = columns_of(column[0]) if column else width
    if further > width // 2:
        further = min(indent + hang, width // 2)
    lines = [""]
    for word in _WORD.findall(line):
        if lines[-1] and columns_of(lines[-1]) + columns_of(word) > width:
            lines.append(" " * further + word.lstrip())
        else:
            lines[-1] += word
    return "\n".join(lines)
