"""build/contract.json: what each runtime was asked for, how, and whether it kept its promise.

An operation is well when every test that asked for it passed. Runs of single tests add to what is there.
"""

from __future__ import annotations

import fcntl
import json

import pytest

from tests import results
from tests.drivers.contract import LooksContract, RuntimeContract
from tests.drivers.scene import Scene

_rows: dict[tuple[str, str], bool] = {}
asked: dict[str, set[str]] = {}
"""Operations with how they were asked for, by the name of the test class."""


def note(item: pytest.Item, report: pytest.TestReport) -> None:
    """A part of the contract has ended."""
    of = getattr(item, "cls", None)
    if not (of and issubclass(of, RuntimeContract | LooksContract)) or report.skipped:
        return
    if report.when != "call" and not report.failed:
        return
    scene = getattr(item, "funcargs", {}).get("scene")
    found = {f"{operation}, {how}" for operation, how in scene.asked.rows} if isinstance(scene, Scene) else set()
    asked.setdefault(of.__name__, set()).update(found)
    for operation in {item.name.removeprefix("test_"), *found}:
        key = (of.runtime, operation)
        _rows[key] = _rows.get(key, True) and report.passed


def write() -> None:
    if not _rows:
        return
    path = results.BUILD / "contract.json"
    results.BUILD.mkdir(exist_ok=True)
    with (results.BUILD / ".contract.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # tests may run in several processes
        try:
            had = {(row["runtime"], row["operation"]): row["ok"] for row in json.loads(path.read_text())}
        except (OSError, ValueError, KeyError, TypeError):
            had = {}
        rows = sorted((had | _rows).items())
        results.write("contract", [{"runtime": r, "operation": o, "ok": ok} for (r, o), ok in rows])
