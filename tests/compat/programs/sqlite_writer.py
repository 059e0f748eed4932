"""Writes rows to a WAL database all the time, with a snapshot and a write transaction open over moves."""

import sqlite3
import threading
import time

from answers import serve

PATH = "/data/rows.db"


def connect() -> sqlite3.Connection:
    return sqlite3.connect(PATH, check_same_thread=False, isolation_level=None, timeout=30)


first = connect()
first.execute("PRAGMA journal_mode=WAL")
first.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT)")
first.execute("INSERT INTO rows VALUES (0, 'first')")
snapshot = connect()
snapshot.execute("BEGIN")
seen_first = snapshot.execute("SELECT count(*) FROM rows").fetchone()[0]
state = "ok"


def write() -> None:
    global state
    writer, number = connect(), 0
    try:
        while True:
            writer.execute("BEGIN IMMEDIATE")
            for _ in range(5):
                number += 1
                writer.execute("INSERT INTO rows VALUES (?, ?)", (number, f"row {number} " * 20))
                time.sleep(0.01)  # so that most moves find the transaction open
            writer.execute("COMMIT")
    except sqlite3.Error as error:
        state = f"the writer: {error}"


threading.Thread(target=write, daemon=True).start()


def look() -> tuple[int, str]:
    count, last = first.execute("SELECT count(*), max(id) FROM rows").fetchone()
    if count != last + 1:
        return count, f"{last + 1 - count} rows are missing"
    if snapshot.execute("SELECT count(*) FROM rows").fetchone()[0] != seen_first:
        return count, "the snapshot changed"
    if count % 50 == 0 and first.execute("PRAGMA quick_check").fetchone()[0] != "ok":
        return count, "the database is damaged"
    return count, state


serve(look)
