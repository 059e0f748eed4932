"""The log: off unless asked for, structured, and like all output without a say in what happens.

Rooms log to a logger of their name (`reconciler.engine`, `reconciler.hosts`, ...) with `run`, `workload`, `host`
and `step` as fields. Lines are written by a thread of their own: a disk that is full or a reader that does not
read costs lines, never time.
"""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from reconciler.cli.output import STDERR, Outlet
from reconciler.errors import InputError
from reconciler.text import terminal

ROOT: Final = "reconciler"
FIELDS: Final = ("run", "workload", "host", "step")
LAST_WAIT: Final = 2.0
"""Seconds that the end of a command waits for the last lines to be written."""


class Level(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"


class Log(logging.Handler):
    """Lines to a file, or to stderr in order with what else is printed there."""

    def __init__(self, form: Format, path: Path | None = None) -> None:
        super().__init__()
        self.form, self.path = form, path
        self._outlet = Outlet() if path else None
        self._fd = _opened(path) if path else STDERR

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = (_json if self.form is Format.JSON else _text)(record)
            if self._outlet:
                self._outlet.put(self._fd, f"{line}\n".encode(errors="backslashreplace"))
            else:
                _print(line)
        except Exception:
            self.handleError(record)

    def finish(self) -> str:
        """Give the last lines their time; what was lost, in words."""
        if not self._outlet:
            return ""
        written = self._outlet.drain(LAST_WAIT)
        error = self._outlet.failed.get(self._fd)
        if error:
            return f"the log {self.path} is not complete ({error.strerror})"
        if not written:
            return f"the log {self.path} is not complete (nobody takes it)"
        os.close(self._fd)
        return ""


def start(level: Level | None, path: Path | None, form: Format | None) -> None:
    """Begin to log, if anything of it was asked for: `info` unless said otherwise, as text to stderr. InputError
    where the file cannot be written."""
    if level is None and path is None and form is None:
        return
    finish()
    log = logging.getLogger(ROOT)
    log.addHandler(Log(form or Format.TEXT, path))
    log.setLevel((level or Level.INFO).upper())


def on_stderr() -> bool:
    """Whether the log is among what is printed there."""
    return any(isinstance(h, Log) and h.path is None for h in logging.getLogger(ROOT).handlers)


def finish() -> str:
    """End it; what was lost, in words."""
    log = logging.getLogger(ROOT)
    said = ""
    for handler in [h for h in log.handlers if isinstance(h, Log)]:
        log.removeHandler(handler)
        said = handler.finish()
    log.setLevel(logging.NOTSET)
    return said


def _opened(path: Path) -> int:
    """Readable by its owner only. A pipe must have its reader already: nobody waits for one."""
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InputError("the log cannot be written", where=str(path), why=error.strerror or "") from error


def _print(line: str) -> None:
    import typer

    typer.echo(line, err=True)


def _at(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fields(record: logging.LogRecord) -> dict[str, str]:
    return {name: str(record.__dict__[name]) for name in FIELDS if record.__dict__.get(name)}


def _json(record: logging.LogRecord) -> str:
    said = {"at": _at(record), "level": record.levelname.lower(), "logger": record.name}
    return json.dumps({**said, "message": record.getMessage(), **_fields(record)}, ensure_ascii=False)


def _text(record: logging.LogRecord) -> str:
    more = " ".join(f"{name}={value}" for name, value in _fields(record).items())
    room = record.name.removeprefix(f"{ROOT}.")
    line = f"{_at(record)} {record.levelname.lower():7} {room:8} {record.getMessage()}{'  ' if more else ''}{more}"
    return terminal(line.replace("\r", "\\r").replace("\n", "\\n"))
