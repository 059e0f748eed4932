"""The journal. Real: SQLite, the disk; full and read-only disks where this machine allows."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.errors import JournalError
from reconciler.model.plan import Change, ChangeKind, Plan, Step, StepKind
from reconciler.model.record import Mark, Run, RunState
from reconciler.model.result import InstanceMade
from reconciler.state.journal import Journal, default_path


def a_run(run_id: str = "r1", workload: str = "web", at: float = 1000.0) -> Run:
    change = Change(kind=ChangeKind.CREATE, workload=workload, destination="h1", reason="it is not there")
    step = Step(id="s1", kind=StepKind.CREATE, workload=workload, host="h1", subject="ü")
    return Run(
        id=run_id, plan=Plan(changes=(change,), steps=(step,)), started_at=at, actor="anna@pc/1", commit="abc"
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "state" / "journal.db"


def test_a_run_comes_back_as_it_was_written(path: Path) -> None:
    run = a_run()
    with Journal.open(path) as journal:
        journal.begin(run)
        first = journal.append("r1", "s1", Mark.INTENT, 1001.0)
        second = journal.append("r1", "s1", Mark.DONE, 1002.5, "made ü", InstanceMade(instance="c0ffee"))
        assert (first.seq, second.seq) == (1, 2)
    with Journal.open(path) as journal:
        read = journal.run("r1")
        assert read == run.model_copy(update={"records": (first, second)})
        assert journal.open_runs() == [read]
        journal.end("r1", RunState.DONE, 1003.0)
        assert journal.open_runs() == []
        assert journal.run("r1").ended_at == 1003.0


def test_records_survive_a_kill(path: Path) -> None:
    """The process dies without closing anything right after `append` returned."""
    with Journal.open(path) as journal:
        journal.begin(a_run())
    code = (
        "import os,sys; from reconciler.state.journal import Journal; from reconciler.model.record import Mark\n"
        "j = Journal.open(sys.argv[1])\n"
        "for n in range(50): j.append('r1', f's{n}', Mark.INTENT, float(n))\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], cwd=Path(__file__).parents[2])
    with Journal.open(path) as journal:
        assert [record.seq for record in journal.run("r1").records] == list(range(1, 51))


def test_files_are_for_their_owner_only(path: Path) -> None:
    with Journal.open(path) as journal:
        journal.begin(a_run())
        assert path.parent.stat().st_mode & 0o777 == 0o700
        for file in path.parent.iterdir():
            assert file.stat().st_mode & 0o777 == 0o600, file
    path.chmod(0o644)
    Journal.open(path).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_default_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECONCILE_JOURNAL", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", "/x")
    assert default_path() == Path("/x/reconciler/journal.db")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/anna")
    assert default_path() == Path("/home/anna/.local/state/reconciler/journal.db")
    monkeypatch.setenv("RECONCILE_JOURNAL", "/y/j.db")
    assert default_path() == Path("/y/j.db")


def test_a_newer_journal_is_refused(path: Path) -> None:
    Journal.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    for write in (True, False):
        with pytest.raises(JournalError, match="newer version") as caught:
            Journal.open(path, write=write)
        assert caught.value.where == str(path)
        assert "upgrade" in caught.value.fix


@pytest.mark.parametrize("damage", ["text", "middle", "cut"])
def test_a_damaged_journal_is_refused_with_the_way_out(path: Path, damage: str) -> None:
    with Journal.open(path) as journal:
        for n in range(200):
            journal.begin(a_run(f"r{n}"))
    content = path.read_bytes()
    if damage == "text":
        path.write_bytes(b"not a database, but long enough to be read as one" * 100)
    elif damage == "middle":
        path.write_bytes(content[:4096] + b"\xff" * 8192 + content[12288:])
    else:
        path.write_bytes(content[: len(content) // 2])
    with pytest.raises(JournalError) as caught:
        Journal.open(path)
    assert caught.value.where == str(path)
    assert "move it away" in caught.value.fix


def test_a_plan_of_another_version_is_said_so(path: Path) -> None:
    with Journal.open(path) as journal:
        journal.begin(a_run())
        journal._connection.execute("""UPDATE runs SET plan = '{"thingsToCome": 1}'""")
        with pytest.raises(JournalError, match="r1 cannot be read"):
            journal.run("r1")


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError) as caught:
        Journal.open(tmp_path / "file" / "journal.db")
    assert "--journal" in caught.value.fix


def test_reading_needs_no_file_and_makes_none(path: Path) -> None:
    with Journal.open(path, write=False) as journal:
        assert journal.runs() == []
    assert not path.parent.exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Path:
    """A real file system of 512 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["unshare", "--mount", "true"]
    if os.geteuid() != 0 or subprocess.run(words, capture_output=True).returncode != 0:
        pytest.skip("needs root")
    return disk


def in_small_disk(disk: Path, setup: str, code: str) -> subprocess.CompletedProcess[str]:
    script = f"mount -t tmpfs -o size=512k tmpfs '{disk}' && {setup} && exec '{sys.executable}' -c \"$1\" '{disk}'"
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", code],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )


OPEN = """
import sys, pathlib
from reconciler.errors import JournalError
from reconciler.state.journal import Journal
path = pathlib.Path(sys.argv[1]) / 'j.db'
"""


def test_a_full_disk_stops_before_any_effect(small_disk: Path) -> None:
    code = OPEN + (
        "Journal.open(path).close()\n"
        "try:\n"
        "    (path.parent / 'fill').write_bytes(bytes(10**6))\n"
        "except OSError: pass\n"
        "try: Journal.open(path)\n"
        "except JournalError as e: print(e.what, '|', e.fix)\n"
    )
    done = in_small_disk(small_disk, "true", code)
    assert "cannot be written | free space" in done.stdout, done


def test_a_disk_that_fills_up_fails_the_append_and_keeps_the_rest(small_disk: Path) -> None:
    code = OPEN + (
        "from tests.state.test_journal import a_run\n"
        "from reconciler.model.record import Mark\n"
        "j = Journal.open(path); j.begin(a_run()); n = 0\n"
        "try:\n"
        "    while True: j.append('r1', 's', Mark.INTENT, 1.0, 'x' * 5000); n += 1\n"
        "except JournalError as e: print(e.what)\n"
        "print(n == len(j.run('r1').records), n > 10)\n"
    )
    done = in_small_disk(small_disk, "true", code)
    assert "cannot be written" in done.stdout, done
    assert "True True" in done.stdout


def test_a_journal_whose_disk_was_full_is_not_called_damaged(small_disk: Path) -> None:
    """Its writer died, and its log holds what the file does not."""
    code = OPEN + (
        "import os\n"
        "from tests.state.test_journal import a_run\n"
        "from reconciler.model.record import Mark\n"
        "if not os.fork():\n"
        "    j = Journal.open(path); j.begin(a_run())\n"
        "    try:\n"
        "        while True: j.append('r1', 's', Mark.INTENT, 1.0, 'x' * 5000)\n"
        "    except JournalError: os._exit(0)\n"
        "os.wait()\n"
        "print(path.with_name('j.db-wal').stat().st_size > 0)\n"
        "try: Journal.open(path)\n"
        "except JournalError as e: print(e.what)\n"
        "with Journal.open(path, write=False) as j: print(len(j.run('r1').records) > 10)\n"
    )
    done = in_small_disk(small_disk, "true", code)
    assert done.stdout.split("\n") == ["True", "the journal cannot be written", "True", ""], done


@pytest.mark.parametrize("write", [True, False])
def test_a_connection_that_ends_leaves_the_others_their_locks(path: Path, write: bool) -> None:
    """Else another process takes itself for the last user, and removes the log under us."""
    with Journal.open(path) as journal:
        journal.begin(a_run())
        Journal.open(path, write=write).close()
        log = path.with_name("journal.db-wal")
        inode = log.stat().st_ino
        code = "import sys; from reconciler.state.journal import Journal; Journal.open(sys.argv[1]).close()"
        subprocess.run([sys.executable, "-c", code, str(path)], cwd=Path(__file__).parents[2], check=True)
        assert log.stat().st_ino == inode
        journal.append("r1", "s1", Mark.INTENT, 1.0)
    with Journal.open(path) as journal:
        assert len(journal.run("r1").records) == 1


def test_a_read_only_disk_is_refused_and_can_be_read(small_disk: Path) -> None:
    code = OPEN + (
        "import subprocess\n"
        "from tests.state.test_journal import a_run\n"
        "j = Journal.open(path); j.begin(a_run()); j.close()\n"
        "subprocess.run(['mount', '-o', 'remount,ro', sys.argv[1]], check=True)\n"
        "try: Journal.open(path)\n"
        "except JournalError as e: print(e.what, e.why)\n"
        "print([r.id for r in Journal.open(path, write=False).runs()])\n"
    )
    done = in_small_disk(small_disk, "true", code)
    assert "cannot be opened Read-only file system" in done.stdout, done
    assert "['r1']" in done.stdout, done


@pytest.mark.parametrize("write", [True, False])
@pytest.mark.parametrize("wal", [True, False])
def test_a_database_of_another_program_is_refused_and_untouched(tmp_path: Path, write: bool, wal: bool) -> None:
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    if wal:
        other.execute("PRAGMA journal_mode = WAL")
    other.execute("CREATE TABLE accounts (name TEXT)")
    other.execute("PRAGMA user_version = 1")
    other.commit()
    other.close()
    path.chmod(0o644)
    before, mode = path.read_bytes(), path.stat().st_mode
    with pytest.raises(JournalError, match="another program") as caught:
        Journal.open(path, write=write)
    assert caught.value.where == str(path)
    assert "accounts" in caught.value.why
    assert "--journal" in caught.value.fix
    assert path.read_bytes() == before
    assert path.stat().st_mode == mode
    assert [p.name for p in tmp_path.iterdir()] == ["other.db"]


def test_a_journal_of_the_first_release_is_ours(path: Path) -> None:
    """It has no application_id."""
    with Journal.open(path) as journal:
        journal.begin(a_run("r1"))
    first = sqlite3.connect(path)
    first.execute("PRAGMA application_id = 0")
    first.close()
    for write in (False, True):
        with Journal.open(path, write=write) as journal:
            assert [run.id for run in journal.runs()] == ["r1"]


@pytest.mark.parametrize("column", ["plan", "data"])
def test_json_without_an_end_is_a_run_that_cannot_be_read(path: Path, column: str) -> None:
    with Journal.open(path) as journal:
        journal.begin(a_run("r1"))
        journal.append("r1", "s", Mark.INTENT, 1.0)
        table = "runs" if column == "plan" else "records"
        journal._connection.execute(f"UPDATE {table} SET {column} = ?", ("[" * 200_000,))
        with pytest.raises(JournalError, match="r1 cannot be read"):
            journal.run("r1")
