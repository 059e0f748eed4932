"""`reconcile restore`: a workload comes back from a checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.options import AsJson, JournalPath, Set, Specs, Values, load_hosts

if TYPE_CHECKING:
    from reconciler.commands.restore import Restore


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="restore")(restore)


def restore(
    checkpoint: Annotated[
        str, typer.Argument(metavar="WORKLOAD[@ID]", help="What to restore; without ID its newest checkpoint.")
    ],
    since: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="ID|latest|TIME",
            help="Which one: its ID, or the newest at that time (ISO 8601; without a zone it is UTC).",
        ),
    ] = "",
    on: Annotated[
        str, typer.Option("--to", "--on", help="The host to run it; default: where its spec places it.")
    ] = "",
    name: Annotated[
        str,
        typer.Option(
            "--as", metavar="NAME", help="A copy of that name beside it, without its connections and network."
        ),
    ] = "",
    ttl: Annotated[
        str, typer.Option("--ttl", metavar="DURATION", help="How long a copy is kept; default: 1h.")
    ] = "",
    plan: Annotated[bool, typer.Option("--plan", help="Only show what it would do. Changes nothing.")] = False,
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

    With --as the workload is left as it is, whether it runs or not: a copy of it comes up with memory and files of
    then, in volumes of its own, with no network at all. `reconcile exec` and `logs` find it by its name; it goes
    when its time is over, or by `reconcile discard`.

    Refused while it runs anywhere, or may run: on a host that does not answer. When such a host is surely off, say
    so with --gone and --evidence. What other hosts have of it is fenced first and never starts again.

    Exit codes: 0 it runs; 1 refused or failed, and nothing of it runs; 4 bad input; 5 in doubt; 6 another
    controller is at work; 7 a host cannot be used; 130 interrupted.
    """
    from reconciler.cli.signals import run_until_done
    from reconciler.cli.views.kept import render_restored
    from reconciler.cli.views.layout import say
    from reconciler.commands.restore import Restore
    from reconciler.errors import InputError

    spec = load_hosts(paths, values, settings)
    checkpoint, before = _which(checkpoint, since)
    if name:
        from reconciler.cli.asked import duration
        from reconciler.commands.copying import KEEP, RestoreCopy

        if gone or evidence or replace:
            raise InputError(
                "--gone, --evidence and --replace are not for copies", code="E190", fix="leave them out"
            )
        job: Restore = RestoreCopy(
            spec,
            checkpoint,
            on,
            where,
            journal_path=journal,
            before=before,
            name=name,
            keep=duration("--ttl", ttl) if ttl else KEEP,
        )
    elif ttl:
        raise InputError("--ttl is how long a copy is kept", code="E190", fix="name the copy: --as NAME")
    else:
        given_up = (tuple(gone or ()), evidence, replace)
        job = Restore(spec, checkpoint, on, where, *given_up, journal, before=before)
    if plan:
        return _planned(job, as_json)
    restored, _ = run_until_done(job, job.cancel)
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.kept import restore_document

        emit(restore_document(restored))
    else:
        say(render_restored(restored))
    return 0


def _which(reference: str, since: str) -> tuple[str, float | None]:
    """The checkpoint as it is named, or the time that it is the newest at."""
    import re
    from datetime import UTC, datetime

    from reconciler.core.comeback import LATEST
    from reconciler.errors import InputError

    if not since:
        return reference, None
    if "@" in reference:
        raise InputError("WORKLOAD@ID and --from both say which", code="E190", fix="leave one out")
    if since == LATEST:
        return reference, None
    if re.fullmatch(r"\d{8}-\d{6}-[0-9a-z-]+", since):
        return f"{reference}@{since}", None
    try:
        moment = datetime.fromisoformat(since)
    except ValueError:
        return f"{reference}@{since}", None
    return reference, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _planned(job: Restore, as_json: bool) -> int:
    import asyncio
    import sys

    from reconciler.cli.views.layout import say
    from reconciler.cli.views.plan import render_plan
    from reconciler.cli.views.style import color_of

    seen = asyncio.run(job.planned())
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.plan import plan_document

        emit(plan_document(seen, 0, None, job.spec))
    else:
        text = render_plan(seen, color_of(sys.stdout))
        say(f"{text} Nothing was changed.")
    return 0
