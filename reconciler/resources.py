"""Where files are: those that ship with the package, in the repository's top folders or inside the wheel, and
those that it keeps for a user."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from reconciler.errors import ReconcilerError

PACKAGE = Path(__file__).resolve().parent


def data_path(kind: str, *parts: str) -> Path:
    """Path of a shipped file or folder; `kind` is `schemas` or `templates`. FileNotFoundError names it."""
    for root in (PACKAGE / "_data", PACKAGE.parent):
        path = root.joinpath(kind, *parts)
        if path.exists():
            return path
    raise FileNotFoundError(f"{kind}/{'/'.join(parts)} is missing from this installation")


def state_folder() -> Path:
    """Where this user's journal, labs and reports are: below XDG_STATE_HOME, else the home folder."""
    return user_folder("XDG_STATE_HOME", ".local", "state")


def user_folder(variable: str, *parts: str) -> Path:
    """Our folder below what a variable says, else below the home folder. ReconcilerError when nobody knows where
    that is."""
    if base := os.environ.get(variable):
        return Path(base, "reconciler")
    try:
        return Path.home().joinpath(*parts, "reconciler")
    except RuntimeError as error:
        raise ReconcilerError(
            "this user has no home folder", code="R002", fix=f"set HOME or {variable}"
        ) from error


_INCLUDE = "# include "


@cache
def host_script(folder: str, name: str, kind: str = "sh") -> str:
    """The text of a constant script of `templates`, to be given to a shell of a host; comment lines stay here. A
    line `# include OTHER` stands for the text of another one beside it, or in the folder that it names
    (`host/probe`), in Perl where it says `OTHER.pl`."""
    text = data_path("templates", folder, f"{name}.{kind}").read_text(encoding="utf-8")
    lines = []
    for line in text.splitlines():
        if line.startswith(_INCLUDE):
            other, _, of = line.removeprefix(_INCLUDE).strip().partition(".")
            where, _, file = other.rpartition("/")
            lines.append(host_script(where or folder, file, of or "sh").rstrip("\n"))
        elif not line.lstrip().startswith("#"):
            lines.append(line)
    return "\n".join(lines) + "\n"
