"""How a finding looks."""

from __future__ import annotations

from reconciler.cli.views.diagnostics import render_diagnostics
from reconciler.errors import Diagnostic

FOUND = Diagnostic(
    "E103", "unknown field `hosts`", "specs/cache.yaml", 14, 5, 5, "    hosts: h2", "did you mean `host`?"
)


def test_as_documented() -> None:
    assert render_diagnostics([FOUND], color=False) == (
        "error[E103]: unknown field `hosts`\n"
        "  --> specs/cache.yaml:14:5\n"
        "   |\n"
        "14 |     hosts: h2\n"
        "   |     ^^^^^ did you mean `host`?\n"
        "   = reconcile explain E103\n"
    )


def test_colour_only_when_asked() -> None:
    assert "\x1b" not in render_diagnostics([FOUND], color=False)
    assert "\x1b[31merror[E103]\x1b[0m" in render_diagnostics([FOUND], color=True)


def test_whole_file() -> None:
    text = render_diagnostics([Diagnostic("E101", "no such file", "a.yaml", hint="check the path")], color=False)
    assert text == "error[E101]: no such file\n --> a.yaml\n  = check the path\n  = reconcile explain E101\n"


def test_long_lines_are_cut_around_the_place() -> None:
    line = "x" * 500 + "HERE" + "y" * 500
    shown = render_diagnostics([Diagnostic("E105", "m", "f", 1, 501, 4, line)], color=False).split("\n")
    column = shown[4].index("^")
    assert shown[3][column : column + 4] == "HERE"
    assert max(map(len, shown)) < 130


def test_terminals_cannot_be_steered_and_wide_text_lines_up() -> None:
    found = Diagnostic("E105", "m\x1b[2J", "f\x1b]0;x\x07", 1, 6, 2, "\ta日本 \x1b[31mx", "")
    text = render_diagnostics([found], color=False)
    assert "\x1b" not in text
    assert "\x07" not in text
    found = Diagnostic("E105", "m", "f", 1, 4, 1, "日本 x")
    shown = render_diagnostics([found], color=False).split("\n")
    assert shown[4] == "  | " + " " * 5 + "^"


def test_nothing_to_show() -> None:
    assert render_diagnostics([], color=False) == ""
