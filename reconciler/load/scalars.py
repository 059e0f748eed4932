"""Plain scalars by the YAML 1.2 core schema: `yes`, `no`, `on`, `off`, dates and times stay text."""

from __future__ import annotations

import re
from typing import Final

from reconciler.load.limits import MAX_NUMBER_CHARS

Scalar = str | int | float | bool | None

WORDS: Final[dict[str, Scalar]] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
    ".nan": float("nan"),
    ".NaN": float("nan"),
    ".NAN": float("nan"),
    **{sign + word: float(sign + "inf") for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")},
}

FIRST: Final = frozenset("0123456789+-.~nNtTfF")
"""First characters of all plain scalars that are not text (the empty one aside)."""

_INT = re.compile(r"[-+]?[0-9]+", re.ASCII)
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")


def is_ambiguous(text: str) -> bool:
    """Whether YAML 1.1 and 1.2 readers see different numbers in a plain scalar, as in `0755`."""
    return _LEADING_ZERO.fullmatch(text) is not None


def resolve(text: str) -> Scalar:
    """The value of a plain scalar. Numbers too long to be one stay text, and so do ambiguous ones."""
    if text in WORDS:
        return WORDS[text]
    if len(text) > MAX_NUMBER_CHARS or is_ambiguous(text):
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text[2:], 8)
    if _HEX.fullmatch(text):
        return int(text[2:], 16)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
