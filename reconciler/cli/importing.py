"""`reconcile import`: specs from compose files and Quadlet units."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from reconciler.cli.options import AsJson


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="import")(import_)


def import_(
    file: Annotated[Path, typer.Argument(help="A compose file, or a Quadlet unit (NAME.container).")],
    host: Annotated[str, typer.Option("--host", help="Where the workloads are placed.")],
    folder: Annotated[
        str, typer.Option("--folder", help="Where the file's own folder is on hosts.  [default: /srv/PROJECT]")
    ] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="A file that is not there yet; else it is shown.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Write what a compose file or a Quadlet unit says as specs; what they cannot say is named in comments, with
    the reason. Variables are those of the environment and of `.env` beside the file. Contacts no host.

    Exit codes: 0 all of it is in the specs; 2 something is not; 4 the file cannot be read.
    """
    from reconciler.cli.views.layout import say
    from reconciler.errors import InputError
    from reconciler.load.files import Unreadable
    from reconciler.load.foreign.compose import dot_env, read_compose
    from reconciler.load.foreign.quadlet import read_quadlet
    from reconciler.load.foreign.write import checked, lost, render

    try:
        if file.suffix == ".container":
            made = read_quadlet(file, folder)
        else:
            made = read_compose(file, {**dot_env(file), **os.environ}, folder)
    except Unreadable as error:
        raise InputError(
            "the file cannot be read", diagnostics=[error.diagnostic], code=error.diagnostic.code
        ) from None
    text = render(checked(made), host)
    if out is None and not as_json:
        say(text.rstrip("\n"))
    elif out is not None:
        try:
            with out.open("x", encoding="utf-8") as target:
                target.write(text)
        except OSError as error:
            why = error.strerror or ""
            raise InputError("nothing was written", code="E192", where=str(out), why=why) from error
    missing = [note for note in made.notes if note.lost] + [note for one in made.services for note in lost(one)]
    status = 2 if missing else 0
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.specs import import_document

        emit(import_document(made, text, str(out) if out else None, status))
    else:
        typer.echo(f"workloads: {len(made.services)}; not in the specs: {len(missing)}", err=True)
    return status
