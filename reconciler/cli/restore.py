"""`reconcile restore`: a workload comes back from a checkpoint."""

from __future__ import annotations

from typing import Annotated

import typer

from reconciler.cli.options import AsJson, JournalPath, Set, Specs, Values, load_hosts


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="restore")(restore)


def restore(
    checkpoint: Annotated[
        str, typer.Argument(metavar="WORKLOAD[@ID]", help="What to restore; without ID its newest checkpoint.")
    ],
    on: Annotated[str, typer.Option("--on", help="The host to run it; default: where its spec places it.")] = "",
    where: Annotated[
        str, typer.Option("--in", help="Where it is kept: HOST or HOST:/FOLDER; default: asks all hosts.")
    ] = "",
    gone: Annotated[
        list[str] | None, typer.Option("--gone", help="A host that does not answer and is off; may be repeated.")
    ] = None,
    evidence: Annotated[str, typer.Option("--evidence", help="How you know that.")] = "",
    replace: Annotated[
        bool, typer.Option("--replace", help="Give up its container and volumes that are there already.")
    ] = False,
    paths: Specs = None,
    values: Values = None,
    settings: Set = None,
    journal: JournalPath = None,
    as_json: AsJson = False,
) -> int:
    """Bring a workload back as it was when a checkpoint was taken: memory, root filesystem and volumes. It is made
    from its spec of now. Its connections of then are closed.

    Refused while it runs anywhere, or may run: on a host that does not answer. When such a host is surely off, say
    so with --gone and --evidence. What other hosts have of it is fenced first and never starts again.

    Exit codes: 0 it runs; 1 refused or failed, and nothing of it runs; 4 bad input; 5 in doubt; 6 another
    controller is at work; 7 a host cannot be used; 130 interrupted.
    """
    from reconciler.cli.signals import run_until_done
    from reconciler.cli.views.kept import render_restored
    from reconciler.cli.views.layout import say
    from reconciler.commands.restore import Restore

    spec = load_hosts(paths, values, settings)
    job = Restore(spec, checkpoint, on, where, tuple(gone or ()), evidence, replace, journal)
    restored, _ = run_until_done(job, job.cancel)
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.kept import restore_document

        emit(restore_document(restored))
    else:
        say(render_restored(restored))
    return 0
