"""Findings in specs as people read them (with the line and a caret), and as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.cli.views.layout import columns_of
from reconciler.cli.views.style import paint
from reconciler.errors import Diagnostic

WIDTH = 110
"""Columns of a source line that are shown at most."""
_SEVERITY_STYLE = {"error": "red", "warning": "yellow"}


def render_diagnostics(diagnostics: Sequence[Diagnostic], color: bool, width: int | None = None) -> str:
    """All findings, one block each, in the order given."""
    return "\n\n".join(_block(d, color, width) for d in diagnostics) + "\n" if diagnostics else ""


def _block(found: Diagnostic, color: bool, width: int | None) -> str:
    style = _SEVERITY_STYLE.get(found.severity, "red")
    head = paint(style, f"{found.severity}[{found.code}]", color)
    lines = [f"{head}: {paint('bold', _safe(found.message), color)}"]
    number = str(found.line)
    gap = " " * len(number) if found.line else " "
    place = _safe(found.file)
    if found.line:
        place += f":{found.line}:{found.col}"
    lines.append(f"{gap}{paint('blue', '-->', color)} {place}")
    hint = _safe(found.hint)
    if found.line and found.source_line.strip():
        room = WIDTH if width is None else min(WIDTH, width - len(number) - 3)
        source, col, length = _window(found, room)
        bar = paint("blue", "|", color)
        carets = "^" * length
        beside = f" {hint}" if hint and col + length + columns_of(hint) < room else ""
        lines.append(f"{gap} {bar}")
        lines.append(f"{paint('blue', number, color)} {bar} {source}")
        lines.append(f"{gap} {bar} {' ' * col}{paint(style, carets + beside, color)}")
        hint = "" if beside else hint
    mark = paint("blue", "=", color)
    if hint:
        lines.append(f"{gap} {mark} {hint}")
    lines.append(f"{gap} {mark} reconcile explain {found.code}")
    return "\n".join(lines)


def _window(found: Diagnostic, room: int) -> tuple[str, int, int]:
    """The part of the source line to show, and column (from 0) and length of the carets under it."""
    text = _safe(found.source_line).rstrip()
    start = min(max(found.col - 1, 0), len(text))
    before, rest = text[:start], text[start:]
    if columns_of(before) > room - min(20, room // 2):
        before = f"...{_first(before[::-1], room // 2 - 3)[::-1]}"
    left = room - columns_of(before)
    shown = rest if columns_of(rest) <= left else f"{_first(rest, left - 3)}..."
    return f"{before}{shown}", columns_of(before), max(1, columns_of(shown[: found.length]))


def _first(text: str, room: int) -> str:
    """As much of the beginning as fits."""
    end, used = 0, 0
    while end < len(text) and (used := used + columns_of(text[end])) <= room:
        end += 1
    return text[:end]


def _safe(text: str) -> str:
    """Text that cannot steer a terminal: tabs are blanks, what is not printable is shown as `?`."""
    return "".join(c if c.isprintable() else " " if c in "\t\n" else "?" for c in text)
