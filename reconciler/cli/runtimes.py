"""`reconcile runtimes`: what is there to run workloads with, and what each can do."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from reconciler.cli.options import AsJson, Specs, load_spec


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def runtimes(
        hosts: Annotated[
            list[str] | None, typer.Argument(help="Hosts to ask what is installed there; none: no host.")
        ] = None,
        specs: Specs = None,
        as_json: AsJson = False,
    ) -> int:
        """Show the runtimes that specs may name, where they come from and what they can do.

        Exit codes: 0; 1 one of them cannot be used; 7 a host could not be seen.
        """
        from reconciler.cli.views.failure import warned
        from reconciler.cli.views.layout import say, width_of
        from reconciler.cli.views.runtimes import render_runtimes
        from reconciler.commands.doctor import installed
        from reconciler.runtimes import registry

        found = registry.everything()
        world = installed(load_spec(specs, None, None, True), hosts, warned) if hosts else None
        status = 7 if world and world.unknown() else int(any(one.problem for one in found))
        if as_json:
            from reconciler.cli.views.output.base import emit
            from reconciler.cli.views.output.hosts import runtimes_document

            emit(runtimes_document(found, world, status))
        else:
            say(render_runtimes(found, world, width_of(sys.stdout)))
        return status
