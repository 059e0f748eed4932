"""`reconcile tend`: tell watches what to leave alone, and what to try again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from reconciler.cli.asked import duration
from reconciler.cli.options import AsJson, JournalPath

if TYPE_CHECKING:
    from reconciler.model.notes import Notes

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Targets = Annotated[
    list[str], typer.Argument(help="Workloads by name, host/NAME, host/CLUSTER/NODE, or all.", metavar="TARGET...")
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; others see it.")]
For = Annotated[
    str, typer.Option("--for", metavar="DURATION", help="Until when; default: until it is taken back.")
]


@app.command()
def suspend(
    of: Targets, reason: Reason = "", lasts: For = "", journal: JournalPath = None, as_json: AsJson = False
) -> int:
    """Have watches leave workloads, everything on a host, or all as they are. What a crash left is ended anyway,
    and `apply` works as ever.

    Exit codes: 0; 4 no reason, or nothing that could be suspended.
    """
    from reconciler.commands import tend

    now = time.time()
    until = duration("--for", lasts) if lasts else None
    notes = tend.say("suspended", tend.targets(of), reason, until, journal, now)
    return _show("tend suspend", notes, as_json)


@app.command()
def resume(of: Targets, journal: JournalPath = None, as_json: AsJson = False) -> int:
    """Take back what `suspend` or `open` said. Exit codes: 0; 4 nothing was said of it."""
    from reconciler.commands import tend

    return _show("tend resume", tend.unsay(tend.targets(of), journal, time.time()), as_json)


@app.command()
def retry(of: Targets, journal: JournalPath = None, as_json: AsJson = False) -> int:
    """Have watches try again now what failed, also a commit that was put back. Exit codes: 0; 4 bad names."""
    from reconciler.commands import tend

    return _show("tend retry", tend.forgive(tend.targets(of), journal, time.time()), as_json)


@app.command(name="open")
def open_(
    of: Targets, reason: Reason = "", lasts: For = "1h", journal: JournalPath = None, as_json: AsJson = False
) -> int:
    """Let watches change these outside their windows, or inside one that denies it, for a while [1h].

    Exit codes: 0; 4 no reason, or bad names.
    """
    from reconciler.commands import tend

    until = duration("--for", lasts) if lasts else None
    notes = tend.say("opened", tend.targets(of), reason, until, journal, time.time())
    return _show("tend open", notes, as_json)


@app.command()
def show(journal: JournalPath = None, as_json: AsJson = False) -> int:
    """Show what watches leave alone, and what was put back. Exit codes: 0."""
    from reconciler.commands import tend

    return _show("tend show", tend.shown(journal, time.time()), as_json)


Command = Literal["tend suspend", "tend resume", "tend retry", "tend open", "tend show"]


def _show(command: Command, notes: Notes, as_json: bool) -> int:
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.tend import tend_document

        emit(tend_document(command, notes))
    else:
        from reconciler.cli.views.layout import say
        from reconciler.cli.views.tend import render_notes

        say(render_notes(notes))
    return 0
