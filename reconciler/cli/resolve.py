"""`reconcile resolve`: decide an in-doubt hand-over on evidence."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from reconciler.cli.options import JournalPath, Set, Values, load_hosts


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="resolve")(resolve)


def resolve(
    workload: Annotated[str, typer.Argument(help="The workload that is in doubt.")],
    owner: Annotated[str | None, typer.Option("--owner", help="The host it belongs to.")] = None,
    lost: Annotated[bool, typer.Option("--lost", help="Nothing is left of it: make it anew.")] = False,
    evidence: Annotated[str, typer.Option("--evidence", help="How you know; kept in the history.")] = "",
    paths: Annotated[list[Path] | None, typer.Option("--specs", help="Spec files and folders.")] = None,
    values: Values = None,
    settings: Set = None,
    journal: JournalPath = None,
) -> int:
    """Decide an in-doubt hand-over on evidence: who owns it (--owner), or that no host has a copy or images any
    more (--lost), so that the next apply makes it anew. Where hosts answer, they are fenced first.

    Exit codes: 0 decided; 1 refused, because a host that answers contradicts it; 4 without evidence.
    """
    from reconciler.cli.signals import outlive_terminal
    from reconciler.errors import InputError
    from reconciler.resolve import resolve as decide

    if lost == (owner is not None):
        raise InputError("say either who owns it or that it is lost", fix="--owner HOST, or --lost")
    spec = load_hosts(paths, values, settings)
    outlive_terminal()
    typer.echo(asyncio.run(decide(spec, workload, owner, evidence, journal)))
    return 0
