"""The program `reconcile`: its commands, and the one place where errors become text and exit codes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from reconciler import __version__
from reconciler.cli import commands, logs
from reconciler.errors import InputError, Interrupted, ReconcilerError

if TYPE_CHECKING:
    from reconciler.cli.audience import Audience


class Commands(TyperGroup):
    """All commands. Ctrl-C in one that has nothing to put back is an error like others; typer says nothing."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise Interrupted("interrupted") from error


app = typer.Typer(
    cls=Commands,
    name="reconcile",
    help="Move running containers between Linux hosts, from specs committed to git.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"reconcile {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
    no_color: bool = typer.Option(False, "--no-color", help="No colours (also: NO_COLOR=1)."),
    trace: str = typer.Option(
        "", "--trace", metavar="FILE", help="Append every operation on hosts as JSON lines."
    ),
    log_level: logs.Level | None = typer.Option(None, "--log-level", help="Log from this level on [info]."),
    log_file: Path | None = typer.Option(None, "--log-file", help="Append the log to a file instead of stderr."),
    log_format: logs.Format | None = typer.Option(None, "--log-format", help="Lines of text or of JSON [text]."),
) -> None:
    logs.start(log_level, log_file, log_format)
    if no_color:
        os.environ["NO_COLOR"] = "1"
    if trace:
        os.environ["RECONCILE_TRACE"] = trace


commands.register_all(app)


def shielded(arguments: list[str]) -> int:
    """Run the program so that nothing depends on who reads what it prints."""
    from reconciler.cli.output import protect

    outlet = protect()
    return outlet.judged(run(arguments), arguments)


def run(arguments: list[str]) -> int:
    """Run the program and return its exit code."""
    try:
        return _run(arguments)
    finally:
        if said := logs.finish():
            typer.echo(f"warning: {said}", err=True)


def _run(arguments: list[str]) -> int:
    from reconciler.cli.refusals import of_the_machine
    from reconciler.cli.views.failure import report_crash, show_error

    try:
        status: Any = app(arguments, standalone_mode=False)
        return int(status or 0)
    except ReconcilerError as error:
        return show_error(error, _audience(arguments))
    except typer.Exit as stop:
        return int(stop.exit_code)
    except SystemExit as stop:  # what typer ends with when a shell asked for completions
        return int(stop.code or 0)
    except (KeyboardInterrupt, typer.Abort):
        return show_error(Interrupted("interrupted"), _audience(arguments))
    except Exception as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # typer has its own copy of click's
            typer.echo(str(error.format_message()), err=True)  # type: ignore[attr-defined]
            return InputError.exit_code
        if usage := _usage_error(error):
            return show_error(usage, _audience(arguments))
        if refused := of_the_machine(error):
            return show_error(refused, _audience(arguments))
        return report_crash(error, _audience(arguments))


def _audience(arguments: list[str], program: typer.Typer = app) -> Audience:
    """Who is told what went wrong."""
    from reconciler.cli.asked import command_of, wants_json
    from reconciler.cli.audience import Audience

    command = command_of(program, arguments)
    return Audience(command, wants_json(command, arguments))


def _usage_error(error: Exception) -> InputError | None:
    """A mistake on the command line as an error like all others, with a suggestion where one is near."""
    shown = getattr(error, "format_message", None)
    if shown is None:
        return None
    text = str(shown())
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "reconcile"
    return InputError(text.rstrip("."), code="E190", fix=f"{command} --help")
