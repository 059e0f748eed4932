"""`reconcile logs` and `reconcile exec`: a workload's log, and a command beside it, wherever it is."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from reconciler.cli.options import Set, Specs, Values, load_hosts

Name = Annotated[str, typer.Argument(help="A workload of the specs.", metavar="WORKLOAD")]


def register(app: typer.Typer) -> None:
    """Add both commands."""
    app.command(name="logs")(logs)
    app.command(name="exec", context_settings={"allow_interspersed_args": False})(execute)


def logs(
    name: Name,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    tail: Annotated[int | None, typer.Option("--tail", "-n", min=0, help="Only the last lines.")] = None,
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="A duration such as 5m, or a time (RFC 3339).")
    ] = "",
    timestamps: Annotated[bool, typer.Option("--timestamps", help="Each line with its time.")] = False,
    specs: Specs = None,
    values: Values = None,
    settings: Set = None,
) -> int:
    """Print what a workload has printed, wherever it is. Its bytes come as they are, like `cat`'s.

    Exit codes: 0; 1 it is nowhere; 4 no spec defines it; 7 its host cannot be
    seen; else what its runtime ends with.
    """
    import asyncio

    from reconciler.cli.views.failure import warned
    from reconciler.commands.attend import show_log
    from reconciler.runtimes.base import LogWish

    wish = LogWish(tail=tail, since=since, follow=follow, timestamps=timestamps)
    return asyncio.run(show_log(load_hosts(specs, values, settings), name, wish, warned))


def execute(
    name: Name,
    words: Annotated[list[str], typer.Argument(help="The command and its arguments.", metavar="COMMAND...")],
    stdin: Annotated[bool, typer.Option("--interactive", "-i", help="It gets this command's input.")] = False,
    terminal: Annotated[bool, typer.Option("--tty", "-t", help="It gets a terminal.")] = False,
    user: Annotated[str, typer.Option("--user", "-u", help="As whom, inside.")] = "",
    specs: Specs = None,
    values: Values = None,
    settings: Set = None,
) -> int:
    """Run a command beside a workload's processes, wherever it runs: `reconcile exec -it web sh`. Not while it is
    being moved.

    Exit codes: those of the command; 1 it does not run, or is in a hand-over; 4 no spec defines it; 7 its host
    cannot be seen.
    """
    import asyncio

    from reconciler.cli.views.failure import warned
    from reconciler.commands.attend import OwnStreams, enter
    from reconciler.errors import InputError

    if terminal and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError("--tty needs a terminal here too", code="E190", fix="leave -t out")

    streams = OwnStreams(stdin=stdin, terminal=terminal)
    return asyncio.run(enter(load_hosts(specs, values, settings), name, words, user, streams, warned))
