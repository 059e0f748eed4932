"""How much of copies has been made, for those who look on: a file beside the journal for each run that copies now.

Nothing depends on it. It is not made durable, is replaced at most twice a second, and one that cannot be written
or read is as good as none: the journal alone says what was done.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from reconciler.model.amount import AMOUNTS, Amount
from reconciler.model.command import Bytes, Seconds
from reconciler.state.journal import default_path

EVERY: Final[Seconds] = 0.5
MOST_BYTES: Final = 2**20


@dataclass
class Amounts:
    """`folder` is made when there is something to put into it."""

    folder: Path
    _known: dict[str, dict[str, Amount]] = field(default_factory=dict)
    _written: dict[str, float] = field(default_factory=dict)

    @classmethod
    def beside(cls, journal: Path | None) -> Amounts:
        """Of those who have this journal (None: the default one)."""
        path = journal or default_path()
        return cls(path.with_name(f"{path.name}-copies"))

    def note(self, run: str, step: str, done: Bytes, at: float) -> None:
        """So much of a step's bytes are there at that time."""
        known = self._known.setdefault(run, {})
        known[step] = Amount(done=done, at=at)
        if 0 <= at - self._written.get(run, 0.0) < EVERY:
            return
        self._written[run] = at
        file = self._file(run)
        fresh = file.with_suffix(".new")
        with suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(fresh, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as out:
                out.write(AMOUNTS.dump_json(known))
            os.replace(fresh, file)

    def read(self, run: str) -> Mapping[str, Amount]:
        """By step; nothing where nobody has told anything that can be understood."""
        with suppress(OSError, ValueError), open(self._file(run), "rb") as file:
            return AMOUNTS.validate_json(file.read(MOST_BYTES))
        return {}

    def forget(self, run: str) -> None:
        """The run copies nothing any more."""
        self._known.pop(run, None)
        self._written.pop(run, None)
        for suffix in (".json", ".new"):
            with suppress(OSError):
                self._file(run).with_suffix(suffix).unlink()

    def _file(self, run: str) -> Path:
        return self.folder / f"{run}.json"
