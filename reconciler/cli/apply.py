"""`reconcile apply`: carry out a plan, and put things back when a step fails."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.options import AllowEmpty, AsJson, JournalPath, Paths, Set, Values, load_spec

if TYPE_CHECKING:
    from reconciler.app import Seen
    from reconciler.planfile import SavedPlan


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
    require_commit: Annotated[
        bool, typer.Option("--require-commit", help="Refuse specs that differ from the commit.")
    ] = False,
    allow_empty: AllowEmpty = False,
    journal: JournalPath = None,
    as_json: AsJson = False,
) -> int:
    """Bring the hosts to what the specs, or a saved plan file, say.

    Exit codes: 0 done or nothing to do; 1 failed and put back, or refused; 4 bad input; 5 in doubt;
    6 locked; 7 a host cannot be used; 8 stale plan; 130 interrupted, after putting back.
    """
    from reconciler.app import Apply
    from reconciler.cli.signals import run_until_done
    from reconciler.cli.views.apply import applied_json, exit_code, render_applied
    from reconciler.cli.views.progress import progress_view
    from reconciler.cli.views.style import color_of
    from reconciler.core.consent import Consent
    from reconciler.errors import InputError

    saved = _saved_plan(paths)
    if saved is not None:
        spec = saved.spec
    else:
        spec = load_spec(paths, values, settings, allow_empty)
        if require_commit and (spec.dirty or spec.commit is None):
            raise InputError(
                "the specs differ from the last commit" if spec.commit else "the specs are in no git commit",
                code="E193",
                fix="commit them, or apply without --require-commit",
            )
    ask = not (yes or saved is not None)

    async def agree(seen: Seen) -> bool:
        from reconciler.cli.views.plan import render_plan

        if not as_json:
            typer.echo(render_plan(seen.plan, color_of(sys.stdout), seen=len(seen.world.seen())))
        if not ask:
            return True
        if not sys.stdin.isatty():
            raise InputError("apply needs a yes, and there is no terminal to ask", code="E194", fix="add --yes")
        answer = await asyncio.to_thread(typer.prompt, "\nApply this plan? (yes/no)", default="no", err=True)
        return answer.strip().lower() in ("y", "yes")

    with progress_view() as report:
        job = Apply(
            spec=spec,
            journal_path=journal,
            agree=agree,
            consent=Consent(removals=allow_removals),
            saved=saved.plan if saved else None,
            report=report,
        )
        applied, interrupted = run_until_done(job, job.cancel)
    if as_json:
        typer.echo(json.dumps(applied_json(applied), indent=2))
    else:
        typer.echo(render_applied(applied, color_of(sys.stdout)))
    return exit_code(applied, interrupted)


def _saved_plan(paths: list[Path] | None) -> SavedPlan | None:
    from reconciler.planfile import is_plan_file, read_plan

    if paths and len(paths) == 1 and is_plan_file(paths[0]):
        return read_plan(paths[0])
    return None
