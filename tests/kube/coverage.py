"""What a run of the tests covered of the state table, in build/kube.json."""

from __future__ import annotations

import json
from collections.abc import Iterable

from tests.kube.decide import Phase
from tests.kube.table import TABLE
from tests.results import BUILD

_seen: set[tuple[Phase, str, Phase]] = set()


def walked(seen: Iterable[tuple[Phase, str, Phase]]) -> None:
    """Transitions that were played over a real API server."""
    _seen.update(seen)


def write(cases: int, failed: int) -> None:
    """Replace build/kube.json at once."""
    rows = {(row.phase, row.event, row.becomes) for row in TABLE}
    missing = sorted(f"{phase or 'new'}: {event}" for phase, event, _ in rows - _seen)
    found = {"transitions": len(rows), "covered": len(rows & _seen), "cases": cases, "failed": failed}
    BUILD.mkdir(exist_ok=True)
    fresh = BUILD / ".kube.json.new"
    fresh.write_text(json.dumps(found | {"missing": missing}, indent=1) + "\n", encoding="utf-8")
    fresh.replace(BUILD / "kube.json")
