"""`reconcile checkpoints`: what is inside a checkpoint, without restoring it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.kept import In
from reconciler.cli.options import AsJson, Set, Specs, load_hosts

if TYPE_CHECKING:
    from reconciler.inspection.facts import Checkpoint

Paths = list[Path] | None
Words = list[str] | None

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
WHAT = "A checkpoint that is kept (ID may be `latest`), an archive, or a folder of CRIU images."
Which = Annotated[str, typer.Argument(metavar="WORKLOAD@ID|PATH", help=WHAT)]
ShowValues = Annotated[bool, typer.Option("--values", help="Values of environment variables too.")]
Templated = Annotated[
    list[Path] | None,
    typer.Option("--values-from", help="YAML file with values for templates of specs; may be repeated."),
]


def _look(which: list[str], where: str, paths: Paths, values: Paths, settings: Words) -> list[Checkpoint]:
    import asyncio

    from reconciler.commands.looking import look_into

    return asyncio.run(look_into(which, lambda: load_hosts(paths, values, settings), where))


@app.command()
def show(
    which: Which,
    values: ShowValues = False,
    where: In = "",
    paths: Specs = None,
    templated: Templated = None,
    settings: Set = None,
    as_json: AsJson = False,
) -> None:
    """Processes, memory, sockets, open files, environment, changed files and volumes of a checkpoint. Of one
    that is kept, its host tells them, and its memory stays there.

    Exit codes: 0 shown; 1 its manifest cannot be used; 4 not a checkpoint, damaged or refused; 7 a host cannot be
    used.
    """
    from reconciler.cli.views.checkpoints import render_checkpoint
    from reconciler.cli.views.layout import say
    from reconciler.cli.views.style import color_of

    (found,) = _look([which], where, paths, templated, settings)
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.checkpoints import show_document

        emit(show_document(found, values=values))
    else:
        say(render_checkpoint(found, color_of(sys.stdout), values=values))


@app.command()
def files(
    which: Which,
    where: In = "",
    paths: Specs = None,
    templated: Templated = None,
    settings: Set = None,
    as_json: AsJson = False,
) -> None:
    """Files that differ from the container's image, files in its volumes, and files that processes have open."""
    from reconciler.cli.views.checkpoints import render_files
    from reconciler.cli.views.layout import say

    (found,) = _look([which], where, paths, templated, settings)
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.checkpoints import files_document

        emit(files_document(found))
    else:
        say(render_files(found))


@app.command()
def diff(
    first: Annotated[str, typer.Argument(metavar="A", help="WORKLOAD@ID, archive or folder.")],
    second: Annotated[str, typer.Argument(metavar="B", help="WORKLOAD@ID, archive or folder.")],
    where: In = "",
    paths: Specs = None,
    templated: Templated = None,
    settings: Set = None,
    as_json: AsJson = False,
) -> None:
    """What changed from one checkpoint to another: where they come from, sizes, processes, sockets, files."""
    from reconciler.cli.views.checkpoints import render_diff
    from reconciler.cli.views.layout import say
    from reconciler.cli.views.style import color_of
    from reconciler.inspection.compare import differences

    one, two = _look([first, second], where, paths, templated, settings)
    found = differences(one, two)
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.checkpoints import diff_document

        emit(diff_document(found))
    else:
        say(render_diff(found, color_of(sys.stdout)))
