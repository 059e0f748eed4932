"""`reconcile history`: what was done, when, by whom, and how it ended."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.options import AsJson, JournalPath

if TYPE_CHECKING:
    from reconciler.errors import InputError
    from reconciler.model.record import Run

MOST_RUNS = 100_000
LOOK_BACK = 500
"""Runs whose workloads are offered instead of a name that is not known."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="history")(history)


def history(
    workload: Annotated[str | None, typer.Argument(help="Only this workload.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=MOST_RUNS, help="How many runs.")] = 20,
    accuracy: Annotated[
        bool, typer.Option("--accuracy", help="Compare predicted with measured downtime of every move.")
    ] = False,
    journal: JournalPath = None,
    as_json: AsJson = False,
) -> int:
    """Show what was done: when, by whom, from which commit, and how it ended."""
    from reconciler.cli.views.layout import say, width_of
    from reconciler.cli.views.status import render_accuracy, render_history
    from reconciler.cli.views.style import color_of
    from reconciler.commands.compose import open_store
    from reconciler.core.accuracy import measured_moves
    from reconciler.errors import InputError

    if journal is not None and not journal.exists():
        raise InputError(
            "no such journal", code="E197", where=str(journal), fix="leave --journal out, or mend the path"
        )
    with open_store(journal, write=False) as kept:
        runs = kept.runs(workload=workload, limit=limit)
        if workload is not None and not runs:
            raise _unknown(workload, kept.runs(limit=LOOK_BACK))
    moves = [m for m in measured_moves(runs) if workload in (None, m.workload)] if accuracy else []
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.status import accuracy_document, history_document

        emit(accuracy_document(moves) if accuracy else history_document(runs, workload))
    elif accuracy:
        say(render_accuracy(moves, color_of(sys.stdout), width_of(sys.stdout)))
    else:
        say(render_history(runs, workload, color_of(sys.stdout)))
    return 0


def _unknown(workload: str, runs: list[Run]) -> InputError:
    import difflib

    from reconciler.errors import InputError

    names = sorted({change.workload for run in runs for change in run.plan.changes})
    near = difflib.get_close_matches(workload, names, n=1)
    fix = f"did you mean {near[0]}?" if near else "reconcile history lists what was done"
    return InputError(f"the journal holds nothing about a workload {workload}", code="E197", fix=fix)
