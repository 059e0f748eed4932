"""Which commit the specs are at, and whether they differ from it. Reads only; outside git, or without git, there
is no answer: None."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.load.git import GIT_TIMEOUT_S, ask
from reconciler.model.spec import Spec


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
    return Repository(tuple(sorted((listed or "").split())), place(url.strip()))


def place(url: str) -> str:
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
    answer = ask(folder, arguments, timeout=timeout)
    return None if answer.why else answer.out.decode("utf-8", "surrogateescape")
