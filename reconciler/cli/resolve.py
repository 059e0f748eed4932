"""`reconcile resolve`: decide an in-doubt hand-over on evidence."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from reconciler.cli.options import JournalPath, Set, Values, load_spec


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="resolve")(resolve)


def resolve(
    workload: Annotated[str, typer.Argument(help="The workload that is in doubt.")],
    owner: Annotated[str, typer.Option("--owner", help="The host it belongs to.")],
    evidence: Annotated[str, typer.Option("--evidence", help="How you know; kept in the history.")] = "",
    paths: Annotated[list[Path] | None, typer.Option("--specs", help="Spec files and folders.")] = None,
    values: Values = None,
    settings: Set = None,
    journal: JournalPath = None,
) -> int:
    """Decide an in-doubt hand-over on evidence. The other side is fenced first where it answers.

    Exit codes: 0 decided; 1 refused, because a host that answers contradicts it; 4 without evidence.
    """
    from reconciler.recover import resolve as decide

    spec = load_spec(paths, values, settings, True)
    typer.echo(asyncio.run(decide(spec, workload, owner, evidence, journal)))
    return 0
