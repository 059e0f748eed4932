"""Every row of bad YAML and bad specs: the files in `cases/` and what must be said of them, where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.cli.views.diagnostics import render_diagnostics
from reconciler.cli.views.output.base import as_json
from reconciler.cli.views.output.specs import invalid_document
from reconciler.errors import Diagnostic, InputError
from reconciler.load import CODES, load
from reconciler.load.compose import compose
from reconciler.load.files import Unreadable, decode

CASES = Path(__file__).parent / "cases"
SECRET = "hunter2"  # planted in all cases about secrets


def findings(path: Path) -> tuple[Diagnostic, ...]:
    with pytest.raises(InputError) as caught:
        load([path])
    assert caught.value.exit_code == 4
    return caught.value.diagnostics


@pytest.mark.parametrize("path", sorted(CASES.glob("*.yaml")), ids=lambda path: path.stem)
def test_what_is_said_and_where(path: Path) -> None:
    said = [f"{d.code}:{d.line}:{d.col} {d.message}".replace(f"{CASES}/", "") for d in findings(path)]
    assert said == path.with_suffix(".expect").read_text().splitlines()


@pytest.mark.parametrize("path", sorted(CASES.glob("*.yaml")), ids=lambda path: path.stem)
def test_codes_are_explained_and_secrets_stay_hidden(path: Path) -> None:
    found = findings(path)
    assert {d.code for d in found} <= CODES.keys()
    shown = render_diagnostics(found, color=False) + json.dumps(as_json(invalid_document(found, "", 4)))
    assert SECRET not in shown
    assert all(c.isprintable() or c == "\n" for c in shown)


@pytest.mark.parametrize("path", sorted(CASES.glob("*.yaml")), ids=lambda path: path.stem)
def test_libyaml_and_the_python_parser_agree(path: Path) -> None:
    try:
        text = decode(path.read_bytes(), path.name)
    except Unreadable:
        return
    fast, pure = compose(text), compose(text, pure=True)
    assert repr([d.value for d in fast.documents]) == repr([d.value for d in pure.documents])
    assert [i.code for i in fast.issues] == [i.code for i in pure.issues]


def test_every_case_has_an_expectation() -> None:
    assert {p.stem for p in CASES.glob("*.yaml")} == {p.stem for p in CASES.glob("*.expect")}
