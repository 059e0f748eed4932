"""One row a moment into a database with the journal mode that is asked for; opened once, or for each row."""

import sqlite3
import sys

from answers import serve

MODE, WHEN = sys.argv[1:3]
PATH = "/data/modes.db"


def opened() -> sqlite3.Connection:
    connection = sqlite3.connect(PATH, check_same_thread=False, isolation_level=None)
    connection.execute(f"PRAGMA journal_mode={MODE}")
    return connection


kept = opened()
kept.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY)")
if WHEN == "each":
    kept.close()


def look() -> tuple[int, str]:
    connection = opened() if WHEN == "each" else kept
    connection.execute("INSERT INTO rows DEFAULT VALUES")
    count, last = connection.execute("SELECT count(*), max(id) FROM rows").fetchone()
    if WHEN == "each":
        connection.close()
    return count, "ok" if count == last else "rows are missing"


serve(look)
