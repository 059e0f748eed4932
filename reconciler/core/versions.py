"""Versions as programs print them, to be compared."""

from __future__ import annotations


def version_tuple(text: str) -> tuple[int, ...]:
    """Numbers of a version text such as `4.2.1` or `1.28`; empty when there are none."""
    numbers: list[int] = []
    for part in text.split("-")[0].split("."):
        digits = "".join(c for c in part if c.isdigit())
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)
