"""Options that several commands share, and the specs they lead to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from reconciler.model.spec import Spec

Paths = Annotated[
    list[Path] | None, typer.Argument(help="Spec files and folders; default: specs/ if it exists, else here.")
]
Values = Annotated[
    list[Path] | None, typer.Option("--values", help="YAML file with values for templates; may be repeated.")
]
Set = Annotated[list[str] | None, typer.Option("--set", help="One value, as key=value; may be repeated.")]
AllowEmpty = Annotated[
    bool, typer.Option("--allow-empty", help="Accept specs that are empty or gone (plans removals).")
]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
JournalPath = Annotated[
    Path | None, typer.Option("--journal", help="Journal file; default: in XDG_STATE_HOME, or RECONCILE_JOURNAL.")
]


def spec_paths(paths: list[Path] | None) -> list[Path]:
    """The paths given, else `specs/` where it exists, else the current folder."""
    if paths:
        return paths
    return [Path("specs")] if Path("specs").is_dir() else [Path()]


def load_spec(
    paths: list[Path] | None, values: list[Path] | None, settings: list[str] | None, allow_empty: bool
) -> Spec:
    """Load, validate and stamp specs with their commit. InputError with all findings."""
    from reconciler.load import load, read_values
    from reconciler.load.gitinfo import stamped

    where = spec_paths(paths)
    given = read_values(values or [], settings or [])
    spec = load(where, values=given, allow_empty=allow_empty, skip=values or [])
    return stamped(spec, where)


def load_hosts(paths: list[Path] | None, values: list[Path] | None, settings: list[str] | None) -> Spec:
    """Specs for a command that asks hosts and may do without workloads. InputError where a path is not there or
    no spec names a host: to have asked nobody is not to have found nothing."""
    from reconciler.errors import InputError

    where = spec_paths(paths)
    for path in where:
        if not os.path.lexists(path):
            raise InputError("no such file or folder", code="E101", where=str(path))
    spec = load_spec(paths, values, settings, True)
    if not spec.hosts:
        raise InputError(
            "no spec here names a host, so there is nobody to ask",
            code="E196",
            where=", ".join(map(str, where)) if paths else str(Path.cwd()),
            fix="go to the folder with your specs or name it; for new ones: reconcile init",
        )
    return spec
