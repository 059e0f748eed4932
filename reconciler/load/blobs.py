"""The files of one commit, out of a mirror, as they are in git: what specs are made of at once, any other file
when a spec names it. No filter, attribute or hook of the repository has a say, and names and links that lead
elsewhere are refused. How much is listed and written has an end: who may push to a repository does not fill this
machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from reconciler.errors import InputError
from reconciler.load.files import SUFFIXES
from reconciler.load.git import GitAnswer
from reconciler.load.limits import MAX_FILE_BYTES

MOST_FILES: Final = 20_000
"""Files of one commit that are read."""
MOST_TEXT: Final = 256 * 2**20
"""Bytes of them all."""
MOST_LISTED: Final = 32 * 2**20
"""Bytes of the list of all its files: those of some 300,000. A few trees that name each other make one of any
length."""
LINK: Final = b"120000"
"""What git calls a symbolic link."""
REGULAR: Final = (b"100644", b"100755", b"100664")


class Damaged(InputError):
    """git cannot read its own mirror."""


class Blobs:
    """`ask`: git in the mirror. `error`: an error about the repository, by what and why."""

    def __init__(
        self, ask: Callable[..., GitAnswer], error: Callable[..., InputError], commit: str, root: Path
    ) -> None:
        self._ask, self._error = ask, error
        self._commit, self._root = commit, Path(os.path.realpath(root))
        self._others: dict[str, tuple[str, int]] = {}
        self._folders: set[str] = set()
        self._files, self._room = MOST_FILES, MOST_TEXT

    def write(self) -> None:
        """The YAML files and links. Who reads looks at links: one that leads out of the repository is refused
        there."""
        wanted, links = self._listed()
        answer = self._got("cat-file", "--batch", given="".join(f"{blob}\n" for _, blob in wanted).encode())
        at = 0
        for path, blob in wanted:
            end = answer.find(b"\n", at)
            head = answer[at:end].split()
            if len(head) != 3 or head[0].decode() != blob:
                raise self._damaged(f"a file of {self._commit[:7]} cannot be read", ascii(path))
            length = int(head[2])
            self._put(path, answer[end + 1 : end + 1 + length])
            at = end + 1 + length + 1
        for path in links:  # last of all: nothing is written through one
            try:
                _link(self._root / path)
            except (OSError, ValueError) as error:
                raise self._error(f"a link of {self._commit[:7]} cannot be made", _why(error, path)) from error

    def bring(self, path: Path) -> bool:
        """Write what the commit has there, links resolved; whether it has anything."""
        real = Path(os.path.realpath(path))
        name = str(real.relative_to(self._root)) if real.is_relative_to(self._root) else ""
        if name in self._folders:
            real.mkdir(parents=True, exist_ok=True)
            return True
        blob, size = self._others.pop(name, ("", 0))
        if not blob:
            return False
        if size > MAX_FILE_BYTES:  # one of that size is as good: it is refused for it
            self._put(name, b"")
            os.truncate(real, MAX_FILE_BYTES + 1)
            return True
        self._count(name, size)
        self._put(name, self._got("cat-file", "blob", blob))
        return True

    def _count(self, path: str, size: int) -> None:
        self._room -= size
        self._files -= 1
        if size > MAX_FILE_BYTES or self._room < 0 or self._files < 0:
            raise self._error(f"the specs of {self._commit[:7]} are larger than any fleet's", ascii(path))

    def _listed(self) -> tuple[list[tuple[str, str]], list[str]]:
        """Names and blobs of all that specs are made of, and which of these are links."""
        listed = self._got("ls-tree", "-r", "-z", "-l", "--full-tree", self._commit, most_out=MOST_LISTED)
        wanted, links = list[tuple[str, str]](), dict[str, None]()
        for entry in filter(None, listed.split(b"\0")):
            about, _, raw = entry.partition(b"\t")
            mode, kind, name, size = about.split()
            path = raw.decode("utf-8", "replace")
            if kind != b"blob":
                continue
            is_spec = mode == LINK or path.endswith(SUFFIXES)
            if any(part in ("", ".", "..", ".git") for part in path.split("/")):
                if is_spec:
                    what = f"a file of {self._commit[:7]} has a name that leads elsewhere"
                    raise self._error(what, ascii(path))
                continue
            self._folders.update(_above(path, self._folders))
            if not is_spec:
                if mode in REGULAR:
                    self._others[path] = name.decode(), int(size)
                continue
            wanted.append((path, name.decode()))
            if mode == LINK:
                links[path] = None
            self._count(path, int(size))
        return wanted, list(links)

    def _got(self, *words: str, given: bytes = b"", **limits: int) -> bytes:
        answer = self._ask(*words, given=given, **limits)
        if answer.status == 0:
            return answer.out
        what = f"the files of {self._commit[:7]} cannot be read"
        raise self._damaged(what, answer.why) if answer.status is not None else self._error(what, answer.why)

    def _damaged(self, what: str, why: str) -> Damaged:
        told = self._error(what, why)
        return Damaged(what=told.what, code=told.code, where=told.where, why=told.why)

    def _put(self, path: str, content: bytes) -> None:
        target = self._root / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        except OSError as error:
            raise self._error(f"a file of {self._commit[:7]} cannot be written", _why(error, path)) from error


def _above(path: str, known: set[str]) -> list[str]:
    """The folders that a file is in and that are not known."""
    found = []
    while (path := path.rpartition("/")[0]) and path not in known:
        found.append(path)
    return found


def _link(file: Path) -> None:
    """Make a link of a file that says where it leads."""
    where = file.read_bytes()
    file.unlink()
    os.symlink(where, file)


def _why(error: Exception, path: str) -> str:
    return f"{path!a}: {getattr(error, 'strerror', None) or error}"
