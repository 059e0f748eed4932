"""Options that several commands share, and the specs they lead to."""

from __future__ import annotations

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
    from reconciler.gitinfo import stamped
    from reconciler.load import load, read_values

    where = spec_paths(paths)
    given = read_values(values or [], settings or [])
    spec = load(where, values=given, allow_empty=allow_empty, skip=values or [])
    return stamped(spec, where)
