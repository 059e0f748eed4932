"""Results for programs (build/fidelity.json) and for people (docs/fidelity.md)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.fidelity.compare import CLASSES, Class, Row, Verdicts
from tests.results import BUILD

BEGIN, END = "<!-- results -->", "<!-- end of results -->"
HEADINGS: dict[Class, str] = {
    "carried": "Carried by us",
    "told": "Told in the plan",
    "inherent": "Inherent",
    "unclassified": "In no class: it differs without a word, and is to be mended",
}
Runs = Mapping[str, Sequence[Verdicts]]
"""By what was tried (`runc, cold`): the verdicts of h1 to h2, and of h2 back to h1."""


def summed(runs: Runs) -> dict[str, int]:
    count: Counter[str] = Counter()
    for moves in runs.values():
        for move in moves:
            count["facts"] += move.facts
            count.update(move.count)
    return {"facts": count["facts"], **{kind: count[kind] for kind in CLASSES}}


def write(runs: Runs) -> None:
    """build/fidelity.json and, with every difference that is in no class, build/fidelity-details.json."""
    BUILD.mkdir(exist_ok=True)
    details = {name: [move.unclassified for move in moves] for name, moves in runs.items()}
    for file, content in (("fidelity.json", summed(runs)), ("fidelity-details.json", details)):
        fresh = BUILD / f".{file}.new"
        fresh.write_text(json.dumps(content, indent=1) + "\n")
        fresh.replace(BUILD / file)


def write_docs(runs: Runs, refused: Mapping[str, str], path: Path) -> None:
    """Replace what is between the marks."""
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    body = "\n\n".join((_counts(runs, refused), *(_class(runs, kind) for kind in HEADINGS)))
    path.write_text(f"{before}{BEGIN}\n{body}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


def _counts(runs: Runs, refused: Mapping[str, str]) -> str:
    rows = ["| move | facts | " + " | ".join(CLASSES) + " |", "|---|" + "---|" * (len(CLASSES) + 1)]
    for name, moves in runs.items():
        for way, move in zip(("there", "and back"), moves, strict=False):
            counts = " | ".join(f"{move.count[kind]:,}" for kind in CLASSES)
            rows.append(f"| {name}, {way} | {move.facts:,} | {counts} |")
    rows += [f"| {name} | refused: {why} |" + " |" * len(CLASSES) for name, why in refused.items()]
    return "\n".join(rows)


def _class(runs: Runs, kind: Class) -> str:
    most: dict[Row, int] = {}
    for moves in runs.values():
        for move in moves:
            for row, count in move.rows.items():
                if row.kind == kind:
                    most[row] = max(most.get(row, 0), count)
    if not most:
        return f"### {HEADINGS[kind]}\n\nNothing."
    lines = [f"### {HEADINGS[kind]}", "", "| facts | why |", "|---|---|"]
    for row, count in most.items():
        rule = f"`{row.rule}`: " if row.rule else ""
        limit = f" (up to {row.within:g} times)" if row.within else ""
        lines.append(f"| {count:,} | {rule}{row.reason}{limit} |")
    return "\n".join(lines)
