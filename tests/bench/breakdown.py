"""Where the time of one move goes: from a trace of commands and the logs kept on the hosts to one row of spans.

The spans of a window follow each other without overlap and add up to what the client waited; what runs beside
something else counts only as far as it is waited for. Times are those of one machine's clock, in seconds; times of
files are as coarse as the kernel's tick (4 ms).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

BETWEEN = "controller between commands (Python, journal)"
BESIDE = "transfer-sum"
"""Runs beside the copy: counts only while nothing else does."""
_LINE = re.compile(r"^\((\d+\.\d+)\)\s*(.*)")
_DUMP = (
    ("CRIU: freeze the tasks", r"freezing cgroup|freezing processes"),
    ("CRIU: lock the network", r"net: Lock network"),
    ("CRIU: dump", r"RPC NOTIFY query-ext-files|mnt: Building mountpoints"),
    ("hook: interfaces down", r"Running post-dump scripts"),
)
"""From which line of the log on CRIU does what."""
_RESTORE = (
    ("CRIU: restore namespaces and tasks", r"^"),
    ("CRIU: unlock the network", r"Running network-unlock scripts"),
    ("CRIU: let the tasks go", r"Turning repair off|was trapped|Run late stage hook"),
    ("first answer: memory pages, TCP, client", r"Restore finished successfully"),
)


@dataclass(frozen=True)
class Span:
    what: str
    begin: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.begin


@dataclass(frozen=True)
class _Command:
    host: str
    argv: tuple[str, ...]
    began: float
    ended: float

    @property
    def name(self) -> str:
        """What it is, in two or three words."""
        first = self.argv[0].rsplit("/", 1)[-1]
        if "hold" in self.argv[3:8]:
            return "guard hold"  # under a script
        if first == "sh" and len(self.argv) > 3 and self.argv[1] == "-c":
            return f"script {self.argv[3]}"
        if first == "sh" and "guard-" in self.argv[1]:
            verb = self.argv[2]
            if verb == "mark":
                verb = f"mark {self.argv[5]}"
            return f"guard {verb}"
        if first.startswith("transfer-"):
            kind = first.rsplit("-", 1)[0]
            return f"{kind} {self.argv[1]}" if kind == "transfer-link" else kind
        return " ".join((first, *self.argv[1:3])) if first == "podman" else first


@dataclass(frozen=True)
class Trace:
    """All that `traced` wrote. `logs`: by host and name, when the file was made and its lines with their time."""

    commands: tuple[_Command, ...]
    files: dict[str, float]
    logs: dict[tuple[str, str], list[tuple[float, str]]]

    @classmethod
    def read(cls, file: Path) -> Trace:
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        commands = [
            _Command(row["host"], tuple(row["argv"]), row["began"], row["ended"])
            for row in rows
            if row["kind"] == "command"
        ]
        files: dict[str, float] = {}
        logs: dict[tuple[str, str], list[tuple[float, str]]] = {}
        for row in rows:
            if row["kind"] != "kept":
                continue
            for section in row["text"].split("\n@@ ")[1:]:
                head, _, body = section.partition("\n")
                kind, name, _, born, changed = head.split()
                if kind == "file":
                    files[name] = float(changed)
                else:
                    logs[row["host"], name] = list(_timed(body, float(born)))
        return cls(tuple(sorted(commands, key=lambda c: c.began)), files, logs)

    def named(self, name: str) -> _Command | None:
        """The first command of that name."""
        return next((c for c in self.commands if c.name == name), None)

    def log(self, name: str) -> list[tuple[float, str]]:
        """A log by name, on whatever host it is; empty without it."""
        return next((lines for (_, found), lines in self.logs.items() if found == name), [])

    def spans(self) -> list[Span]:
        """Every command as a span; holds and restores cut into what happens inside them."""
        found: list[Span] = []
        for command in self.commands:
            if command.name == "guard hold":
                found += self._hold(command)
            elif command.name == "guard run" and "restore" in command.argv:
                found += self._restore(command)
            elif command.name not in ("guard beat", "guard lease"):
                found.append(Span(f"{command.name} ({command.host})", command.began, command.ended))
        return found

    def _hold(self, command: _Command) -> Iterator[Span]:
        log = self.log("dump.log")
        runner, held = self.files.get("runner"), self.files.get("held")
        if not log or runner is None or held is None:
            yield Span("guard hold", command.began, command.ended)
            return
        yield Span("guard hold: ssh, marker", command.began, runner)
        yield Span("podman and runc, until CRIU starts", runner, log[0][0])
        marks = list(_marks(log, _DUMP))
        yield Span("CRIU: before the freeze", log[0][0], marks[0][1] if marks else held)
        yield from _between(marks, held)
        yield Span("guard hold: notice, answer over ssh", held, command.ended)

    def _restore(self, command: _Command) -> Iterator[Span]:
        log, pages = self.log("restore.log"), self.log("lazy-pages.log")
        if not log:
            yield Span("guard run restore", command.began, command.ended)
            return
        if pages:
            yield Span("guard run: ssh, start of the script", command.began, pages[0][0])
            yield Span("page daemon, podman and runc, until CRIU starts", pages[0][0], log[0][0])
        else:
            yield Span("ssh, podman and runc, until CRIU starts", command.began, log[0][0])
        yield from _between(list(_marks(log, _RESTORE)), command.ended)


def cut(spans: Iterable[Span], begin: float, end: float) -> list[Span]:
    """The spans of a window, one after the other; time that none of them covers is the controller's own."""
    known = list(spans)
    beside = [span for span in known if span.what.startswith(BESIDE)]
    row: list[Span] = []
    for span in _row([span for span in known if not span.what.startswith(BESIDE)], begin, end):
        row += _row(beside, span.begin, span.end) if span.what == BETWEEN else [span]
    return row


def _row(spans: list[Span], begin: float, end: float) -> list[Span]:
    row: list[Span] = []
    at = begin
    for span in sorted(spans, key=lambda s: (s.begin, s.end)):
        start, stop = max(span.begin, at), min(span.end, end)
        if stop <= start:
            continue
        if start > at:
            row.append(Span(BETWEEN, at, start))
        row.append(Span(span.what, start, stop))
        at = stop
    if at < end:
        row.append(Span(BETWEEN, at, end))
    return row


def _timed(text: str, born: float) -> Iterator[tuple[float, str]]:
    for line in text.splitlines():
        if match := _LINE.match(line):
            yield born + float(match[1]), match[2]


def _marks(log: list[tuple[float, str]], known: tuple[tuple[str, str], ...]) -> Iterator[tuple[str, float]]:
    """Where each known part begins, in their order; parts the log does not show are left out."""
    rest = iter(log)
    for what, pattern in known:
        lines = list(rest)
        hit = next((n for n, (_, line) in enumerate(lines) if re.search(pattern, line)), None)
        if hit is None:
            rest = iter(lines)
            continue
        yield what, lines[hit][0]
        rest = iter(lines[hit + 1 :])


def _between(marks: list[tuple[str, float]], end: float) -> Iterator[Span]:
    for (what, begin), after in zip(marks, [*(at for _, at in marks[1:]), end], strict=True):
        yield Span(what, begin, after)
