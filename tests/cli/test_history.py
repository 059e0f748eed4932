"""`history` only reads."""

import stat
from pathlib import Path

from typer.testing import CliRunner

from reconciler.cli.main import app
from reconciler.errors import InputError
from reconciler.state.journal import Journal


def files(folder: Path) -> dict[str, tuple[int, int]]:
    found = {path.name: path.stat() for path in folder.iterdir()}
    return {name: (stat.S_IMODE(s.st_mode), s.st_mtime_ns) for name, s in found.items()}


def test_a_missing_journal_is_not_made(tmp_path):
    path = tmp_path / "none" / "journal.db"
    done = CliRunner().invoke(app, ["history", "--journal", str(path)])
    assert isinstance(done.exception, InputError) and done.exception.code == "E197"
    assert not path.parent.exists()


def test_a_journal_is_left_as_it_is(tmp_path):
    path = tmp_path / "journal.db"
    Journal.open(path).close()
    path.chmod(0o400)
    before = files(tmp_path)
    done = CliRunner().invoke(app, ["history", "--journal", str(path)])
    assert done.exit_code == 0, done.output
    assert files(tmp_path) == before
