"""`reconcile forget`: a host that is gone for good has no part in anything any more."""

from __future__ import annotations

from typing import Annotated

import typer

from reconciler.cli.options import AsJson, JournalPath, Set, Specs, Values, load_hosts


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="forget")(forget)


def forget(
    host: Annotated[str, typer.Argument(help="The host that is gone for good.")],
    evidence: Annotated[str, typer.Option("--evidence", help="How you know; kept in the history.")] = "",
    paths: Specs = None,
    values: Values = None,
    settings: Set = None,
    journal: JournalPath = None,
    as_json: AsJson = False,
) -> int:
    """End every unfinished hand-over that a host has part in which is gone for good: the other side owns it, or it
    is given up where nothing is left. Should the host come back after all, what it still holds stays held.

    Ctrl-C lets the command that is under way end, and begins no other one.

    Exit codes: 0 done; 1 refused, because the host answers, or something is left that a person has to decide;
    4 without evidence, or a host that nobody knows; 6 another controller works on a host that takes over; 130
    interrupted, before all was done.
    """
    from reconciler.cli.signals import AFTER_COMMAND, outlive_terminal, run_until_done
    from reconciler.cli.views.decisions import render_forgotten
    from reconciler.cli.views.failure import warned
    from reconciler.cli.views.layout import say
    from reconciler.commands.deciding import forgetting

    spec = load_hosts(paths, values, settings)
    job = forgetting(spec, host, evidence, journal, warned)
    outlive_terminal()
    done, _ = run_until_done(job, job.cancel, AFTER_COMMAND)
    status = int(any(one.open for one in done))
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.decisions import forget_document

        emit(forget_document(host, done, status))
    else:
        say(render_forgotten(host, done))
    return status
