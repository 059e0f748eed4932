"""`reconcile resume`, `status`, `resolve` and `history`: what a crash left, and what happened."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Annotated

import typer

from reconciler.cli.options import AsJson, JournalPath, Paths, Set, Values, load_spec

JSON_VERSION = 1


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(name="resume")(resume)
    app.command(name="status")(status)
    app.command(name="resolve")(resolve)
    app.command(name="history")(history)


def resume(
    paths: Paths = None,
    values: Values = None,
    settings: Set = None,
    journal: JournalPath = None,
    as_json: AsJson = False,
) -> int:
    """Finish or undo what an interrupted apply left, from the journal or, without one, from the hosts.

    Exit codes as for apply.
    """
    from reconciler.cli.signals import run_until_done
    from reconciler.cli.views.apply import render_resumed, resumed_json
    from reconciler.cli.views.progress import progress_view
    from reconciler.cli.views.style import color_of
    from reconciler.recover import Resume

    spec = load_spec(paths, values, settings, True)
    with progress_view() as report:
        job = Resume(spec=spec, journal_path=journal, report=report)
        resumed, interrupted = run_until_done(job, job.cancel)
    if as_json:
        typer.echo(json.dumps(resumed_json(resumed), indent=2))
    else:
        typer.echo(render_resumed(resumed, color_of(sys.stdout)))
    return 130 if interrupted else resumed.exit_code


def status(
    paths: Paths = None,
    values: Values = None,
    settings: Set = None,
    journal: JournalPath = None,
    as_json: AsJson = False,
) -> int:
    """Show every unfinished hand-over: who owns the workload, in which state, since when, and the next command.

    Exit codes: 0 nothing is unfinished; 5 something is in doubt; 1 otherwise.
    """
    from reconciler.cli.views.status import render_status, status_json
    from reconciler.cli.views.style import color_of
    from reconciler.recover import standings

    spec = load_spec(paths, values, settings, True)
    world, rows = asyncio.run(standings(spec, journal))
    if as_json:
        typer.echo(json.dumps(status_json(world, rows), indent=2))
    else:
        typer.echo(render_status(world, rows, color_of(sys.stdout)))
    if any(not row.owner for row in rows):
        return 5
    return 1 if rows else 0


def resolve(
    workload: Annotated[str, typer.Argument(help="The workload that is in doubt.")],
    owner: Annotated[str, typer.Option("--owner", help="The host it belongs to.")],
    evidence: Annotated[str, typer.Option("--evidence", help="How you know; kept in the history.")] = "",
    paths: Annotated[list[str] | None, typer.Option("--specs", help="Spec files and folders.")] = None,
    values: Values = None,
    settings: Set = None,
    journal: JournalPath = None,
) -> int:
    """Decide an in-doubt hand-over on evidence. The other side is fenced first where it answers.

    Exit codes: 0 decided; 1 refused, because a host that answers contradicts it; 4 without evidence.
    """
    from pathlib import Path

    from reconciler.recover import resolve as decide

    spec = load_spec([Path(p) for p in paths or []], values, settings, True)
    typer.echo(asyncio.run(decide(spec, workload, owner, evidence, journal)))
    return 0


def history(
    workload: Annotated[str | None, typer.Argument(help="Only this workload.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many runs.")] = 20,
    journal: JournalPath = None,
    as_json: AsJson = False,
) -> int:
    """Show what was done: when, by whom, from which commit, and how it ended."""
    from reconciler.cli.views.status import history_json, render_history
    from reconciler.cli.views.style import color_of
    from reconciler.state.journal import Journal

    with Journal.open(journal) as kept:
        runs = kept.runs(workload=workload, limit=limit)
    if as_json:
        typer.echo(json.dumps(history_json(runs, workload), indent=2))
    else:
        typer.echo(render_history(runs, workload, color_of(sys.stdout)))
    return 0
