"""`reconcile validate`: everything that can be said of specs without asking a host."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.options import AsJson, load_files

if TYPE_CHECKING:
    from reconciler.load import Loaded


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def validate(
        paths: Annotated[
            list[Path] | None, typer.Argument(help="Files and folders; default: specs, else here.")
        ] = None,
        values: Annotated[
            list[Path] | None, typer.Option("--values", help="YAML file with template values.")
        ] = None,
        settings: Annotated[list[str] | None, typer.Option("--set", help="Template value, as name=value.")] = None,
        allow_empty: Annotated[
            bool, typer.Option("--allow-empty", help="Accept specs without any workload.")
        ] = False,
        as_json: AsJson = False,
    ) -> None:
        """Check specs: YAML, fields, references and conflicts. No host is contacted."""
        import sys

        from reconciler.cli.views.diagnostics import render_diagnostics
        from reconciler.cli.views.layout import say, width_of
        from reconciler.cli.views.style import color_of
        from reconciler.errors import InputError

        try:
            loaded = load_files(paths, values, settings, allow_empty)
        except InputError as error:
            if not as_json or not error.diagnostics:
                raise
            from reconciler.cli.views.output.base import emit
            from reconciler.cli.views.output.specs import invalid_document

            emit(invalid_document(error.diagnostics, error.what, error.exit_code))
            raise typer.Exit(error.exit_code) from None
        if as_json:
            from reconciler.cli.views.output.base import emit
            from reconciler.cli.views.output.specs import valid_document

            emit(valid_document(loaded))
            return
        if loaded.warnings:
            say(render_diagnostics(loaded.warnings, color_of(sys.stderr), width_of(sys.stderr)), err=True)
        say(_summary(loaded))


def _summary(loaded: Loaded) -> str:
    spec = loaded.spec
    counts = [
        _count(len(spec.workloads), "workload", "workloads"),
        _count(len(spec.hosts), "host", "hosts"),
        _count(len(spec.policies), "policy", "policies"),
        _count(len(spec.networks), "network", "networks"),
    ]
    valid = f"{', '.join(counts)} in {_count(len(loaded.files), 'file', 'files')}: valid"
    return f"{valid}, {_count(len(loaded.warnings), 'warning', 'warnings')}" if loaded.warnings else valid


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
