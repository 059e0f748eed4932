"""`reconcile doctor`: can the hosts be used, and what would mend them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from reconciler.cli.options import AsJson, Set, Values, load_hosts


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="doctor")(doctor)


def doctor(
    hosts: Annotated[list[str] | None, typer.Argument(metavar="[HOST]...", help="Default: all.")] = None,
    specs: Annotated[
        list[Path] | None, typer.Option("--specs", help="Spec files and folders; default as for plan.")
    ] = None,
    values: Values = None,
    settings: Set = None,
    moves: Annotated[
        bool, typer.Option("--moves", help="Also: which running workload could go to which other host.")
    ] = False,
    security: Annotated[
        bool, typer.Option("--security", help="List programs older than known security fixes.")
    ] = False,
    sudoers: Annotated[
        bool, typer.Option("--sudoers", help="Print the sudoers file for users that are not root; ask no host.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Look at hosts: connection, rights, programs, kernel, room, clock. Changes nothing.

    Exit codes: 0 all can be used; 4 bad specs or an unknown host; 7 a host cannot be used.
    """
    import asyncio

    from reconciler.cli.views.doctor import render_examination
    from reconciler.cli.views.failure import warned
    from reconciler.cli.views.layout import say
    from reconciler.cli.views.style import color_of
    from reconciler.commands import doctor as work

    spec = load_hosts(specs, values, settings)
    if sudoers:
        text = work.sudoers(work.chosen(spec, hosts or ()))
        if as_json:
            from reconciler.cli.views.output.base import emit
            from reconciler.cli.views.output.hosts import SudoersDocument

            emit(SudoersDocument(exit_code=0, sudoers=text))
        else:
            typer.echo(text)
        return 0
    found = asyncio.run(work.examine(spec, hosts or (), warned, moves=moves))
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.hosts import doctor_document

        emit(doctor_document(found))
    else:
        say(render_examination(found, color_of(sys.stdout), security=security))
    return found.exit_code
