"""`reconcile status`: how every unfinished hand-over stands, and the next command."""

from __future__ import annotations

import sys

import typer

from reconciler.cli.options import AsJson, JournalPath, Paths, Set, Values, load_hosts


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="status")(status)


def status(
    paths: Paths = None,
    values: Values = None,
    settings: Set = None,
    journal: JournalPath = None,
    as_json: AsJson = False,
) -> int:
    """Show every unfinished hand-over: who owns the workload, in which state, since when, and the next command.

    Exit codes: 0 nothing is unfinished; 1 something is; 5 something is in doubt; 7 no host could be seen.
    """
    import asyncio

    from reconciler.cli.views.failure import warned
    from reconciler.cli.views.layout import say
    from reconciler.cli.views.status import render_status
    from reconciler.cli.views.style import color_of
    from reconciler.commands.recover import standings

    spec = load_hosts(paths, values, settings)
    survey, rows = asyncio.run(standings(spec, journal, warned))
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.status import status_document

        emit(status_document(survey.world, rows, survey.ending))
    else:
        say(render_status(survey.world, rows, color_of(sys.stdout)))
    return survey.ending.exit_code
