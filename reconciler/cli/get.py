"""`reconcile get`: what runs where, and where it should."""

from __future__ import annotations

import asyncio
import sys

import typer

from reconciler.cli.options import AsJson, Paths, Set, Values, load_hosts


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="get")(get)


def get(paths: Paths = None, values: Values = None, settings: Set = None, as_json: AsJson = False) -> int:
    """Show every workload of the specs: where it belongs and where it is; then what no spec uses: containers, and
    volumes that were left behind with their data. Changes nothing.

    Exit codes: 0, whatever is found; 4 bad specs, or none that names a host; 7 no host could be seen.
    """
    from reconciler.cli.views.failure import warned
    from reconciler.cli.views.layout import say, width_of
    from reconciler.cli.views.stock import render_stock
    from reconciler.cli.views.style import color_of
    from reconciler.commands import app

    spec = load_hosts(paths, values, settings)
    world = asyncio.run(app.observed(spec, warned))
    status = 0 if world.seen() or not world.hosts else 7
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.stock import get_document

        emit(get_document(spec, world, status))
    else:
        say(render_stock(spec, world, color_of(sys.stdout), width_of(sys.stdout)))
    return status
