"""`reconcile top`: the changes that are under way, as they go on."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.options import AsJson, JournalPath

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.core.moving import Moving

EVERY = 1.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="top")(top)


def top(
    once: Annotated[
        bool, typer.Option("--once", help="Show it once and end; so it does anyway where there is no terminal.")
    ] = False,
    journal: JournalPath = None,
    as_json: AsJson = False,
) -> int:
    """Show what is being changed, by whichever process: steps, bytes, rate and time left of copies, and for how
    long a workload has stood still. Reads the journal alone, asks no host and changes nothing.

    Exit codes: 0; 130 the end on a terminal, by Ctrl-C.
    """
    from reconciler.cli.views.layout import say
    from reconciler.cli.views.moving import render_moving
    from reconciler.cli.views.style import color_of
    from reconciler.errors import InputError

    if journal is not None and not journal.exists():
        fix = "leave --journal out, or mend the path"
        raise InputError("no such journal", code="E197", where=str(journal), fix=fix)
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.top import top_document

        emit(top_document(_found(journal)))
    elif once or not sys.stdout.isatty():
        say(render_moving(_found(journal), color_of(sys.stdout)))
    else:
        _shown(journal)
    return 0


def _found(journal: Path | None) -> list[Moving]:
    from reconciler.commands.compose import under_way

    return under_way(journal, time.time())


def _shown(journal: Path | None) -> None:
    """Again and again in the same place, until Ctrl-C."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from reconciler.cli.views.moving import render_moving
    from reconciler.cli.views.style import color_of

    color = color_of(sys.stdout)
    with Live(console=Console(highlight=False), auto_refresh=False, screen=True) as live:
        while True:
            live.update(Text.from_ansi(render_moving(_found(journal), color)), refresh=True)
            time.sleep(EVERY)
