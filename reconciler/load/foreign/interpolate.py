"""`${NAME:-default}` in compose files, as their specification has it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_BRACED = re.compile(
    r"\$(?:\$|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-?+])((?:[^{}]|\{[^{}]*\})*))?\})"
)
ALONE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)(?::?[-?][^}]*)?\}?")
"""A value that is one variable and nothing else."""
MOST_NESTED = 8


def interpolate(value: Any, known: Mapping[str, str], missing: set[str], depth: int = 0) -> Any:
    """All texts below a value with variables filled in; `missing` gets those with no value nor default."""
    if isinstance(value, dict):
        return {key: interpolate(item, known, missing, depth) for key, item in value.items()}
    if isinstance(value, list):
        return [interpolate(item, known, missing, depth) for item in value]
    if not isinstance(value, str) or "$" not in value:
        return value

    def one(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        name, sign, other = match[1] or match[2], match[3] or "", match[4] or ""
        found = known.get(name)
        there = found is not None and (found != "" or ":" not in sign)
        if "+" in sign:
            return other if there else ""
        if there:
            return found or ""
        if "-" in sign and depth < MOST_NESTED:
            return str(interpolate(other, known, missing, depth + 1))
        missing.add(name)
        return ""

    return _BRACED.sub(one, value)
