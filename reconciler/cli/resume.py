"""`reconcile resume`: finish or undo what an interrupted apply left."""

from __future__ import annotations

import sys

import typer

from reconciler.cli.options import AsJson, JournalPath, Paths, Set, Values, load_hosts


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="resume")(resume)


def resume(
    paths: Paths = None,
    values: Values = None,
    settings: Set = None,
    journal: JournalPath = None,
    as_json: AsJson = False,
) -> int:
    """Finish or undo what an interrupted apply left, from the journal or, without one, from the hosts.

    What a person has to decide is left alone and shown with its next command, as `status` shows it; and so is
    what another controller works on, whose name is told.
    Exit codes: 0 nothing is unfinished any more; 1 something is; 5 something is in doubt; 6 another
    controller works on all of it; 7 no host could be seen; 130 interrupted.
    """
    from reconciler.cli.signals import run_until_done
    from reconciler.cli.views.apply import render_resumed
    from reconciler.cli.views.layout import say
    from reconciler.cli.views.progress import progress_view
    from reconciler.cli.views.style import color_of
    from reconciler.commands.recover import Resume

    spec = load_hosts(paths, values, settings)
    with progress_view() as report:
        job = Resume(spec=spec, journal_path=journal, report=report)
        resumed, interrupted = run_until_done(job, job.cancel)
    ending = resumed.ending(interrupted)
    if as_json:
        from reconciler.cli.views.output.apply import resume_document
        from reconciler.cli.views.output.base import emit

        emit(resume_document(resumed, ending))
    else:
        say(render_resumed(resumed, ending, color_of(sys.stdout)))
    return ending.exit_code
