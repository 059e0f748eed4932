"""How far copies are, told beside the journal. Real: files."""

from __future__ import annotations

from pathlib import Path

from reconciler.state.amounts import EVERY, Amounts


def test_another_process_reads_what_was_told(tmp_path: Path) -> None:
    mine, other = Amounts.beside(tmp_path / "journal.db"), Amounts.beside(tmp_path / "journal.db")
    assert other.read("r1") == {}
    mine.note("r1", "s1", 100, 1000.0)
    mine.note("r1", "s2", 1, 1000.0 + EVERY / 2)
    assert {step: amount.done for step, amount in other.read("r1").items()} == {"s1": 100}, "not yet"
    mine.note("r1", "s1", 200, 1000.0 + EVERY)
    assert {step: amount.done for step, amount in other.read("r1").items()} == {"s1": 200, "s2": 1}
    assert (tmp_path / "journal.db-copies" / "r1.json").stat().st_mode & 0o777 == 0o600
    mine.forget("r1")
    mine.forget("r1")
    assert other.read("r1") == {} and list((tmp_path / "journal.db-copies").iterdir()) == []


def test_a_clock_that_went_back_silences_nothing(tmp_path: Path) -> None:
    amounts = Amounts.beside(tmp_path / "journal.db")
    amounts.note("r1", "s1", 100, 5000.0)
    amounts.note("r1", "s1", 200, 1000.0)
    assert amounts.read("r1")["s1"].done == 200


def test_what_cannot_be_written_or_understood_is_as_good_as_nothing(tmp_path: Path) -> None:
    (tmp_path / "journal.db-copies").write_text("a file")
    amounts = Amounts.beside(tmp_path / "journal.db")
    amounts.note("r1", "s1", 100, 1000.0)
    assert amounts.read("r1") == {}
    amounts.forget("r1")
    (tmp_path / "journal.db-copies").unlink()
    (tmp_path / "journal.db-copies").mkdir()
    (tmp_path / "journal.db-copies" / "r1.json").write_text('{"s1": {"done": "many"}}')
    assert amounts.read("r1") == {}
