"""`--repo`, `--ref` and `--path`: the same options for every command that reads specs, added in one place."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_type_hints

import typer

if TYPE_CHECKING:
    from reconciler.load.mirror import Wanted

READS_SPECS: Final = frozenset(
    {
        *(
            "validate",
            "get",
            "plan",
            "apply",
            "status",
            "resume",
            "resolve",
            "discard",
            "fence",
            "forget",
            "doctor",
            "runtimes",
            "watch",
        ),
        *("drain", "logs", "exec", "checkpoint", "restore"),
    }
)
"""What writes specs (`init`, `import`, `hosts add`) is not among them."""
READS_THEM_FOR_CHECKPOINTS: Final = frozenset(
    {"list", "show", "files", "diff", "verify", "pin", "unpin", "rm", "copy", "export", "import", "prune"}
)
"""The commands of `checkpoints`."""
_OPTIONS: Final[dict[str, tuple[Any, Any]]] = {
    "repo": (
        str | None,
        typer.Option(
            None,
            "--repo",
            metavar="URL|PATH",
            help="Read the specs from this git repository: a URL (https, ssh) or a folder.",
            show_default=False,
        ),
    ),
    "ref": (
        str | None,
        typer.Option(
            None,
            "--ref",
            metavar="REF",
            help="With --repo: branch, tag or commit; default: the repository's own.",
            show_default=False,
        ),
    ),
    "path": (
        str | None,
        typer.Option(
            None,
            "--path",
            metavar="SUB",
            help="With --repo: the folder or file in it; default: specs/ if it exists, else all.",
            show_default=False,
        ),
    ),
    "signers": (
        Path | None,
        typer.Option(
            None,
            "--signers",
            metavar="FILE",
            help="With --repo: who must have signed the commit or tag (git's file of allowed signers, SSH).",
        ),
    ),
    "allow_rewritten": (
        bool,
        typer.Option(
            False,
            "--allow-rewritten",
            help="With --repo: follow a branch or tag whose history was rewritten, once.",
        ),
    ),
}
_SAID: ContextVar[dict[str, Any] | None] = ContextVar("what was said of a repository", default=None)


def with_repository(app: typer.Typer, names: frozenset[str] = READS_SPECS) -> None:
    """Give the commands that read specs the options; what is said holds for as long as the command runs."""
    for info in app.registered_commands:
        command = info.callback
        if command is None or (info.name or command.__name__) not in names:
            continue
        if "repo" not in inspect.signature(command).parameters:  # where the program is put together once more
            info.callback = _widened(command)


def _widened(command: Callable[..., Any]) -> Callable[..., Any]:
    def widened(**given: Any) -> Any:
        found = {name: given.pop(name) for name in _OPTIONS}
        token = _SAID.set({name: value for name, value in found.items() if value not in (None, False)})
        try:
            return command(**given)
        finally:
            _SAID.reset(token)

    hints = get_type_hints(command, include_extras=True)
    own = inspect.signature(command).parameters.values()
    parameters = [p.replace(annotation=hints[p.name], kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
    for name, (kind, option) in _OPTIONS.items():
        more = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=kind)
        parameters.append(more)
    widened.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    widened.__annotations__ = {p.name: p.annotation for p in parameters}
    widened.__name__, widened.__doc__ = command.__name__, command.__doc__
    return widened


def chosen() -> Wanted | None:
    """The repository that the running command was told to read; None for files."""
    from reconciler.errors import InputError

    said = _SAID.get()
    if not said:
        return None
    from reconciler.load.mirror import Wanted

    if empty := [name for name, value in said.items() if value == ""]:  # as from a variable that is not set
        raise InputError(f"--{empty[0]} is empty", code="E190", fix="say what is meant, or leave it out")
    if "repo" not in said:
        name = next(iter(said)).replace("_", "-")
        raise InputError(f"--{name} needs --repo", code="E190", fix="add --repo, or leave it out")
    return Wanted(**said)
