"""The journal's tables, and opening the file they are in. Nothing here knows what runs or locks mean.

Only SQLite may open a file that is there: closing any other descriptor of it drops the locks (POSIX) of all
connections this process has, and another process would then take itself for the last user and remove the log.
"""

from __future__ import annotations

import errno
import os
import shlex
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from reconciler.errors import JournalError
from reconciler.state.formats import give_results_types

VERSION = 3
"""Kept in the file's user_version. A newer file is refused; an older one gets the missing migrations."""

APPLICATION = 0x52636E4A
"""Kept in the file's application_id: RcnJ."""
TABLES = {"runs", "run_workloads", "records", "locks", "probe"}
NO_JOURNAL = "the journal is damaged or not a journal"
ANOTHER = "choose another file with --journal or RECONCILE_JOURNAL"

BUSY_S = 10.0
"""Longest wait for another process that is writing."""
PROBE_BYTES = 65536
"""Room asked for before any effect: about a hundred records."""

Migration = Callable[[sqlite3.Connection], None]

MIGRATIONS: dict[int, str | Migration] = {
    1: """
    CREATE TABLE runs (
        id TEXT PRIMARY KEY, plan TEXT NOT NULL, started_at REAL NOT NULL, actor TEXT NOT NULL,
        commit_id TEXT, state TEXT NOT NULL, ended_at REAL
    ) STRICT;
    CREATE TABLE run_workloads (
        workload TEXT NOT NULL, run TEXT NOT NULL REFERENCES runs(id), PRIMARY KEY (workload, run)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE records (
        run TEXT NOT NULL REFERENCES runs(id), seq INTEGER NOT NULL, step TEXT NOT NULL, mark TEXT NOT NULL,
        at REAL NOT NULL, note TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (run, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE locks (
        name TEXT PRIMARY KEY, owner TEXT NOT NULL, since REAL NOT NULL, heartbeat REAL NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE probe (room BLOB) STRICT;
    CREATE INDEX runs_by_state ON runs(state);
    """,
    2: """
    CREATE TABLE measured_moves (
        run TEXT NOT NULL REFERENCES runs(id), workload TEXT NOT NULL, source TEXT NOT NULL,
        destination TEXT NOT NULL, strategy TEXT NOT NULL, memory INTEGER NOT NULL, copied INTEGER NOT NULL,
        hold_s REAL NOT NULL, copy_s REAL NOT NULL, restore_s REAL NOT NULL, frozen_s REAL NOT NULL,
        predicted_s REAL NOT NULL, most_s REAL NOT NULL, PRIMARY KEY (run, workload)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE unmeasured (run TEXT PRIMARY KEY REFERENCES runs(id)) STRICT, WITHOUT ROWID;
    INSERT INTO unmeasured SELECT id FROM runs WHERE ended_at IS NOT NULL ORDER BY started_at DESC LIMIT 40;
    """,
    3: give_results_types,
}


def keep_it(path: Path | str) -> str:
    """The command that keeps a journal which cannot be used, and what goes on without it."""
    kept = shlex.quote(f"{path}.kept")
    return (
        f"move it away and go on: mv {shlex.quote(str(path))} {kept}; the markers on the hosts tell"
        " `reconcile resume` what was under way"
    )


def connect(path: Path, *, write: bool) -> sqlite3.Connection:
    """An open, current and writable journal file; JournalError otherwise, before anything was started."""
    with translated(path):
        _look(path)
        if write:
            _create(path)
        where = f"{path.absolute().as_uri()}?mode={'rw' if write else 'ro'}"
        if not write and _can_stand_still(path):
            where += "&immutable=1"  # else SQLite makes its -wal and -shm files even to read
        # One thread writes at a time (`Journal`).
        connection = sqlite3.connect(
            where, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False
        )
        try:
            _prepare(connection, path, write=write)
        except BaseException:
            connection.close()
            raise
        return connection


def _look(path: Path) -> None:
    """JournalError when the file is somebody else's, before SQLite opens it to write, which may change it; or when
    it is no file: SQLite would wait for a pipe's other end."""
    if path.exists() and not path.is_file():
        raise JournalError("the journal is not a file", where=str(path), fix=ANOTHER)
    if not path.is_file() or path.stat().st_size == 0:
        return
    # Without its log the file of a journal whose disk was full is half-way between two states.
    still = "&immutable=1" if _can_stand_still(path) else ""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro{still}", uri=True)
    try:
        _check_ours(connection, path)
    finally:
        connection.close()


def _check_ours(connection: sqlite3.Connection, path: Path) -> None:
    """Journals of the first releases have no application_id: their tables tell them."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if application == APPLICATION or (application == 0 and (not tables or tables >= TABLES)):
        return
    raise JournalError(
        "the file is a database of another program",
        where=str(path),
        why=f"its tables are {', '.join(sorted(tables)[:5]) or 'none'}",
        fix=ANOTHER,
    )


def connect_memory() -> sqlite3.Connection:
    """The same tables without a file, for simulation."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    _migrate(connection, 0)
    return connection


@contextmanager
def translated(path: Path | str) -> Iterator[None]:
    """The one place where errors of the file and of SQLite become JournalError."""
    try:
        yield
    except OSError as error:
        raise JournalError(
            "the journal cannot be opened",
            where=str(path),
            why=error.strerror or str(error),
            fix=ANOTHER,
        ) from error
    except sqlite3.Error as error:
        what, fix = _explain(error, path)
        raise JournalError(what, where=str(path), why=str(error), fix=fix) from error


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Everything or nothing; durable when it ends."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    try:
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _can_stand_still(path: Path) -> bool:
    """Whether all there is to read is in the file itself: nobody writes it, or nobody can."""
    log = path.with_name(f"{path.name}-wal")
    nobody_writes = not log.exists() or log.stat().st_size == 0
    return nobody_writes or not (os.access(path.parent, os.W_OK) and os.access(path, os.W_OK))


def _create(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path.resolve(), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    if not os.access(path, os.W_OK):
        number = errno.EROFS if os.statvfs(path).f_flag & os.ST_RDONLY else errno.EACCES
        raise OSError(number, os.strerror(number))
    if path.stat().st_mode & 0o077 and path.is_file():
        path.chmod(0o600)


def _prepare(connection: sqlite3.Connection, path: Path, *, write: bool) -> None:
    _check_ours(connection, path)
    connection.execute("PRAGMA foreign_keys = ON")
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise JournalError(
            "a newer version of Reconciler wrote the journal",
            where=str(path),
            why=f"its format is {version}, this version knows {VERSION}",
            fix="upgrade reconciler, or choose another file with --journal",
        )
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise JournalError("the journal is damaged", where=str(path), why=str(found), fix=keep_it(path))
    if not write:
        return
    connection.execute("PRAGMA journal_mode = WAL").fetchone()
    connection.execute("PRAGMA synchronous = FULL")
    _migrate(connection, version)
    with transaction(connection):
        connection.execute("INSERT INTO probe VALUES (zeroblob(?))", (PROBE_BYTES,))
        connection.execute("DELETE FROM probe")


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    if version == VERSION:
        return
    with transaction(connection):
        # Another process may have been faster.
        current: int = connection.execute("PRAGMA user_version").fetchone()[0]
        for number in range(current + 1, VERSION + 1):
            step = MIGRATIONS[number]
            for statement in step.split(";") if isinstance(step, str) else ():
                if statement.strip():
                    connection.execute(statement)
            if not isinstance(step, str):
                step(connection)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _explain(error: sqlite3.Error, path: Path | str) -> tuple[str, str]:
    """What happened, and the way out."""
    name: str = getattr(error, "sqlite_errorname", "")
    if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        return NO_JOURNAL, f"{keep_it(path)}; or {ANOTHER}"
    if name.startswith("SQLITE_READONLY"):
        return "the journal is read-only", ANOTHER
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
        return "the journal cannot be written", "free space on its disk, or choose another with --journal"
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return f"another process has been writing the journal for {BUSY_S:.0f} s", "try again"
    if name.startswith("SQLITE_CANTOPEN"):
        return "the journal cannot be opened", ANOTHER
    return "the journal cannot be used", keep_it(path)
