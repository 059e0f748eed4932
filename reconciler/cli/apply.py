"""`reconcile apply`: carry out a plan, and put things back when a step fails."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from reconciler.commands.app import Seen
    from reconciler.commands.planfile import SavedPlan
    from reconciler.model.spec import Spec


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="apply")(apply)


def apply(
    paths: Paths = None,
    values: Values = None,
    settings: Set = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; needed without a terminal.")] = False,
    allow_removals: Annotated[
        int, typer.Option("--allow-removals", min=0, help="How many workloads may lose their last copy.")
    ] = 0,
    allow_interruptions: Annotated[
        int,
        typer.Option(
            "--allow-interruptions", min=0, help="How many workloads that run may be stopped or made anew."
        ),
    ] = 0,
    require_commit: Annotated[
        bool, typer.Option("--require-commit", help="Refuse specs that differ from the commit.")
    ] = False,
    allow_empty: AllowEmpty = False,
    specs: Annotated[
        list[Path] | None,
        typer.Option(
            "--specs", help="Where the specs of a saved plan are; default as for plan. It is bound to them."
        ),
    ] = None,
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
    """Bring the hosts to what the specs, or a saved plan file, say.

    A saved plan is carried out for the specs, the commit, the repository and the hosts it was made for, as they
    were; anything else is refused (8).

    Exit codes: 0 done or nothing to do; 1 failed and put back, refused, or not agreed to; 4 bad input; 5 in
    doubt; 6 locked; 7 no host could be seen, or one that is needed cannot be used; 8 stale plan; 130 interrupted,
    after putting back.
    """
    from reconciler.cli.signals import answer_to, run_until_done
    from reconciler.cli.views.apply import render_applied
    from reconciler.cli.views.failure import warned
    from reconciler.cli.views.layout import say
    from reconciler.cli.views.plan import render_plan
    from reconciler.cli.views.progress import progress_view
    from reconciler.cli.views.reports import form_of, render_applied_report, templates_for
    from reconciler.cli.views.style import color_of
    from reconciler.commands.app import Apply
    from reconciler.core.consent import Consent
    from reconciler.errors import InputError

    shown = form_of(form, as_json)
    templates_for(templates, shown)
    saved = _saved_plan(paths)
    if saved is None:
        spec = load_spec(paths, values, settings, allow_empty)
    else:
        spec = _specs_of(saved, specs, values, settings)
    if require_commit and (spec.dirty or spec.commit is None):
        raise InputError(
            "the specs differ from the last commit" if spec.commit else "the specs are in no git commit",
            code="E193",
            fix="commit them, or apply without --require-commit",
        )

    def show(seen: Seen) -> None:
        plan = seen.plan
        if shown == "text" and (plan.changes or plan.findings or plan.unknown_hosts):
            say(render_plan(seen, color_of(sys.stdout)))

    async def ask(seen: Seen) -> bool:
        if not sys.stdin.isatty():
            raise InputError("apply needs a yes, and there is no terminal to ask", code="E194", fix="add --yes")
        answer = await answer_to("\nApply this plan? (yes/no) [no]: ")
        return answer.strip().lower() in ("y", "yes")

    with progress_view() as report:
        job = Apply(
            spec=spec,
            journal_path=journal,
            show=show,
            ask=None if yes or saved else ask,
            consent=Consent(allow_removals, allow_interruptions, asked=not (yes or saved) and sys.stdin.isatty()),
            saved=saved,
            report=report,
        )
        applied, interrupted = run_until_done(job, job.cancel)
    ending = applied.ending(interrupted)
    if shown != "text":
        from reconciler.cli.views.output.apply import apply_document
        from reconciler.cli.views.output.base import emit

        document = apply_document(applied, ending)
        if shown == "json":
            emit(document)
        else:
            from functools import partial

            from reconciler.cli.views.output.plan import origin_of

            typer.echo(render_applied_report(document, shown, templates, warned, partial(origin_of, spec)))
    else:
        say(render_applied(applied, ending, color_of(sys.stdout)))
    return ending.exit_code


def _specs_of(
    saved: SavedPlan, where: list[Path] | None, values: list[Path] | None, settings: list[str] | None
) -> Spec:
    """The specs at hand, which must be those that a saved plan is bound to."""
    from reconciler.commands.binding import AGAIN, bind, refuse_other_specs
    from reconciler.errors import InputError, StalePlan
    from reconciler.model.world import World

    try:
        spec = load_spec(where, values, settings, True)
    except InputError as error:
        if error.diagnostics:
            raise
        what = "the specs that the plan is bound to are not here"
        raise StalePlan(
            what, why=str(error), fix=f"run it where they are, or say --specs; else {AGAIN}"
        ) from error
    refuse_other_specs(saved.binding, bind(spec, World(), repository_of(where, spec)))
    return spec


def _saved_plan(paths: list[Path] | None) -> SavedPlan | None:
    from reconciler.commands.planfile import is_plan_file, read_plan

    if paths and len(paths) == 1 and is_plan_file(paths[0]):
        return read_plan(paths[0])
    return None
