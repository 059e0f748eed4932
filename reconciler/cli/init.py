"""`reconcile init`: a repository to start from. It never overwrites a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

import typer

FILES: Final[dict[str, str]] = {
    "specs/hosts.yaml": "hosts.yaml.j2",
    "specs/cache.yaml": "cache.yaml.j2",
    "specs/policies.yaml": "policies.yaml.j2",
    "README.md": "README.md.j2",
    ".gitignore": "gitignore.j2",
    ".github/workflows/reconcile.yaml": "github.yaml.j2",
    ".gitlab-ci.yml": "gitlab.yml.j2",
}
SCHEMAS: Final = "../schemas"
"""Where editors find the schemas, from the specs."""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def init(
        folder: Annotated[Path, typer.Argument(help="Folder to make or to fill.")] = Path("."),
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
    ) -> None:
        """Make a starter repository: specs, README and CI for GitHub and GitLab."""
        import json

        written = make_repository(folder)
        if as_json:
            typer.echo(json.dumps({"version": 1, "folder": str(folder), "written": written}, indent=2))
            return
        for name in written:
            typer.echo(f"  {folder / name}")
        start = "" if folder == Path(".") else f"cd {folder} && "
        typer.echo(f"Next: put your hosts into specs/hosts.yaml, then {start}reconcile validate")


def make_repository(folder: Path) -> list[str]:
    """Write the starter files into a folder; their names. InputError, before anything is written, when one
    of them is there already."""
    from reconciler import __version__
    from reconciler.errors import InputError
    from reconciler.render import render_shipped
    from reconciler.schema import schemas

    name = Path(os.path.realpath(folder)).name or "fleet"
    context = {"name": name, "version": __version__, "schema": SCHEMAS}
    texts = {path: render_shipped("init", template, **context) for path, template in FILES.items()}
    texts |= {f"schemas/{file}": text for file, text in schemas().items()}
    existing = [path for path in texts if (folder / path).exists() or (folder / path).is_symlink()]
    if existing:
        what = f"files that init would write exist: {', '.join(existing)}"
        fix = "move them away, or start in another folder"
        raise InputError(what, code="E192", where=str(folder), fix=fix)
    try:
        for path, text in texts.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with open(target, "x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        what = f"cannot write {error.filename or folder}: {error.strerror}"
        raise InputError(what, where=str(folder), fix="choose another folder") from error
    return list(texts)
