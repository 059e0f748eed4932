"""Options that several commands share, and the specs they lead to."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.fromgit import chosen

if TYPE_CHECKING:
    from reconciler.load import Loaded
    from reconciler.load.gitinfo import Repository
    from reconciler.load.mirror import Wanted
    from reconciler.model.spec import Spec

Paths = Annotated[
    list[Path] | None, typer.Argument(help="Spec files and folders; default: specs/ if it exists, else here.")
]
Specs = Annotated[list[Path] | None, typer.Option("--specs", help="Spec files and folders.")]
Values = Annotated[
    list[Path] | None, typer.Option("--values", help="YAML file with values for templates; may be repeated.")
]
Set = Annotated[list[str] | None, typer.Option("--set", help="One value, as key=value; may be repeated.")]
AllowEmpty = Annotated[
    bool, typer.Option("--allow-empty", help="Accept specs that are empty or gone (plans removals).")
]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
Templates = Annotated[
    Path | None,
    typer.Option("--templates", metavar="DIR", help="Templates that replace those of markdown and html reports."),
]
JournalPath = Annotated[
    Path | None, typer.Option("--journal", help="Journal file; default: in XDG_STATE_HOME, or RECONCILE_JOURNAL.")
]


def spec_paths(paths: list[Path] | None) -> list[Path]:
    """The paths given, else `specs/` where it exists, else the current folder."""
    from reconciler.load.files import default_paths

    return paths or default_paths()


def load_spec(
    paths: list[Path] | None, values: list[Path] | None, settings: list[str] | None, allow_empty: bool
) -> Spec:
    """Load, validate and stamp specs with their commit. InputError with all findings."""
    return load_files(paths, values, settings, allow_empty).spec


def load_files(
    paths: list[Path] | None,
    values: list[Path] | None,
    settings: list[str] | None,
    allow_empty: bool,
    wanted: Wanted | None = None,
    tell: Callable[[str], None] | None = None,
) -> Loaded:
    """The same, with what is worth a warning and the names of the files; from a repository where one was named.
    `tell`: who is told how its specs came here; default: people, on stderr."""
    from contextlib import chdir

    from reconciler.errors import InputError
    from reconciler.load import load_all, read_values
    from reconciler.load.gitinfo import stamped

    given, wanted = read_values(values or [], settings or []), wanted or chosen()
    if wanted is None:
        where = spec_paths(paths)
        loaded = load_all(where, values=given, allow_empty=allow_empty, skip=values or [])
        return replace(loaded, spec=stamped(loaded.spec, where))
    if paths:
        raise InputError("specs come from --repo or from files, not from both", code="E190", fix="say --path SUB")
    from reconciler.load.mirror import taken

    with taken(wanted, mirrors()) as found, chdir(found.root):  # findings name files as the repository does
        for text in found.told:
            (tell or _warn)(text)
        loaded = load_all([found.path.relative_to(found.root)], values=given, allow_empty=allow_empty)
    return replace(loaded, spec=loaded.spec.model_copy(update={"commit": found.commit, "dirty": False}))


def _warn(text: str) -> None:
    from reconciler.cli.views.layout import say

    say(f"warning: {text}", err=True)


def repository_of(paths: list[Path] | None, spec: Spec) -> Repository:
    """Which repository the specs are of."""
    from reconciler.load.gitinfo import repository

    wanted = chosen()
    if wanted is None:
        return repository(spec_paths(paths))
    from reconciler.load.mirror import mirrored

    return mirrored(wanted, spec.commit or "", mirrors())


def mirrors() -> Path:
    """Where mirrors of repositories are kept."""
    from reconciler.resources import state_folder

    return state_folder() / "repositories"


def load_hosts(paths: list[Path] | None, values: list[Path] | None, settings: list[str] | None) -> Spec:
    """Specs for a command that asks hosts and may do without workloads. InputError where a path is not there or
    no spec names a host: to have asked nobody is not to have found nothing."""
    from reconciler.errors import InputError

    where = [] if chosen() else spec_paths(paths)
    for path in where:
        if not os.path.lexists(path):
            raise InputError("no such file or folder", code="E101", where=str(path))
    spec = load_spec(paths, values, settings, True)
    if not spec.places:
        raise InputError(
            "no spec here names a host, so there is nobody to ask",
            code="E196",
            where=", ".join(map(str, where)) if paths else str(Path.cwd()),
            fix="go to the folder with your specs or name it; for new ones: reconcile init",
        )
    return spec
