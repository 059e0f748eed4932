"""`reconcile schema`: the JSON Schemas of the spec kinds, and of what `--json` prints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reconciler.cli.options import AsJson

DEFAULT_FOLDER = Path("schemas")


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def schema(
        out: Annotated[Path | None, typer.Option(help="Folder to write to; default: schemas.")] = None,
        check: Annotated[bool, typer.Option("--check", help="Write nothing; fail when out of date.")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Write JSON Schemas: of all kinds of specs, for editors and reviews, and of what --json prints.

        With --json and neither --out nor --check they are printed, and nothing is written.
        """
        import json

        from reconciler.cli.views.layout import say
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.schemas import output_schemas
        from reconciler.cli.views.output.specs import printed_schemas, schema_files
        from reconciler.errors import InputError
        from reconciler.load.schema import drifted, schemas, write

        folder = out or DEFAULT_FOLDER
        wanted = schemas() | output_schemas()
        if as_json and not check and out is None:
            emit(printed_schemas({name: json.loads(text) for name, text in wanted.items()}))
            return
        if check:
            if not (folder / "output").is_dir():  # a repository of specs has none of what --json prints
                wanted = schemas()
            if stale := drifted(folder, wanted):
                what = f"schemas out of date: {', '.join(stale)}"
                raise InputError(what, code="E191", where=str(folder), fix=f"reconcile schema --out {folder}")
            changed, text = None, f"{folder}: {len(wanted)} schemas are up to date"
        else:
            try:
                changed = write(folder, wanted)
            except OSError as error:
                what = f"the schemas cannot be written: {error.strerror}"
                raise InputError(what, where=str(folder)) from error
            text = f"{folder}: {len(changed)} of {len(wanted)} schemas written"
        if as_json:
            emit(schema_files(str(folder), wanted, changed))
        else:
            say(text)
