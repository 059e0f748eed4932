"""Figures as people read them."""

from __future__ import annotations

from typing import Final

TIME_ENDS: Final = 2**37
"""Seconds since the epoch, in the year 6325: no date is shown of what is later."""


def format_bytes(count: float) -> str:
    """`512 MiB`, `1.5 GiB`, `20 KiB`: binary units, at most one decimal."""
    value, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            break
        value /= 1024
    digits = 0 if unit == "B" or value >= 10 or value == int(value) else 1
    return f"{value:.{digits}f} {unit}"


def format_seconds(seconds: float) -> str:
    """`85 ms`, `1.1 s`, `2 min 5 s`, `3 h 12 min`, `5 d 2 h`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    if seconds < 86400:
        return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"
    return f"{int(seconds // 86400)} d {int(seconds % 86400 // 3600)} h"
