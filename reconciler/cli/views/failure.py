"""Errors as people read them, and as JSON. The only place where an error is formatted."""

from __future__ import annotations

import sys
import tempfile
import time
import traceback
from typing import TYPE_CHECKING

from reconciler import __version__
from reconciler.cli.audience import Audience
from reconciler.cli.views.diagnostics import render_diagnostics
from reconciler.cli.views.layout import say, width_of
from reconciler.cli.views.style import color_of, paint
from reconciler.errors import CommandFailed, InputError, ReconcilerError
from reconciler.resources import state_folder

if TYPE_CHECKING:  # what a command has no need of that ends well
    from reconciler.model.event import Untidied


def show_error(error: ReconcilerError, to: Audience) -> int:
    """Write an error to stderr, or to stdout as JSON; returns its exit code."""
    if to.as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.failure import error_document

        emit(error_document(error, to.command))
    else:
        say(render_error(error, color_of(sys.stderr), width_of(sys.stderr)), err=True)
    return error.exit_code


def warned(found: Untidied) -> None:
    """Write a warning about what went wrong beside a command's work to stderr, also of one that prints JSON."""
    say(f"{paint('yellow', f'warning[{found.code}]', color_of(sys.stderr))}: {found}", err=True)


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
        from reconciler.core.criu_errors import translate

        for label, text in (("said", error.stderr), ("log", error.log_tail)):
            lines += [f"  {label:<9}{line}" for line in text.strip().splitlines()[-6:]]
        if known := translate(f"{error.log_tail}\n{error.stderr}\n{error.why}"):
            lines.append(f"  means    {known.cause}")
            lines.append(f"  {paint('green', 'helps', color)}    {known.fix}")
    if error.fix:
        lines.append(f"  {paint('green', 'fix', color)}      {error.fix}")
    return "\n".join(lines)


def report_crash(error: Exception, to: Audience) -> int:
    """Save what happened to a file only its owner can read, and name it. Arguments and local values are not
    saved: they may hold secrets."""
    text = "".join(traceback.format_exception(error, chain=True))
    report = f"reconcile {__version__}, {time.strftime('%Y-%m-%dT%H:%M:%S')}, command: {to.command}\n\n{text}"
    try:
        name, saved = _save(report), True
    except (OSError, ReconcilerError) as failure:
        name, saved = str(getattr(failure, "strerror", None) or failure), False
    kind = type(error).__name__
    if to.as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.failure import crash_document

        emit(crash_document(kind, name, saved, to.command))
        return 1
    say(
        f"error[R001]: unexpected: {kind}\n"
        f"  because  this is a mistake in reconcile, not in your files\n"
        f"  report   {name if saved else f'(not saved: {name})'}\n"
        "  fix      reconcile status shows whether a hand-over is unfinished; please send the report",
        err=True,
    )
    return 1


def _save(report: str) -> str:
    folder = state_folder() / "reports"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), suffix=".txt", dir=folder)
    with open(handle, "w") as file:
        file.write(report)
    return name
