"""`reconcile watch`: keep the hosts as the specs want them, for as long as it runs."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli import logs
from reconciler.cli.asked import duration
from reconciler.cli.options import AsJson, JournalPath, Paths, Set, Values, spec_paths

if TYPE_CHECKING:
    from reconciler.watch.http import Guarded
    from reconciler.watch.loop import Stand, Watch
    from reconciler.watch.posting import Post

AT = "127.0.0.1:9464"
"""Where the page is when nothing else is said."""
TOKEN = "RECONCILE_PAGE_TOKEN"  # noqa: S105  its name


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="watch")(watch)


def watch(
    paths: Paths = None,
    values: Values = None,
    settings: Set = None,
    drift: Annotated[
        str, typer.Option("--drift", metavar="DURATION", help="How often hosts are looked at anyway.")
    ] = "1m",
    poll: Annotated[
        str,
        typer.Option("--poll", metavar="DURATION", help="With --repo: how often it is asked for a new commit."),
    ] = "30s",
    once: Annotated[
        bool, typer.Option("--once", help="End when nothing more can be begun, instead of watching on.")
    ] = False,
    listen: Annotated[
        str,
        typer.Option(
            "--listen", metavar="HOST:PORT", help="Answer /healthz, /readyz and /metrics there; off by default."
        ),
    ] = "",
    page: Annotated[
        bool,
        typer.Option(
            "--page",
            help="Show there what runs where, for browsers; read-only. Without --listen: at 127.0.0.1:9464. "
            "Where others reach it, it needs a token (RECONCILE_PAGE_TOKEN).",
        ),
    ] = False,
    page_names: Annotated[
        list[str] | None,
        typer.Option(
            "--page-name", metavar="NAME", help="A name by which browsers ask for the page; may be repeated."
        ),
    ] = None,
    webhook: Annotated[
        str, typer.Option("--webhook", metavar="URL", help="Post what happens, signed (RECONCILE_WEBHOOK_SECRET).")
    ] = "",
    on_event: Annotated[
        str, typer.Option("--on-event", metavar="COMMAND", help="Run this for what happens, with JSON on stdin.")
    ] = "",
    event_template: Annotated[
        Path | None,
        typer.Option(
            "--event-template",
            metavar="FILE",
            help="What --webhook and --on-event get instead of the usual JSON: a Jinja2 template (docs/watch.md).",
        ),
    ] = None,
    journal: JournalPath = None,
    as_json: AsJson = False,
) -> int:
    """Keep the hosts as the specs want them: act on new commits or edits, and mend what drifts.

    Nobody is asked: a removal, or an interruption that the spec's `update.allow` does not name, waits for `apply`.
    Specs that cannot be read, or are gone, change nothing. What failed is tried again, ever more rarely; a commit
    that was put back is left alone until it changes. SIGHUP reads and tries all again; SIGTERM or Ctrl-C ends it:
    what is under way is put back, or finished. Of several watches one leads.

    Exit codes: 0 ended as it was asked to; with --once: 1 something is not as wanted; 4 bad specs, 6 another
    watch leads; 7 no host could be seen.
    """
    import asyncio

    from reconciler.cli.fromgit import chosen
    from reconciler.cli.reading import SpecReader, question
    from reconciler.cli.views.progress import plain
    from reconciler.cli.views.watch import render_stand, teller
    from reconciler.commands.compose import notes_beside
    from reconciler.errors import InputError
    from reconciler.load.render_reports import event_renderer
    from reconciler.watch import posting
    from reconciler.watch.loop import Pace, Watch
    from reconciler.watch.memory import Keeping, share_the_interpreter
    from reconciler.watch.source import FolderSource, GitSource
    from reconciler.watch.told import News

    wanted = chosen()
    where = [] if wanted else spec_paths(paths)
    asked = question(where, values or [], settings or [], wanted)
    load = SpecReader(asked)
    pace = Pace(drift=duration("--drift", drift))
    every = duration("--poll", poll)
    source = GitSource(load, every) if wanted else FolderSource([*where, *(values or [])], load)
    job = Watch(source, journal, notes_beside(journal), pace, once=once)
    load.tell = lambda text: job.say(News.TROUBLE, text)
    if not logs.on_stderr():  # which has it all
        job.tell, job.report = teller(sys.stderr), plain
    template = event_renderer(event_template) if event_template else None
    asked_for = ((posting.webhook, webhook), (posting.command, on_event))
    posts = [make(text, template) for make, text in asked_for if text]
    if template and not posts:
        raise InputError("--event-template is of --webhook and --on-event", code="E190", fix="add one of them")
    if page_names and not page:
        raise InputError("--page-name is of the page", code="E190", fix="add --page, or leave it out")
    guarded = _guarded(job, page_names or []) if page else None
    job.onlookers.append(Keeping())
    share_the_interpreter()
    stand = asyncio.run(_run(job, posts, listen or (AT if page else ""), guarded))
    status = _status(stand) if once else 0
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.watch import watch_document

        emit(watch_document(stand, status))
    elif once:
        typer.echo(render_stand(stand))
    return status


def _guarded(job: Watch, names: list[str]) -> Guarded:
    """The page, and for whom it is. InputError where the token could be guessed."""
    from reconciler.cli.views.site import pages
    from reconciler.errors import InputError
    from reconciler.watch.http import LEAST_TOKEN, Guarded

    token = os.environ.get(TOKEN, "")
    if token and len(token) < LEAST_TOKEN:
        fix = f"use {LEAST_TOKEN} characters or more, such as those of: openssl rand -hex 16"
        raise InputError(f"{TOKEN} is too short", code="E190", fix=fix)
    return Guarded(pages(job), token, frozenset(name.lower() for name in names))


def _status(stand: Stand) -> int:
    if stand.converged:
        return 0
    return 7 if stand.unseen else 1


async def _run(job: Watch, posts: list[Post], listen: str, guarded: Guarded | None) -> Stand:
    """Until it ends: SIGTERM and Ctrl-C stop it safely, SIGHUP has it read again; systemd is told of all that."""
    import asyncio

    from reconciler.watch.told import News

    async with AsyncExitStack() as around:
        if listen:
            from reconciler.watch.health import pages
            from reconciler.watch.http import served
            from reconciler.watch.metrics import Metrics

            metrics = Metrics()
            job.onlookers.append(metrics)
            at = await around.enter_async_context(served(listen, pages(job, metrics), guarded))
            job.say(News.LISTENS, f"/healthz, /readyz and /metrics at {at}")
            if guarded:
                job.say(News.LISTENS, f"the page at http://{at}/{' (with its token)' * bool(guarded.token)}")
        job.onlookers += posts
        carriers = [asyncio.create_task(post.deliver()) for post in posts]
        try:
            return await _watch(job)
        finally:
            await asyncio.gather(*(post.finish() for post in posts))
            for carrier in carriers:
                carrier.cancel()


async def _watch(job: Watch) -> Stand:
    import asyncio

    from reconciler.watch import notify

    loop = asyncio.get_running_loop()
    reloads = set[asyncio.Task[None]]()

    async def reread() -> None:
        notify.reloading()
        await job.reload()
        notify.tell("READY=1")

    def reload() -> None:
        task = asyncio.create_task(reread())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    def stop() -> None:
        notify.tell("STOPPING=1")
        job.stop()

    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop)
    loop.add_signal_handler(signal.SIGHUP, reload)
    alive = asyncio.create_task(notify.keep_alive())
    notify.tell("READY=1", "STATUS=watching")
    try:
        return await job()
    finally:
        for task in (alive, *reloads):
            task.cancel()
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(name)
