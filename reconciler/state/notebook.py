"""The notes of watches, in a file beside the journal: whoever has the same journal has the same notes.

A file that is damaged or of a newer release is told and never overwritten. It is replaced whole, so that a full
disk or a crash leaves the old one.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from reconciler.errors import JournalError
from reconciler.model.notes import Notes
from reconciler.state.journal import default_path


@dataclass
class Notebook:
    """Notes in a file that several processes may change."""

    path: Path

    @classmethod
    def beside(cls, journal: Path | None) -> Notebook:
        """The notebook of those who have this journal (None: the default one)."""
        path = journal or default_path()
        return cls(path.with_name(f"{path.name}-watch.json"))

    def read(self) -> Notes:
        """What is noted; nothing where there is no file. JournalError when it cannot be understood."""
        try:
            return Notes.model_validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return Notes()
        except OSError as error:
            raise self._error("cannot be read", error.strerror or "") from error
        except ValidationError as error:
            why = str(error.errors()[0]["msg"])
            raise self._error("are damaged, or of a newer release", why) from error

    def stamp(self) -> object:
        """Another one when it was written since."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def change(self, how: Callable[[Notes], Notes]) -> Notes:
        """Change what is noted; durable on return, and nobody changes it meanwhile."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._alone():
                before = self.read()
                after = how(before)
                if after != before:
                    self._write(after)
                return after
        except OSError as error:
            raise self._error("cannot be written", error.strerror or "") from error

    def _write(self, notes: Notes) -> None:
        fresh = self.path.with_name(f"{self.path.name}.new")
        with open(fresh, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(notes.model_dump_json(by_alias=True, indent=1).encode())
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, self.path)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Held for as long as a small file takes to be written."""
        with open(self.path.with_name(f"{self.path.name}.lock"), "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _error(self, what: str, why: str) -> JournalError:
        fix = "make room, or move it away: what is noted there is only what a watch leaves alone"
        return JournalError(f"the notes of `reconcile watch` {what}", where=str(self.path), why=why, fix=fix)
