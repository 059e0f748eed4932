"""Findings in specs as people read them (with the line and a caret), and as JSON."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from reconciler.cli.views.style import paint
from reconciler.errors import Diagnostic

JSON_VERSION = 1
WIDTH = 110
_SEVERITY_STYLE = {"error": "red", "warning": "yellow"}


def render_diagnostics(diagnostics: Sequence[Diagnostic], color: bool) -> str:
    """All findings, one block each, in the order given."""
    return "\n\n".join(_block(d, color) for d in diagnostics) + "\n" if diagnostics else ""


def diagnostic_json(diagnostic: Diagnostic) -> dict[str, object]:
    """One finding for scripts. Values of secrets are not in it."""
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "file": diagnostic.file,
        "line": diagnostic.line,
        "col": diagnostic.col,
        "length": diagnostic.length,
        "sourceLine": diagnostic.source_line,
        "hint": diagnostic.hint,
    }


def _block(found: Diagnostic, color: bool) -> str:
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
        source, col, length = _window(found)
        bar = paint("blue", "|", color)
        carets = "^" * length
        beside = f" {hint}" if hint and col + length + len(hint) < WIDTH else ""
        lines.append(f"{gap} {bar}")
        lines.append(f"{paint('blue', number, color)} {bar} {source}")
        lines.append(f"{gap} {bar} {' ' * col}{paint(style, carets + beside, color)}")
        hint = "" if beside else hint
    mark = paint("blue", "=", color)
    if hint:
        lines.append(f"{gap} {mark} {hint}")
    lines.append(f"{gap} {mark} reconcile explain {found.code}")
    return "\n".join(lines)


def _window(found: Diagnostic) -> tuple[str, int, int]:
    """The part of the source line to show, and column (from 0) and length of the carets under it."""
    text, start = found.source_line, max(found.col - 1, 0)
    start = min(start, len(text))
    first = 0
    if start > WIDTH - 20:
        first = start - WIDTH // 2
    part = text[first : first + WIDTH]
    before = ("..." if first else "") + _safe(part[: start - first])
    marked = _safe(part[start - first : start - first + found.length])
    after = _safe(part[start - first + found.length :])
    tail = "..." if first + WIDTH < len(text) else ""
    return f"{before}{marked}{after}{tail}".rstrip(), _columns(before), max(1, _columns(marked))


def _columns(text: str) -> int:
    """Terminal columns a text takes."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def _safe(text: str) -> str:
    """Text that cannot steer a terminal: tabs are blanks, what is not printable is shown as `?`."""
    return "".join(c if c.isprintable() else " " if c in "\t\n" else "?" for c in text)
