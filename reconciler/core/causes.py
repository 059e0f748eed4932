"""The one line of a program's output that says what went wrong.

Programs that crash print pages, with the reason first (Go), last (Python) or between (CRIU, engines); the
very last line is mostly about something else. Nothing here knows what a reason means: that is `core.criu_errors`.
"""

from __future__ import annotations

import re

LONGEST = 300
"""Characters of a reason that are shown."""
END = 100
"""Those of its end, where it is longer."""
_CRIU_NOISE = ("Can't setup RLIMIT_NOFILE", "cgroupd: recv req error", "Unable to detach from")
"""Errors that CRIU reports and goes on, or that only follow from another."""
_CRIU = re.compile(r"^(?:\(\s*[\d.]+\)\s*)?(?:pie: )?(?:\s*\d+: )?Error \([^)]*:\d+\): *(?P<said>.+)")
_LOGRUS = re.compile(r'\blevel=(?P<level>\w+) msg=(?P<said>"(?:[^"\\]|\\.)*"|\S+)')
_TRACEBACK = "Traceback (most recent call last):"
_CRASHES = tuple(
    re.compile(pattern)
    for pattern in (
        r"^(?P<said>panic: .+)",
        r"^(?P<said>fatal error: .+)",
        r"^(?P<said>runtime: (?:out of memory|goroutine stack exceeds|failed to create new OS thread).*)",
        r"^(?P<said>SIG[A-Z]+: .+)",
        r"^(?P<said>thread '.*' panicked at .+)",
    )
)
_ERROR = re.compile(r"^Error: *(?P<said>.+)")
_RELATIVES = re.compile(
    r"\berror\b|\bfail(?:ed|ure)?\b|\bfatal\b|denied|cannot|can't|not found|no such|unable|refused|timed? ?out"
    r"|exceeded",
    re.IGNORECASE,
)
_ASIDE = re.compile(r"\blevel=(?:warning|info|debug)\b|^(?:WARN|INFO|DEBU)\[|^\s*(?:at|File) |^goroutine |^\s")


def telling(text: str) -> str:
    """The first line that says why, without time stamps and source positions; empty for empty text."""
    lines = [line for line in text.splitlines() if line.strip()]
    return _shortened(_traceback(lines) or _crash(lines) or _said(lines) or _likely(lines))


def criu_cause(log: str) -> str:
    """The first error in a CRIU log, without time, source position and process number."""
    return _shortened(_criu(log.splitlines()))


def criu_errors(log: str, most: int = 5) -> str:
    """The first error lines of a CRIU log, where the cause is; its last lines when none is marked as an error."""
    lines = [line for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if "Error" in line and not _is_noise(line)]
    return "\n".join(errors[:most] or lines[-most:])


def last_lines(text: str, most: int) -> str:
    """The end of what a program said."""
    return "\n".join(_shortened(line) for line in text.rstrip().splitlines()[-most:])


def _shortened(line: str) -> str:
    """Both ends of a long line: what was tried stands first, why it failed often last."""
    line = line.strip()
    return line if len(line) <= LONGEST else f"{line[: LONGEST - END - 5]} ... {line[-END:]}"


def _is_noise(line: str) -> bool:
    return any(noise in line for noise in _CRIU_NOISE)


def _traceback(lines: list[str]) -> str:
    """Python names the error below its traceback; of several in a chain the last is what ended the program."""
    starts = [i for i, line in enumerate(lines) if _TRACEBACK in line]
    rest = lines[starts[-1] + 1 :] if starts else []
    return next((line for line in rest if not line.startswith((" ", "|"))), "")


def _crash(lines: list[str]) -> str:
    found = (match["said"] for line in lines for pattern in _CRASHES if (match := pattern.match(line)))
    return next(found, "")


def _criu(lines: list[str]) -> str:
    found = (match["said"] for line in lines if not _is_noise(line) and (match := _CRIU.match(line)))
    return next(found, "")


def _said(lines: list[str]) -> str:
    """What CRIU, an engine or a runtime itself calls the error; engines repeat on top of what the runtime said."""
    if found := _criu(lines):
        return found
    for pattern in (_ERROR, _LOGRUS):
        for line in lines:
            match = pattern.search(line)
            if match and match.groupdict().get("level", "error") in ("error", "fatal", "panic"):
                return _unquoted(match["said"])
    return ""


def _unquoted(text: str) -> str:
    """A logrus message as it was: line ends become `; `, quotes are quotes again."""
    if not text.startswith('"'):
        return text
    return text[1:-1].replace("\\n", "; ").replace('\\"', '"').replace("\\\\", "\\")


def _likely(lines: list[str]) -> str:
    """The first line with a word of failure, else the last one that is no warning or stack."""
    plain = [line for line in lines if not _ASIDE.search(line)] or lines
    return next((line for line in plain if _RELATIVES.search(line)), plain[-1] if plain else "")
