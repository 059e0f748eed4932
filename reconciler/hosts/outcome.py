"""What the lines of one sender say: how far it is, how both ends ended, and what they summed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from reconciler.core import answers
from reconciler.errors import HostError
from reconciler.hosts.sums import Sums
from reconciler.model.command import Bytes

MOST_WORDS = 8
"""Of a line; the last one keeps the rest."""


@dataclass
class CopyOutcome:
    """What the lines of one sender said so far."""

    near: int = 0
    far: int = 0
    bytes: Bytes = 0
    complete: bool = False
    sums: Sums = field(default_factory=Sums)
    refused: HostError | None = None
    moved_at: float = field(default_factory=time.monotonic)

    def read(self, line: str) -> None:
        """Take in one line; those that are not ours are start-up noise. One that does not say what it should is
        kept for `_judge`: nobody catches an error where lines arrive."""
        words = line.split(maxsplit=MOST_WORDS)
        if len(words) < 2 or words[0] != "rc:" or self.refused is not None:
            return
        try:
            self._take(words[1:])
        except HostError as error:
            self.refused = error

    def _take(self, words: list[str]) -> None:
        match words:
            case ["bytes", count]:
                self._moved(answers.number(count, "bytes sent"))
            case ["ended", near, far]:
                self.near = answers.number(near, "the sender's exit status", most=255)
                self.far = answers.number(far, "the receiver's exit status", most=255)
            case ["summing"]:
                self.moved_at = time.monotonic()
            case ["sum", ("near" | "far") as end, *text]:
                self.sums.folders[end] = answers.shown(" ".join(text), "the sum of a folder", 200)
            case ["pages", ("near" | "far") as end, name, crc, length]:
                self.sums.add(
                    end,
                    answers.name(name, "the name of a file of pages"),
                    answers.number(crc, "the sum of pages", most=2**32 - 1),
                    answers.number(length, "the length of pages"),
                )
            case ["complete"]:
                self.complete = True

    def _moved(self, count: Bytes) -> None:
        if count != self.bytes:
            self.bytes, self.moved_at = count, time.monotonic()
