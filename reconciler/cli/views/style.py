"""Colours, only for terminals that want them."""

from __future__ import annotations

import os
from typing import IO, Any

CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}


def color_of(stream: IO[Any]) -> bool:
    """Whether to colour text on a stream: a terminal, and NO_COLOR is not set (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(style: str, text: str, color: bool) -> str:
    """Text in a style, line by line, or as it is."""
    return "\n".join(f"\x1b[{CODES[style]}m{line}\x1b[0m" for line in text.split("\n")) if color else text
