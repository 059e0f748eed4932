"""Time stamps as programs in Go print them. Pure."""

from __future__ import annotations

import contextlib
import re
from datetime import datetime


def timestamp(text: str) -> float:
    """Seconds since the epoch of a Go time stamp; 0 for its zero time and for what is not one."""
    match = re.match(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(\.\d+)?\s*(Z|[+-]\d\d:?\d\d)?", text)
    if not match or match[1].startswith("0001-"):
        return 0.0
    zone = (match[3] or "Z").replace("Z", "+00:00")
    with contextlib.suppress(ValueError):
        return datetime.fromisoformat(match[1] + zone).timestamp() + float(match[2] or 0)
    return 0.0
