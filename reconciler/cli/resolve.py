"""`reconcile resolve`: decide an in-doubt hand-over on evidence."""

from __future__ import annotations

from typing import Annotated

import typer

from reconciler.cli.options import AsJson, JournalPath, Set, Specs, Values, load_hosts


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="resolve")(resolve)


def resolve(
    workload: Annotated[str, typer.Argument(help="The workload that is in doubt.")],
    owner: Annotated[str | None, typer.Option("--owner", help="The host it belongs to.")] = None,
    cold: Annotated[
        bool, typer.Option("--cold", help="With --owner: its memory is lost, start it from its files.")
    ] = False,
    lost: Annotated[bool, typer.Option("--lost", help="Nothing is left of it: make it anew.")] = False,
    evidence: Annotated[str, typer.Option("--evidence", help="How you know; kept in the history.")] = "",
    paths: Specs = None,
    values: Values = None,
    settings: Set = None,
    journal: JournalPath = None,
    as_json: AsJson = False,
) -> int:
    """Decide on evidence what is in doubt: who owns it (--owner), where it starts anew because only its files are
    left (--owner and --cold), or that nothing is left on any host (--lost), so that the next apply makes it anew.
    Where hosts answer, the others are fenced first; markers that cannot be trusted are replaced. It can be
    repeated, also after it failed half-way.

    Ctrl-C lets the command that is under way end, and begins no other one.

    Exit codes: 0 decided; 1 refused, because nothing is in doubt or a host that answers contradicts it; 4 without
    evidence, or a name that nobody knows; 6 another controller works on a host of it; 130 interrupted,
    before all was done.
    """
    from reconciler.cli.signals import AFTER_COMMAND, outlive_terminal, run_until_done
    from reconciler.cli.views.decisions import render_decided
    from reconciler.cli.views.failure import warned
    from reconciler.cli.views.layout import say
    from reconciler.commands.deciding import resolving
    from reconciler.errors import InputError

    if lost == (owner is not None) or (lost and cold):
        raise InputError("say either who owns it or that it is lost", fix="--owner HOST, with --cold, or --lost")
    spec = load_hosts(paths, values, settings)
    job = resolving(spec, workload, owner, evidence, journal, cold=cold, warn=warned)
    outlive_terminal()
    decided, _ = run_until_done(job, job.cancel, AFTER_COMMAND)
    status = 0  # one that was stopped before all was done is an error
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.decisions import resolve_document

        emit(resolve_document(decided, status))
    else:
        say(render_decided(decided))
    return status
