"""The notes of watches: whole or not at all, and never overwritten when they cannot be understood."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.errors import JournalError
from reconciler.model.notes import Notes, PutBack
from reconciler.state.notebook import Notebook

ONE = Notes(put_back={"web": PutBack(wanted="a", at=1.0, run="r", why="it did not start")})


def test_what_is_noted_is_there_for_others(tmp_path: Path) -> None:
    notes = Notebook.beside(tmp_path / "state" / "journal.db")
    assert notes.read() == Notes()
    notes.change(lambda old: ONE)
    assert Notebook.beside(tmp_path / "state" / "journal.db").read() == ONE
    assert os.stat(notes.path).st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "{", '{"putBack": 1}', '{"later": true}'])
def test_what_cannot_be_understood_is_told_and_kept(tmp_path: Path, text: str) -> None:
    notes = Notebook(tmp_path / "notes")
    notes.path.write_text(text)
    with pytest.raises(JournalError, match="damaged"):
        notes.change(lambda old: ONE)
    assert notes.path.read_text() == text


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="cannot be"):
        Notebook(tmp_path / "file" / "notes").change(lambda old: ONE)
