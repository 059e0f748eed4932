"""`reconcile checkpoints`: what is inside a checkpoint, without restoring it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from reconciler.cli.options import AsJson

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
Archive = Annotated[Path, typer.Argument(metavar="PATH", help="Archive, or folder of CRIU images.")]
ShowValues = Annotated[bool, typer.Option("--values", help="Values of environment variables too.")]


@app.command()
def show(path: Archive, values: ShowValues = False, as_json: AsJson = False) -> None:
    """Processes, memory, sockets, open files, environment and changed files of a checkpoint.

    Exit codes: 0 shown; 4 not a checkpoint, damaged or refused.
    """
    from reconciler.cli.views.checkpoints import render_checkpoint
    from reconciler.cli.views.layout import say
    from reconciler.cli.views.style import color_of
    from reconciler.inspection.look import look

    found = look(path)
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.checkpoints import show_document

        emit(show_document(found, values=values))
    else:
        say(render_checkpoint(found, color_of(sys.stdout), values=values))


@app.command()
def files(path: Archive, as_json: AsJson = False) -> None:
    """Files that differ from the container's image, and files that processes have open."""
    from reconciler.cli.views.checkpoints import render_files
    from reconciler.cli.views.layout import say
    from reconciler.inspection.look import look

    found = look(path)
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.checkpoints import files_document

        emit(files_document(found))
    else:
        say(render_files(found))


@app.command()
def diff(
    first: Annotated[Path, typer.Argument(metavar="A", help="Archive or folder.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Archive or folder.")],
    as_json: AsJson = False,
) -> None:
    """What changed from one checkpoint to another."""
    from reconciler.cli.views.checkpoints import render_diff
    from reconciler.cli.views.layout import say
    from reconciler.cli.views.style import color_of
    from reconciler.inspection.compare import differences
    from reconciler.inspection.look import look

    found = differences(look(first), look(second))
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.checkpoints import diff_document

        emit(diff_document(found))
    else:
        say(render_diff(found, color_of(sys.stdout)))
