"""What of a user's line may be shown, and where it stands."""

from __future__ import annotations

import time

import pytest

from reconciler.load.source import MAX_SHOWN_LINE, Source, redact


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("  DB_PASSWORD: hunter2", "  DB_PASSWORD: ***"),
        ("  env: {A: 1, apiKey: hunter2, B: 2}", "  env: {A: 1, apiKey: ***"),
        ('  "client-secret" : "hunter2"', '  "client-secret" : ***'),
        ("  command: [app, --token=hunter2]", "  command: [app, --token=***"),
        ('  command: ["app", "--requirepass", "hunter2"]', '  command: ["app", "--requirepass", ***'),
        ("  DATABASE: postgres://app:hunter2@db/x", "  DATABASE: postgres://app:***@db/x"),
        ("  KEY: -----BEGIN PRIVATE KEY-----hunter2", "  KEY: ***"),
        ("  secretEnv:", "  secretEnv:"),
        ("  image: registry.example/a:1", "  image: registry.example/a:1"),
    ],
)
def test_redaction(line: str, shown: str) -> None:
    assert redact(line) == shown


def test_redaction_is_quick_and_leaves_out_endless_lines() -> None:
    start = time.process_time()
    for piece in ("token", "a", "://:", "secret: ", "passwd', "):
        redact(piece * (MAX_SHOWN_LINE // len(piece)))
    assert time.process_time() - start < 5
    assert redact("x" * (MAX_SHOWN_LINE + 1)) == ""


def test_positions() -> None:
    source = Source("f", "ab\n\ncd")
    assert [source.position(n) for n in (0, 2, 3, 4, 6)] == [(1, 1), (1, 3), (2, 1), (3, 1), (3, 3)]
    assert [source.line_text(n) for n in (0, 1, 2, 3, 4)] == ["", "ab", "", "cd", ""]


def test_positions_in_templates() -> None:
    source = Source("f", "a\na\n  x: 1", origin_lines=(1, 1, 3), original="{{ 2 }}\n\n  x: {{ 1 }}")
    assert [source.position(n) for n in (0, 2, 6)] == [(1, 1), (1, 1), (3, 3)]
    assert source.diagnostic("E105", "m", 9).source_line == "  x: {{ 1 }}"
