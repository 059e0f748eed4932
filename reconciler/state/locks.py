"""Locks between controllers that share a journal: one owner a name, and dead owners do not block for long.

Controllers that share no journal are kept apart on the hosts (`reconciler.guard.guard`: leases and epochs).
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from reconciler.errors import JournalError, Locked
from reconciler.model.command import Seconds
from reconciler.model.record import Lock
from reconciler.state.identity import is_dead_here
from reconciler.state.schema import connect, transaction, translated

STALE_AFTER: Seconds = 60.0
"""An owner on another machine that was silent for longer is dead."""
BEAT_EVERY: Seconds = 10.0


class Locks:
    """The locks of one journal. Owners are those of `reconciler.state.identity`. `turn` is held by who writes on
    this connection, whichever thread that is."""

    def __init__(self, connection: sqlite3.Connection, where: str, turn: threading.Lock) -> None:
        self._connection = connection
        self._where = where
        self._turn = turn

    def take(self, names: Iterable[str], owner: str, now: float) -> tuple[Lock, ...]:
        """All of the names or none. Locked tells who holds one of them and since when; what a dead owner held
        is taken over. Taking what one holds already is fine."""
        wanted = sorted(set(names))
        with self._turn, translated(self._where), transaction(self._connection):
            for name in wanted:
                lock = claimed(self._get(name), name, owner, now)
                row = (name, owner, lock.since, now)
                self._connection.execute("REPLACE INTO locks VALUES (?, ?, ?, ?)", row)
            return tuple(lock for lock in map(self._get, wanted) if lock is not None)

    def beat(self, owner: str, now: float) -> int:
        """The owner lives; returns how many locks it still holds."""
        with self._turn, translated(self._where), transaction(self._connection):
            changed = self._connection.execute("UPDATE locks SET heartbeat = ? WHERE owner = ?", (now, owner))
            return changed.rowcount

    def release(self, names: Iterable[str], owner: str) -> None:
        """Give back what is held; what is somebody else's by now stays. Idempotent."""
        with self._turn, translated(self._where), transaction(self._connection):
            for name in names:
                self._connection.execute("DELETE FROM locks WHERE name = ? AND owner = ?", (name, owner))

    def all(self) -> tuple[Lock, ...]:
        """Every lock, also those of dead owners."""
        with translated(self._where):
            rows = self._connection.execute("SELECT name FROM locks ORDER BY name").fetchall()
            return tuple(lock for lock in (self._get(name) for (name,) in rows) if lock is not None)

    def _get(self, name: str) -> Lock | None:
        row = self._connection.execute("SELECT * FROM locks WHERE name = ?", (name,)).fetchone()
        return Lock(name=row[0], owner=row[1], since=row[2], heartbeat=row[3]) if row else None


def claimed(held: Lock | None, name: str, owner: str, now: float) -> Lock:
    """The lock as it is when `owner` takes it now; Locked when it is another living controller's."""
    if held is None or (held.owner != owner and is_dead(held, owner, now)):
        return Lock(name=name, owner=owner, since=now, heartbeat=now)
    if held.owner != owner:
        raise _locked(held)
    return held.model_copy(update={"heartbeat": now})


def is_dead(lock: Lock, me: str, now: float) -> bool:
    """Whether the lock's owner is surely gone: its process is, or it was silent for too long where this machine
    cannot look. A process that lives here is never dead, however silent."""
    if is_dead_here(lock.owner):
        return True
    return not _same_realm(lock.owner, me) and now - lock.heartbeat > STALE_AFTER


@contextmanager
def beating(path: Path | None, owner: str, clock: Callable[[], float] = time.time) -> Iterator[None]:
    """Keep the owner's locks alive from a thread of its own, so that a blocked event loop loses none."""
    if path is None:
        yield
        return
    stop = threading.Event()

    def beat() -> None:
        with suppress(JournalError), closing(connect(path, write=True)) as connection:
            locks = Locks(connection, str(path), threading.Lock())
            while not stop.wait(BEAT_EVERY):
                with suppress(JournalError):
                    locks.beat(owner, clock())

    thread = threading.Thread(target=beat, name="lock heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=BEAT_EVERY)


def _same_realm(one: str, other: str) -> bool:
    """Whether two owners are processes of the same boot and PID namespace (see `identity.owner`)."""
    realms = [owner.rpartition("/")[2].split("-", 2)[2:] for owner in (one, other)]
    return bool(realms[0]) and realms[0] == realms[1]


def _locked(lock: Lock) -> Locked:
    since = datetime.fromtimestamp(lock.since).astimezone().isoformat(sep=" ", timespec="seconds")
    return Locked(
        f"{lock.owner} works on {lock.name} since {since}",
        where=lock.name,
        fix="wait until it has finished; a dead controller's lock is taken over within 60 s",
    )
