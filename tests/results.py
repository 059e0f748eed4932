"""Results for programs that read them, in build/NAME.json or build/NAME-PART.json: rows of just these fields,
whatever else was measured.

All that was measured is beside it, in build/NAME-details.json, where the test program keeps more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

BUILD = Path(__file__).parents[1] / "build"
FIELDS = {
    "bench": ("case", "ours_s", "manual_s", "ratio", "predicted_s", "n"),
    "compat": ("program", "runtime", "verdict", "reason", "lost"),
    "contract": ("runtime", "operation", "ok"),
    "faults": ("case", "outcome", "ok"),
}


def details(name: str) -> Path:
    """Where all of it is."""
    return BUILD / f"{name}-details.json"


def write(name: str, rows: Iterable[Mapping[str, object]]) -> None:
    """Replace build/NAME.json at once."""
    BUILD.mkdir(exist_ok=True)
    fresh = BUILD / f".{name}.new"
    fields = FIELDS[name.partition("-")[0]]
    fresh.write_text(json.dumps([{field: row[field] for field in fields} for row in rows], indent=1) + "\n")
    fresh.replace(BUILD / f"{name}.json")
