"""Which commit the specs are at, and whether they differ from it. Reads only; nothing of the repository runs.

git is asked with hooks, file-system monitors, submodules and external transports off, without the
environment of a calling git, and with a time-out. Outside git, or without git, there is no answer: None.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconciler.model.spec import Spec

GIT_TIMEOUT_S: Final = 10.0
_SAFE: Final = (
    *("--no-optional-locks", "--no-pager"),
    *("-c", "protocol.ext.allow=never"),
    *("-c", "protocol.allow=never"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.untrackedCache=false"),
    *("-c", "safe.bareRepository=explicit"),
    *("-c", "submodule.recurse=false"),
)


@dataclass(frozen=True)
class GitInfo:
    """`root` is the work tree. `dirty`: a spec differs from the commit, is not committed or not inside."""

    root: Path
    commit: str | None
    dirty: bool


def describe(paths: Sequence[Path | str], *, timeout: float = GIT_TIMEOUT_S) -> GitInfo | None:
    """The work tree of the first path; None when it is not in one or git gives no answer in time."""
    places = [Path(os.path.realpath(path)) for path in paths]
    if not places:
        return None
    folder = places[0] if places[0].is_dir() else places[0].parent
    top = _git(folder, ["rev-parse", "--show-toplevel"], timeout)
    if not top:
        return None
    root = Path(top.rstrip("\n"))
    inside = [place for place in places if place.is_relative_to(root)]
    commit = (_git(root, ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], timeout) or "").strip()
    asked = ["status", "--porcelain=v1", "-z", "--untracked-files=all", "--ignore-submodules=all", "--"]
    changed = _git(root, [*asked, *(f":(top,literal){p.relative_to(root)}" for p in inside)], timeout)
    dirty = not commit or changed is None or changed != "" or len(inside) < len(places)
    return GitInfo(root, commit or None, dirty)


@dataclass(frozen=True)
class Repository:
    """Which repository it is, wherever it was cloned to. `roots`: its first commits; none for a shallow clone,
    which does not know them. `remote`: host and path of `origin`."""

    roots: tuple[str, ...] = ()
    remote: str = ""


def repository(paths: Sequence[Path | str], *, timeout: float = GIT_TIMEOUT_S) -> Repository:
    """The repository of the first path; of nothing outside git."""
    info = describe(paths, timeout=timeout)
    if info is None:
        return Repository()
    shallow = _git(info.root, ["rev-parse", "--is-shallow-repository"], timeout)
    listed = _git(info.root, ["rev-list", "--max-parents=0", "HEAD"], timeout) if shallow == "false\n" else None
    url = _git(info.root, ["config", "--get", "remote.origin.url"], timeout) or ""
    return Repository(tuple(sorted((listed or "").split())), _place(url.strip()))


def _place(url: str) -> str:
    """Host and path of a remote: the same for SSH and HTTPS, and without credentials."""
    _, scheme, rest = url.rpartition("://")
    place = rest.rpartition("@")[2] if scheme or ":" in rest else rest
    if not scheme:
        place = place.replace(":", "/", 1)
    return place.removesuffix("/").removesuffix(".git")


def stamped(spec: Spec, paths: Sequence[Path | str]) -> Spec:
    """The spec with `commit` and `dirty` filled; unchanged outside git."""
    info = describe(paths)
    return spec if info is None else spec.model_copy(update={"commit": info.commit, "dirty": info.dirty})


def _git(folder: Path, arguments: Sequence[str], timeout: float) -> str | None:
    """What git answers; None when it fails, is missing or takes too long."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", *_SAFE, "-C", str(folder), *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return None
    return done.stdout.decode("utf-8", "surrogateescape") if done.returncode == 0 else None
