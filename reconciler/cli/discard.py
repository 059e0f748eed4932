"""`reconcile discard`: copies of checkpoints go."""

from __future__ import annotations

from typing import Annotated

import typer

from reconciler.cli.options import AsJson, JournalPath, Set, Specs, Values, load_hosts


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="discard")(discard)


def discard(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Copies, as --as called them.")
    ] = None,
    expired: Annotated[bool, typer.Option("--expired", help="All whose time is over.")] = False,
    paths: Specs = None,
    values: Values = None,
    settings: Set = None,
    journal: JournalPath = None,
    as_json: AsJson = False,
) -> int:
    """Remove copies that `reconcile restore --as` made, with their volumes. Workloads and checkpoints stay as they
    are. May be repeated: what is left of one that is half gone goes, too.

    Exit codes: 0 they are gone; 1 refused or failed; 4 bad input; 6 another controller is at work; 7 a host
    cannot be used; 130 interrupted.
    """
    from reconciler.cli.signals import run_until_done
    from reconciler.cli.views.kept import render_discarded
    from reconciler.cli.views.layout import say
    from reconciler.commands.discarding import Discard
    from reconciler.errors import InputError

    if bool(names) == expired:
        raise InputError("say which copies, or --expired", code="E190", fix="see them: reconcile get")
    job = Discard(load_hosts(paths, values, settings), tuple(names or ()), expired, journal)
    done, _ = run_until_done(job, job.cancel)
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.kept import discard_document

        emit(discard_document(done))
    else:
        say(render_discarded(done))
    return 0
