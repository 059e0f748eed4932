"""What test programs promise to write: just these fields."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from tests import results
from tests.bench import report
from tests.bench.cells import Cell, Measured, Series
from tests.compat.moving import Outcome
from tests.faults.model import Verdict

MOVE = report.move_row(Measured(Cell(4), Series(), Series()))
PROGRAM = asdict(Outcome("redis", "moves", True, "moves", "", False, "all")) | {"runtime": "podman"}


@pytest.mark.parametrize(
    ("name", "row"), [("bench", MOVE), ("compat", PROGRAM), ("faults", asdict(Verdict("a", ["back"])))]
)
def test_rows_have_the_promised_fields(
    name: str, row: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "BUILD", tmp_path)
    results.write(name, [row])
    (written,) = json.loads((tmp_path / f"{name}.json").read_text())
    assert tuple(written) == results.FIELDS[name]
    assert {field: row[field] for field in written} == written
