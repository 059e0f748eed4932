"""Where the files that ship with the package are: in the repository's top folders, or inside the wheel."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def data_path(kind: str, *parts: str) -> Path:
    """Path of a shipped file or folder; `kind` is `schemas` or `templates`. FileNotFoundError names it."""
    for root in (PACKAGE / "_data", PACKAGE.parent):
        path = root.joinpath(kind, *parts)
        if path.exists():
            return path
    raise FileNotFoundError(f"{kind}/{'/'.join(parts)} is missing from this installation")
