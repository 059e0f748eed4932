"""Text that others wrote, made fit to be shown: it commands no terminal, hides nothing and is not endless."""

from __future__ import annotations

import re

MOST = 4000
"""Characters of one part of a message."""

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)
"""Control characters but for tab and line end, marks that turn the direction of text, and halves of pairs."""


_OURS = re.compile("(\x1b\\[(?:[0-9;]*m|[0-9]*[AK]|\\?25[hl])|\r(?!\n))")
"""Colours, and what a progress bar needs: lines up, a line erased, the cursor hidden, the line's begin."""


def printable(text: str) -> str:
    """The text with every character that a terminal would act on written out, such as `\\x1b`."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub(_written_out, text.replace("\r\n", "\n"))


def terminal(text: str) -> str:
    """Text for a terminal with our own colours and progress bars, and no other command to it. The last lock: what
    hosts say has been made printable where it came in."""
    if text.isascii() and text.isprintable():
        return text
    parts = _OURS.split(text)
    return "".join(part if number % 2 else printable(part) for number, part in enumerate(parts))


def short(text: str, most: int = MOST) -> str:
    """The beginning of a long text, saying how much is left out."""
    return text if len(text) <= most else f"{text[:most]}... ({len(text) - most} more characters)"


def _written_out(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
