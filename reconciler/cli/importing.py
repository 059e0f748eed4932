"""`reconcile import`: specs from compose files, Quadlet units, and what runs on a host."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.options import AsJson

if TYPE_CHECKING:
    from reconciler.load.foreign.base import Import


FILES = (".yaml", ".yml", ".container")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="import")(import_)


def import_(
    source: Annotated[
        Path,
        typer.Argument(
            help="A compose file, a Quadlet unit (NAME.container), or the name of a Host of the specs."
        ),
    ],
    host: Annotated[
        str, typer.Option("--host", help="Where the workloads of a file are placed.  [default: none]")
    ] = "",
    specs: Annotated[
        list[Path] | None, typer.Option("--specs", help="Spec files and folders that define the Host.")
    ] = None,
    folder: Annotated[
        str, typer.Option("--folder", help="Where the file's own folder is on hosts.  [default: /srv/PROJECT]")
    ] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="A file that is not there yet; else it is shown.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Write what a compose file or a Quadlet unit says, or what runs on a host, as specs; what they cannot say is
    named in comments, with the reason. Variables of a file are those of the environment and of `.env` beside it;
    no host is contacted for it. A host is looked at once, and nothing is changed there.

    Exit codes: 0 all of it is in the specs; 2 something is not; 4 it cannot be read; 7 the host does not answer.
    """
    from reconciler.cli.views.layout import say
    from reconciler.errors import InputError
    from reconciler.load.foreign.write import checked, lost, render

    if host or source.exists() or len(source.parts) > 1 or source.suffix in FILES:
        if not host:
            raise InputError(
                "--host is missing", code="E190", fix="say where the workloads are placed: --host NAME"
            )
        made = _of_file(source, folder)
    else:
        host = str(source)
        made = _of_host(host, specs)
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


def _of_file(file: Path, folder: str) -> Import:
    from reconciler.errors import InputError
    from reconciler.load.files import Unreadable
    from reconciler.load.foreign.compose import dot_env, read_compose
    from reconciler.load.foreign.quadlet import read_quadlet

    try:
        if file.suffix == ".container":
            return read_quadlet(file, folder)
        return read_compose(file, {**dot_env(file), **os.environ}, folder)
    except Unreadable as error:
        raise InputError(
            "the file cannot be read", diagnostics=[error.diagnostic], code=error.diagnostic.code
        ) from None


def _of_host(host: str, specs: list[Path] | None) -> Import:
    import asyncio

    from reconciler.cli.options import load_spec
    from reconciler.cli.views.failure import warned
    from reconciler.commands.importing import running_on

    return asyncio.run(running_on(load_spec(specs, None, None, True), host, warned))
