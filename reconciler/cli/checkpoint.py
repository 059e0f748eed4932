"""`reconcile checkpoint`: save a workload that runs, and let it run on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.options import AsJson, JournalPath, Set, Specs, Values, load_hosts

if TYPE_CHECKING:
    from reconciler.model.spec import Spec


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="checkpoint")(checkpoint)


def checkpoint(
    workload: Annotated[str, typer.Argument(help="The workload to save.", show_default=False)] = "",
    to: Annotated[
        str, typer.Option("--to", help="Where to keep it: a store, HOST or HOST:/FOLDER.", metavar="WHERE")
    ] = "",
    due: Annotated[
        bool, typer.Option("--due", help="All that is due by the specs' policies, for a timer.")
    ] = False,
    freeze_limit: Annotated[
        str, typer.Option("--freeze-limit", help="The longest it may be frozen; else it runs on, unsaved.")
    ] = "1m",
    paths: Specs = None,
    values: Values = None,
    settings: Set = None,
    journal: JournalPath = None,
    as_json: AsJson = False,
) -> int:
    """Save a workload's memory, root filesystem and volumes as they are at one instant. It is frozen for a
    moment and runs on, with its connections; also when this fails or is interrupted.

    With --due checkpoints are rehearsed, too, where that is due.
    Without --to it is kept on its own host, in /var/lib/reconciler/checkpoints.

    Exit codes: 0 taken, or nothing is due; 1 refused or failed, or (--due) the newest one is older than
    promised, or did not come up when it was rehearsed; 4 bad input; 6 another controller works there; 7 a host
    cannot be used; 130 interrupted."""
    if due or not workload:
        return _due(bool(workload or to), due, load_hosts(paths, values, settings), journal, as_json)
    from reconciler.cli.asked import duration
    from reconciler.cli.signals import run_until_done
    from reconciler.cli.views.kept import render_taken
    from reconciler.cli.views.layout import say
    from reconciler.commands.checkpoint import Take

    limit = duration("--freeze-limit", freeze_limit)
    take = Take(load_hosts(paths, values, settings), workload, to, limit, journal)
    taken, _ = run_until_done(take, take.cancel)
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.kept import checkpoint_document

        emit(checkpoint_document(taken))
    else:
        say(render_taken(taken))
    return 0


def _due(named: bool, due: bool, spec: Spec, journal: Path | None, as_json: bool) -> int:
    from reconciler.cli.signals import run_until_done
    from reconciler.cli.views.kept import render_due
    from reconciler.cli.views.layout import say
    from reconciler.commands.due import TakeDue
    from reconciler.errors import InputError

    if named or not due:
        raise InputError("say WORKLOAD, or --due", code="E190", fix="--due goes by the policies, WORKLOAD by --to")
    job = TakeDue(spec, journal)
    done, _ = run_until_done(job, job.cancel)
    status = int(any(one.wanting for one in done))
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.kept import due_document

        emit(due_document(done, status))
    else:
        say(render_due(done))
    return status
