"""Errors of CRIU and the OCI runtimes that were met before: what they mean in plain words, and what helps."""

from __future__ import annotations

import re
from dataclasses import dataclass

from reconciler.core.criu_known import KNOWN, Known


@dataclass(frozen=True)
class Explanation:
    """A known failure, and the line of the log that gave it away."""

    known: Known
    line: str

    @property
    def cause(self) -> str:
        return self.known.cause

    @property
    def fix(self) -> str:
        return self.known.fix


HARMLESS = re.compile(r"RLIMIT_NOFILE|Can't keep kdat cache|Running ip6?tables-restore|will drop")
"""Lines that look like errors and are not the cause."""
_COMPILED = tuple((known, re.compile(known.pattern)) for known in KNOWN)


def translate(log_tail: str) -> Explanation | None:
    """What the last lines of a runtime's or CRIU's log mean; None when nothing in them is known.

    The most particular entry wins over the place in the log, since CRIU's last lines only say that it failed.
    """
    lines = [line for line in log_tail.splitlines() if line.strip() and not HARMLESS.search(line)]
    for known, pattern in _COMPILED:
        for line in lines:
            if pattern.search(line):
                return Explanation(known, line.strip())
    return None
