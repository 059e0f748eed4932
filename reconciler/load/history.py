"""What was read last of a branch, tag or default branch of a repository. It stands neither in the mirror, which
can be lost, nor by a name, for one name can be in the way of another."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reconciler.errors import InputError

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True)
class History:
    """`error`: one about the repository, by what and why."""

    folder: Path
    name: str
    error: Callable[[str, str], InputError]

    @property
    def _file(self) -> Path:
        return self.folder / hashlib.sha256(self.name.encode()).hexdigest()[:20]

    def last(self) -> str:
        """The commit; empty where none was read. What cannot be known is an error: it is what everything that
        comes later is held against."""
        try:
            found = self._file.read_text(encoding="ascii", errors="replace").strip()
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise self._unknown(error.strerror or str(error)) from error
        if not _COMMIT.fullmatch(found):
            raise self._unknown("no commit stands there; look at the repository, then remove this file")
        return found

    def note(self, commit: str) -> None:
        """It stands there when this returns, also after a power cut."""
        new = self._file.with_suffix(".new")
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            with open(new, "w", encoding="ascii") as written:
                written.write(f"{commit}\n")
                written.flush()
                os.fsync(written.fileno())
            os.replace(new, self._file)
        except OSError as error:
            why = f"{self._file}: {error.strerror}"
            raise self.error("that it was read cannot be written down", why) from error

    def _unknown(self, why: str) -> InputError:
        return self.error("what was read of it before cannot be known", f"{self._file}: {why}")
