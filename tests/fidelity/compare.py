"""What differs, and in which class each difference is: as the table `classes.toml` says. What it does not name is
in none."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.fidelity.processes import Facts

TABLE = Path(__file__).with_name("classes.toml")

Class = Literal["same", "carried", "told", "inherent", "unclassified"]
CLASSES: tuple[Class, ...] = ("same", "carried", "told", "inherent", "unclassified")


@dataclass(frozen=True)
class Row:
    """Facts whose name matches one of the patterns. `carried`: they are the same because we see to it.
    `unclassified`: known to differ without a word, which is to be mended. `rule`: by which plans tell of it.
    `within`: how many times as large a number may be, up or down."""

    kind: Class
    reason: str
    facts: tuple[str, ...]
    rule: str = ""
    within: float = 0.0

    def holds(self, fact: str) -> bool:
        return any(re.fullmatch(pattern, fact, re.DOTALL) for pattern in self.facts)


@dataclass
class Verdicts:
    """Of one move. `unclassified`: what differs and no row explains. `unknown`: those of them that no row
    names either."""

    count: Counter[Class] = field(default_factory=Counter)
    rows: Counter[Row] = field(default_factory=Counter)
    unclassified: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    @property
    def facts(self) -> int:
        return sum(self.count.values())


def table(path: Path = TABLE) -> tuple[Row, ...]:
    """Rows in their order; the first that holds counts. ValueError for one that says too little."""
    rows = []
    for section in tomllib.loads(path.read_text(encoding="utf-8"))["row"]:
        row = Row(section.pop("class"), section.pop("reason"), tuple(section.pop("facts")), **section)
        if row.kind not in CLASSES or not row.reason or not row.facts or (row.kind == "told") != bool(row.rule):
            raise ValueError(f"a row of {path.name} is not whole: {row}")
        rows.append(row)
    return tuple(rows)


def verdicts(before: Facts, after: Facts, rows: Sequence[Row], rules: Set[str]) -> Verdicts:
    """`rules`: those that the plan of this move told of. What it did not tell is not told."""
    found = Verdicts()
    carried = [row for row in rows if row.kind == "carried"]
    for fact in sorted(before.keys() | after.keys()):
        was, became = before.get(fact), after.get(fact)
        if was == became:
            row = next((row for row in carried if row.holds(fact)), None)
            kind: Class = "carried" if row else "same"
        else:
            row = next((row for row in rows if _explains(row, fact, was, became, rules)), None)
            kind = "unclassified" if row is None else "same" if row.within else row.kind
        found.count[kind] += 1
        if row:
            found.rows[row] += 1
        if kind == "unclassified":
            found.unclassified[fact] = (was, became)
            if row is None:
                found.unknown.append(fact)
    return found


def _explains(row: Row, fact: str, was: str | None, became: str | None, rules: Set[str]) -> bool:
    if row.kind == "carried" or not row.holds(fact):
        return False
    if row.within:
        first, second = float(was or 0), float(became or 0)
        return first <= second * row.within and second <= first * row.within
    return row.kind != "told" or row.rule in rules


def named(facts: Facts, known: Mapping[str, str]) -> Facts:
    """With what is called otherwise on each host (IDs of containers) by one name."""
    for what, name in known.items():
        facts = {key.replace(what, name): value.replace(what, name) for key, value in facts.items()}
    return facts
