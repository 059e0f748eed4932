"""One file of the user: its text, where lines start, and what may be shown of a line."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property

from reconciler.errors import Diagnostic
from reconciler.load.limits import MAX_MESSAGE_CHARS
from reconciler.text import short

BAD_CHARACTER = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
"""What no file may hold: control characters, and the line separators only YAML 1.1 knew."""

SECRET_NAME = re.compile(
    r"passw|passphrase|requirepass|token|secret|api[_-]?key|private[_-]?key|access[_-]?key|credential", re.I
)
_SECRET_LINE = re.compile(rf"((?:{SECRET_NAME.pattern})[\w.-]*[\"']?(?:\s*[:=]\s*|[\"',]\s+))(?!\s*$).*", re.I)
_URL_PASSWORD = re.compile(r"(://[^/\s:@]*:)[^/\s@]+@")
_PRIVATE_KEY = re.compile(r"-----BEGIN.*")


MAX_SHOWN_LINE = 10_000
"""Longer lines are not shown."""


def redact(line: str) -> str:
    """A source line without what looks like a secret's value."""
    if len(line) > MAX_SHOWN_LINE:
        return ""
    line = _SECRET_LINE.sub(r"\1***", line)
    return _PRIVATE_KEY.sub("***", _URL_PASSWORD.sub(r"\1***@", line))


class Source:
    """A text with positions. `text` is what YAML sees; for templates it is the rendered text.

    `origin_lines` maps each line of `text` to the line of the file it came from, and `file_lines` holds
    the file as the user wrote it. Both are only given for templates.
    """

    def __init__(
        self, file: str, text: str, *, origin_lines: tuple[int, ...] = (), original: str | None = None
    ) -> None:
        self.file = file
        self.text = text
        self.origin_lines = origin_lines
        self.original = original

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(m.end() for m in re.finditer("\n", self.text))]

    @cached_property
    def _original_lines(self) -> list[str]:
        return (self.original or "").split("\n")

    def line_text(self, line: int) -> str:
        """A line of `text`, counted from 1, without its end."""
        starts = self._starts
        if not 1 <= line <= len(starts):
            return ""
        end = starts[line] - 1 if line < len(starts) else len(self.text)
        return self.text[starts[line - 1] : end]

    def index_of(self, line: int, offset: int) -> int:
        """Index into `text` of a line, counted from 1, and an offset into it."""
        starts = self._starts
        return starts[min(max(line, 1), len(starts)) - 1] + offset

    def raw_position(self, index: int) -> tuple[int, int]:
        """Line and column in `text`, counted from 1."""
        starts = self._starts
        line = bisect_right(starts, index)
        return line, index - starts[line - 1] + 1

    def position(self, index: int) -> tuple[int, int]:
        """Line and column in the user's file, counted from 1; the column is 1 where it is not known."""
        line, col = self.raw_position(index)
        if self.original is None:
            return line, col
        shown = self._origin(line)
        template = self._original_lines[shown - 1] if shown <= len(self._original_lines) else ""
        return (shown, col) if template == self.line_text(line) else (shown, _indent(template) + 1)

    def _masked(self, text: str, line: int, index: int, length: int) -> str:
        """A line without a value that may start on it; collections are hidden to the line's end."""
        start = index - self._starts[line - 1]
        if not 0 <= start <= len(text):
            return text
        end = start + length if length > 1 else len(text)
        return f"{text[:start]}***{text[end:]}"

    def _origin(self, line: int) -> int:
        if not self.origin_lines:
            return line
        return self.origin_lines[min(line, len(self.origin_lines)) - 1]

    def slice(self, index: int, length: int) -> str:
        return self.text[index : index + length]

    def diagnostic(
        self,
        code: str,
        message: str,
        index: int,
        length: int = 1,
        *,
        hint: str = "",
        hide: tuple[int, int] | None = None,
    ) -> Diagnostic:
        """A finding at a place of `text`. `hide` is the index and length of a value that is not shown."""
        raw_line, raw_col = self.raw_position(index)
        raw = self.line_text(raw_line)
        line, col = self.position(index)
        length = max(1, min(length, len(raw) - raw_col + 1))
        shown = raw
        if self.original is not None:
            lines = self._original_lines
            shown = lines[line - 1] if line <= len(lines) else ""
            if shown != raw:
                length = max(1, len(shown.rstrip()) - col + 1)
        if hide is not None and shown == raw:
            shown = self._masked(raw, raw_line, *hide)
        return Diagnostic(
            code=code,
            message=short(message, MAX_MESSAGE_CHARS),
            file=self.file,
            line=line,
            col=col,
            length=length,
            source_line=redact(shown),
            hint=short(hint, MAX_MESSAGE_CHARS),
            severity="warning" if code.startswith("W") else "error",
        )


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
