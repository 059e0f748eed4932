"""The table of `make fidelity` says what it means, and a difference that it does not know is in no class."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.runtimes import registry
from tests.fidelity.compare import Row, table, verdicts

ROWS = (
    Row("carried", "we see to it", ("net/.*",)),
    Row("told", "the plan tells", ("net/multicast",), rule="process.multicast"),
    Row("inherent", "outside", ("pid",)),
    Row("inherent", "grows a little", ("pss",), within=1.5),
    Row("unclassified", "to be mended", ("log",)),
)


@pytest.mark.parametrize(
    ("fact", "was", "became", "rules", "kind"),
    [
        ("net/route", "a", "a", set(), "carried"),
        ("net/route", "a", "b", set(), "unclassified"),
        ("net/multicast", "a", None, {"process.multicast"}, "told"),
        ("net/multicast", "a", None, {"process.sqlite"}, "unclassified"),
        ("pid", "1", "2", set(), "inherent"),
        ("pids", "1", "2", set(), "unclassified"),
        ("pid", "1", "1", set(), "same"),
        ("pss", "100", "149", set(), "same"),
        ("pss", "100", "151", set(), "unclassified"),
        ("pss", "151", "100", set(), "unclassified"),
        ("log", "a", "", set(), "unclassified"),
        ("new", None, "a", set(), "unclassified"),
    ],
)
def test_class(fact: str, was: str | None, became: str | None, rules: set[str], kind: str) -> None:
    before, after = ({fact: value} if value is not None else {} for value in (was, became))
    found = verdicts(before, after, ROWS, rules)
    assert dict(found.count) == {kind: 1}
    assert bool(found.unclassified) == (kind == "unclassified")
    assert bool(found.unknown) == (kind == "unclassified" and fact != "log")


def test_rules_that_the_table_names_exist() -> None:
    assert all(row.rule in registry.rules() for row in table() if row.kind == "told")


@pytest.mark.parametrize(
    "text", ['class = "told"\nfacts = ["a"]\nreason = "b"', 'class = "so"\nfacts = ["a"]\nreason = "b"']
)
def test_a_row_that_says_too_little(tmp_path: Path, text: str) -> None:
    (tmp_path / "rows.toml").write_text(f"[[row]]\n{text}\n")
    with pytest.raises(ValueError, match="not whole"):
        table(tmp_path / "rows.toml")
