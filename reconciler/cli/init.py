"""`reconcile init`: a repository to start from. It adds what is missing and never overwrites a file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from reconciler.cli.options import AsJson

if TYPE_CHECKING:
    from reconciler.lab import Lab

EXAMPLES: Final = {
    "specs/hosts.yaml": "hosts.yaml.j2",
    "specs/cache.yaml": "cache.yaml.j2",
    "specs/policies.yaml": "policies.yaml.j2",
}
"""Left out where there are specs already: examples would be planned together with them."""
LAB_EXAMPLES: Final = {"specs/counter.yaml": "counter.yaml.j2"}
AROUND: Final = {"README.md": "README.md.j2", ".gitignore": "gitignore.j2"}
CI: Final = {
    ".github/workflows/reconcile.yaml": "github.yaml.j2",
    ".forgejo/workflows/reconcile.yaml": "forgejo.yaml.j2",
    ".gitlab-ci.yml": "gitlab.yml.j2",
}
SCHEMAS: Final = "../schemas"
"""Where editors find the schemas, from the specs."""
HOSTS: Final = "specs/hosts.yaml"
PROGRAM: Final = "vendor"
"""Folder of what CI installs. Its jobs hold the key to all hosts: nothing of it may come by a name alone."""
REQUIREMENTS: Final = f"{PROGRAM}/requirements.txt"


@dataclass(frozen=True)
class Made:
    """What `init` wrote, and what it found and left as it is."""

    written: tuple[str, ...]
    left: tuple[str, ...]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def init(
        folder: Annotated[Path, typer.Argument(help="Folder to make or to fill.")] = Path("."),
        lab: Annotated[
            str | None, typer.Option("--lab", metavar="NAME", help="Specs for this lab's hosts, ready to apply.")
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        """Make a starter repository: specs, README and CI (GitHub, GitLab, Forgejo). Files that exist are left."""
        from reconciler.cli.views.layout import say

        found = _lab(lab) if lab is not None else None
        made = make_repository(folder, found)
        if as_json:
            from reconciler.cli.views.output.base import emit
            from reconciler.cli.views.output.specs import InitDocument

            emit(InitDocument(exit_code=0, folder=str(folder), written=made.written, left=made.left))
            return
        for name in made.written:
            say(f"  {folder / name}")
        for name in made.left:
            say(f"  {folder / name}  (is there already, left as it is)")
        start = "" if folder == Path(".") else f"cd {folder} && "
        if found is not None:
            say(f"Next: {start}reconcile plan")
        elif HOSTS in made.written:
            say(f"Next: put your hosts into {HOSTS}, then {start}reconcile validate")
        else:
            say(f"Next: {start}reconcile validate")


def _lab(name: str) -> Lab:
    from reconciler.lab import Lab

    return Lab.load(name)


def make_repository(folder: Path, lab: Lab | None = None) -> Made:
    """Write the starter files that are not there; those of a lab's hosts where one is given."""
    from reconciler.errors import InputError

    written: list[str] = []
    left: list[str] = []
    texts = {path: text.encode() for path, text in _texts(folder, lab).items()}
    for path, content in (texts | ({} if lab else _program(folder))).items():
        target = folder / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if os.path.lexists(target):
                left.append(path)
                continue
            with open(target, "xb") as file:
                file.write(content)
        except OSError as error:
            what = f"cannot write {error.filename or folder}: {error.strerror}"
            raise InputError(what, where=str(folder), fix="choose another folder") from error
        written.append(path)
    return Made(tuple(written), tuple(left))


def _texts(folder: Path, lab: Lab | None) -> dict[str, str]:
    from reconciler import __version__
    from reconciler.load.render import render_shipped
    from reconciler.load.schema import schemas

    name = Path(os.path.realpath(folder)).name or "fleet"
    context: dict[str, Any] = {"name": name, "version": __version__, "schema": SCHEMAS, "lab": None}
    context |= {"program": PROGRAM, "requirements": REQUIREMENTS}
    texts: dict[str, str] = {}
    examples = EXAMPLES
    if lab is not None:
        examples = LAB_EXAMPLES
        context["lab"] = _of_lab(lab)
        texts[HOSTS] = lab.inventory_path.read_text(encoding="utf-8")
    templates = {**({} if _has_specs(folder) else examples), **AROUND, **({} if lab else CI)}
    texts |= {path: render_shipped("init", template, **context) for path, template in templates.items()}
    return texts | {f"schemas/{file}": text for file, text in schemas().items()}


def _program(folder: Path) -> dict[str, bytes]:
    """What CI installs: the running program as a wheel, and it and all it needs by version and hash. Another
    version's requirements stay, and then its wheel alone."""
    import hashlib
    import re

    from reconciler import __version__
    from reconciler.commands.wheel import wheel
    from reconciler.resources import data_path

    name, content = wheel()
    lock = re.sub(r"^#.*\n", "", data_path("requirements", "runtime.txt").read_text(), flags=re.MULTILINE)
    said = f"# reconcile {__version__} and all it needs, by hash. Remove this folder and run `init` to renew it.\n"
    ours = f"./{PROGRAM}/{name} \\\n    --hash=sha256:{hashlib.sha256(content).hexdigest()}\n"
    files = {REQUIREMENTS: f"{said}{ours}{lock}".encode()}
    return files if os.path.lexists(folder / REQUIREMENTS) else files | {f"{PROGRAM}/{name}": content}


def _of_lab(lab: Lab) -> dict[str, str]:
    from reconciler.lab import DEMO_IMAGE, NETWORK

    mac = f"02:00:00:00:{lab.subnet[0].packed[2]:02x}:64"
    return {"name": lab.name, "image": DEMO_IMAGE, "network": NETWORK, "address": str(lab.subnet[100]), "mac": mac}


def _has_specs(folder: Path) -> bool:
    specs = folder / "specs"
    return specs.is_dir() and any(
        p.suffix in (".yaml", ".yml") and p.name != "hosts.yaml" for p in specs.iterdir()
    )
