"""`reconcile plan`: what would be done, and nothing is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from reconciler.cli.options import (
    AllowEmpty,
    AsJson,
    JournalPath,
    Paths,
    Set,
    Templates,
    Values,
    load_spec,
    repository_of,
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="plan")(plan)


def plan(
    paths: Paths = None,
    values: Values = None,
    settings: Set = None,
    out: Annotated[Path | None, typer.Option("--out", help="Save the plan for `apply`.")] = None,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit 2 when there are changes, 0 when there are none.")
    ] = False,
    rehearse: Annotated[
        bool,
        typer.Option(
            "--rehearse", help="Dump each moving workload for trial; it is frozen for a moment and runs on."
        ),
    ] = False,
    allow_empty: AllowEmpty = False,
    journal: JournalPath = None,
    as_json: AsJson = False,
    form: Annotated[
        str,
        typer.Option(
            "--format", help="text, json, markdown, html, github (annotations), junit or sarif.", metavar="FORM"
        ),
    ] = "text",
    templates: Templates = None,
) -> int:
    """Show what `apply` would do, with downtime, bytes and way back. Changes nothing (a rehearsal freezes).

    Exit codes: 0; 1 something is refused; 2 changes (with --detailed-exitcode); 4 bad specs; 7 no host
    could be seen.
    """
    import asyncio

    from reconciler.cli.views.failure import warned
    from reconciler.cli.views.layout import say
    from reconciler.cli.views.plan import render_plan
    from reconciler.cli.views.reports import form_of, render_plan_report, templates_for
    from reconciler.cli.views.style import color_of
    from reconciler.commands import app
    from reconciler.commands.binding import bind
    from reconciler.commands.planfile import SavedPlan, write_plan

    shown = form_of(form, as_json)
    templates_for(templates, shown)
    spec = load_spec(paths, values, settings, allow_empty)
    if rehearse:
        from reconciler.cli.signals import at_once, run_until_done
        from reconciler.commands.rehearse import rehearsed_plan

        seen, _ = run_until_done(lambda: rehearsed_plan(spec, journal, warned), at_once)
    else:
        seen = asyncio.run(app.plan(spec, journal, warned))
    binding = bind(spec, seen.world, repository_of(paths, spec)) if out else None
    if out and binding:
        write_plan(SavedPlan(seen.plan, binding), out)
    status = seen.state.exit_code(detailed_exitcode)
    if shown != "text":
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.plan import plan_document

        document = plan_document(seen, status, (str(out), binding) if binding else None, spec)
        if shown == "json":
            emit(document)
        else:
            typer.echo(render_plan_report(document, shown, templates))
    else:
        text = render_plan(seen, color_of(sys.stdout))
        unchanged = "" if rehearse else " Nothing was changed."
        say(text + unchanged)
        if binding:
            say(f"Saved to {out}, for these specs {binding.at} and these hosts as they are: nothing else.")
    return status
