"""Errors as people read them, and as JSON. The only place where an error is formatted."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

import typer

from reconciler import __version__
from reconciler.cli.views.diagnostics import diagnostic_json, render_diagnostics
from reconciler.cli.views.layout import say, width_of
from reconciler.cli.views.style import color_of, paint
from reconciler.core.criu_errors import translate
from reconciler.errors import CommandFailed, InputError, ReconcilerError

JSON_VERSION = 1


def show_error(error: ReconcilerError, *, as_json: bool) -> None:
    """Write an error to stderr, or to stdout as JSON."""
    if as_json:
        typer.echo(json.dumps({"version": JSON_VERSION, "error": error_json(error)}, indent=2))
    else:
        say(render_error(error, color_of(sys.stderr), width_of(sys.stderr)), err=True)


def error_json(error: ReconcilerError) -> dict[str, object]:
    """An error's fields."""
    fields: dict[str, object] = {
        "code": error.code,
        "what": error.what,
        "where": error.where,
        "why": error.why,
        "fix": error.fix,
        "exitCode": error.exit_code,
    }
    if isinstance(error, InputError) and error.diagnostics:
        fields["diagnostics"] = [diagnostic_json(d) for d in error.diagnostics]
    return fields


def render_error(error: ReconcilerError, color: bool, width: int | None = None) -> str:
    """What, where, why, and the way out."""
    if isinstance(error, InputError) and error.diagnostics:
        return f"{render_diagnostics(list(error.diagnostics), color, width)}\n{paint('bold', error.what, color)}"
    head = paint("red", f"error[{error.code}]", color)
    place = f"{error.where}: " if error.where else ""
    lines = [f"{head}: {place}{error.what}"]
    if error.why:
        lines += [
            f"  because  {line}" if i == 0 else f"           {line}"
            for i, line in enumerate(error.why.splitlines())
        ]
    if isinstance(error, CommandFailed):
        for label, text in (("said", error.stderr), ("log", error.log_tail)):
            lines += [f"  {label:<9}{line}" for line in text.strip().splitlines()[-6:]]
        if known := translate(f"{error.log_tail}\n{error.stderr}\n{error.why}"):
            lines.append(f"  means    {known.cause}")
            lines.append(f"  {paint('green', 'helps', color)}    {known.fix}")
    if error.fix:
        lines.append(f"  {paint('green', 'fix', color)}      {error.fix}")
    return "\n".join(lines)


def report_crash(error: Exception, arguments: list[str]) -> int:
    """Save what happened to a file only its owner can read, and name it. Arguments and local values are not
    saved: they may hold secrets."""
    text = "".join(traceback.format_exception(error, chain=True))
    command = next((a for a in arguments if not a.startswith("-")), "")
    report = f"reconcile {__version__}, {time.strftime('%Y-%m-%dT%H:%M:%S')}, command: {command}\n\n{text}"
    try:
        folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "reconciler" / "reports"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), suffix=".txt", dir=folder)
        with open(handle, "w") as file:
            file.write(report)
    except (OSError, RuntimeError) as failure:  # RuntimeError: nobody knows where home is
        name = f"(not saved: {getattr(failure, 'strerror', None) or failure})"
    say(
        f"error[R001]: unexpected: {type(error).__name__}\n"
        f"  because  this is a mistake in reconcile, not in your files\n"
        f"  report   {name}\n"
        "  fix      reconcile status shows whether a hand-over is unfinished; please send the report",
        err=True,
    )
    return 1
