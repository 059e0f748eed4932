"""`reconcile schema`: the JSON Schemas of the spec kinds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_FOLDER = Path("schemas")


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def schema(
        out: Annotated[Path | None, typer.Option(help="Folder to write to; default: schemas.")] = None,
        check: Annotated[bool, typer.Option("--check", help="Write nothing; fail when out of date.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print all schemas as one object.")] = False,
    ) -> None:
        """Write JSON Schemas of all kinds, for editors and reviews."""
        import json

        from reconciler.errors import InputError
        from reconciler.load.schema import drifted, schemas, write

        folder = out or DEFAULT_FOLDER
        if as_json and not check:
            made = {name: json.loads(text) for name, text in schemas().items()}
            typer.echo(json.dumps({"version": 1, "schemas": made}, indent=2))
        elif check:
            stale = drifted(folder)
            if stale:
                what = f"schemas out of date: {', '.join(stale)}"
                raise InputError(what, code="E191", where=str(folder), fix=f"reconcile schema --out {folder}")
            typer.echo(f"{folder}: {len(schemas())} schemas are up to date")
        else:
            try:
                changed = write(folder)
            except OSError as error:
                what = f"the schemas cannot be written: {error.strerror}"
                raise InputError(what, where=str(folder)) from error
            typer.echo(f"{folder}: {len(changed)} of {len(schemas())} schemas written")
