"""Specs out of a git repository, without a clone of the user's: a bare mirror below the state folder, fetched anew
each time, and the YAML files of one commit written to a folder for as long as they are read.

Files and links are taken out by git's plumbing: no filter, attribute or hook of the repository has a say, and
names and links that lead elsewhere are refused.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from reconciler.errors import InputError
from reconciler.load.files import SUFFIXES, default_paths, is_inside
from reconciler.load.git import ask
from reconciler.load.gitinfo import Repository, place
from reconciler.load.limits import MAX_FILE_BYTES

FETCH_TIMEOUT_S: Final = 120.0
MOST_BYTES: Final = 512 * 2**20
"""Of a repository's packs: those of specs have a few MiB."""
MOST_FILES: Final = 20_000
"""YAML files of one commit."""
MOST_TEXT: Final = 256 * 2**20
"""Bytes of them all."""
LINK: Final = b"120000"
"""What git calls a symbolic link."""
MOST_PACKS: Final = 50
"""Each fetch that brings something makes one; git searches them all."""
HEADS_AND_TAGS: Final = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
THEIR_HEAD: Final = "refs/reconciler/head"
_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/+-]*")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_URL = re.compile(r"(?:https|ssh)://\S+|(?:[\w.-]+@)?[\w.-]+:(?!//)\S+")


@dataclass(frozen=True)
class Wanted:
    """`repo`: a URL (https, ssh) or a folder. `ref`: branch, tag or commit, empty for its own default. `path`: the
    folder or file with the specs in it. `signers`: git's file of allowed SSH signers; without it nobody asks."""

    repo: str
    ref: str = ""
    path: str = ""
    signers: Path | None = None
    allow_rewritten: bool = False


@dataclass(frozen=True)
class Taken:
    """The specs of one commit, in a folder that is removed afterwards."""

    root: Path
    path: Path
    commit: str


@contextmanager
def taken(wanted: Wanted, home: Path) -> Iterator[Taken]:
    """Fetch, choose the commit, check it and write its YAML files out. `home`: where mirrors are kept. InputError
    for whatever is wrong with the repository, before any of its specs is read."""
    mirror = _Mirror(wanted, home)
    with mirror.locked():
        mirror.fetch()
        commit = mirror.commit()
        mirror.check_signature(commit)
        mirror.check_history(commit)
        with tempfile.TemporaryDirectory(prefix="reconcile-specs-") as folder:
            root = Path(folder)
            (root / ".git").touch()  # the top of what includes may reach
            mirror.write(commit, root)
            path = root / wanted.path if wanted.path else default_paths(root)[0]
            if not is_inside(path, Path(os.path.realpath(root))) or not path.exists():
                raise mirror.error("E171", f"there is no {wanted.path or path.name} at {commit[:7]}")
            yield Taken(root, path, commit)
        mirror.remember(commit)


def tip(wanted: Wanted, home: Path) -> str:
    """The commit that is wanted now: fetched, and nothing of it read."""
    mirror = _Mirror(wanted, home)
    with mirror.locked():
        mirror.fetch()
        return mirror.commit()


def mirrored(wanted: Wanted, commit: str, home: Path) -> Repository:
    """Which repository it is: what plans are bound to. Asks only the mirror."""
    mirror = _Mirror(wanted, home)
    listed = mirror.git("rev-list", "--max-parents=0", commit) or b""
    return Repository(tuple(sorted(listed.decode().split())), mirror.shown)


class _Mirror:
    def __init__(self, wanted: Wanted, home: Path) -> None:
        self.wanted = wanted
        self.local = _URL.fullmatch(wanted.repo) is None
        if self.local and not Path(wanted.repo).is_dir():
            why = "neither a folder nor a URL that begins with https:// or ssh://, or is user@host:path"
            raise InputError("this is no repository", code="E170", where=_shown(wanted.repo), why=why)
        self.url = os.path.realpath(wanted.repo) if self.local else wanted.repo
        self.shown = self.url if self.local else place(wanted.repo)
        self.folder = home / f"{hashlib.sha256(self.url.encode()).hexdigest()[:20]}.git"

    def error(self, code: str, what: str, why: str = "", fix: str = "") -> InputError:
        return InputError(what, code=code, where=self.shown, why=why.replace(self.url, self.shown), fix=fix)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One process at a time works on a mirror, and none for longer than a fetch may take."""
        self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(self.folder.with_suffix(".lock"), "w") as file:
            end = time.monotonic() + FETCH_TIMEOUT_S
            while not _locked(file):
                if time.monotonic() > end:
                    what = "another process has been reading this repository for too long"
                    raise self.error("E170", what, fix="end it, then try again")
                time.sleep(0.1)
            yield

    def fetch(self) -> None:
        """All branches and tags as they are there now. Nothing that is too large is kept."""
        if not (self.folder / "HEAD").exists():
            made = ask(self.folder.parent, ["init", "--quiet", "--bare", "--template=", str(self.folder)])
            if made.why:
                raise self.error("E170", "the mirror of the repository cannot be made", made.why)
        transports = ("file",) if self.local else ("https", "ssh")
        allow = ["-c", "protocol.allow=never"]
        for transport in transports:
            allow += ["-c", f"protocol.{transport}.allow=always"]
        for setting in ("fetch.fsckObjects=true", "fetch.unpackLimit=1", "gc.auto=0", "maintenance.auto=false"):
            allow += ["-c", setting]
        refs = [*HEADS_AND_TAGS, *([] if self.wanted.ref else [f"+HEAD:{THEIR_HEAD}"])]
        asked = ["fetch", "--quiet", "--prune", "--force", "--no-recurse-submodules", "--no-write-fetch-head"]
        done = ask(
            self.folder,
            [f"--git-dir={self.folder}", *asked, "--", self.url, *refs],
            allow=allow,
            timeout=FETCH_TIMEOUT_S,
            largest_file=MOST_BYTES,
        )
        if done.why:
            fix = "see what git says: git ls-remote " + self.shown
            raise self.error("E170", "the repository cannot be fetched", done.why, fix)
        self._tidy()

    def _tidy(self) -> None:
        """Years of commits, fetched one by one, become one pack again, less what nobody refers to. Where that
        fails, all is as it was."""
        if len(list(self.folder.glob("objects/pack/*.pack"))) > MOST_PACKS:
            words = [f"--git-dir={self.folder}", "repack", "-a", "-d", "-q"]
            ask(self.folder, words, timeout=FETCH_TIMEOUT_S)

    def git(self, *arguments: str, given: bytes = b"") -> bytes | None:
        answer = ask(self.folder, [f"--git-dir={self.folder}", *arguments], given=given, timeout=60)
        return None if answer.why else answer.out

    def _resolved(self, name: str) -> str:
        found = self.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        return (found or b"").decode().strip()

    @property
    def _names(self) -> list[str]:
        ref = self.wanted.ref
        return [f"refs/{kind}/{ref}" for kind in ("heads", "tags")] if ref else [THEIR_HEAD]

    def commit(self) -> str:
        """The commit that is asked for; a name that is both a branch and a tag is not guessed."""
        ref = self.wanted.ref
        if ref and (not _REF.fullmatch(ref) or ".." in ref):
            raise self.error("E171", "this cannot be a branch, tag or commit", ascii(ref))
        found = [commit for name in self._names if (commit := self._resolved(name))]
        if not found and _COMMIT.fullmatch(ref):
            found = [commit] if (commit := self._resolved(ref)) else []
        if len(set(found)) > 1:
            raise self.error("E171", f"{ref} is a branch and a tag, and they differ", fix="say the commit")
        if not found:
            what = f"no branch, tag or commit {ref}" if ref else "the repository has no commit"
            raise self.error("E171", what, fix=f"see which there are: git ls-remote {self.shown}")
        return found[0]

    def check_signature(self, commit: str) -> None:
        """Nothing without `signers`; else the commit, or the tag that was asked for, is signed by one of them."""
        signers = self.wanted.signers
        if signers is None:
            return
        if not signers.is_file():
            raise InputError("the file of allowed signers cannot be read", code="E173", where=str(signers))
        trust = ["-c", "gpg.format=ssh", "-c", f"gpg.ssh.allowedSignersFile={signers.absolute()}"]
        where = f"--git-dir={self.folder}"
        tag = f"refs/tags/{self.wanted.ref}"
        tries = [["verify-commit", commit], *([["verify-tag", tag]] if self.wanted.ref else [])]
        said = [ask(self.folder, [*trust, where, *words]).why for words in tries]
        if all(said):
            fix = "sign it with a key that the file names, or add the signer's key there"
            raise self.error("E173", f"{commit[:7]} is not signed by an allowed signer", said[0], fix)

    @property
    def _remembered(self) -> str:
        return f"refs/reconciler/seen/{self.wanted.ref or 'head'}"

    def check_history(self, commit: str) -> None:
        """What was read before is part of what is read now: rewritten history is not followed silently."""
        before = self._resolved(self._remembered)
        if not before or before == commit or self.wanted.allow_rewritten:
            return
        if self.git("merge-base", "--is-ancestor", before, commit) is None:
            why = f"{before[:7]}, which was read before, is not part of {commit[:7]}"
            fix = "look at what was dropped, then allow it once: --allow-rewritten"
            raise self.error("E172", f"the history of {self.wanted.ref or 'its head'} was rewritten", why, fix)

    def remember(self, commit: str) -> None:
        """It was read whole: from now on history has to contain it."""
        self.git("update-ref", self._remembered, commit)

    def write(self, commit: str, root: Path) -> None:
        """Its YAML files and its links, as they are in git. Who reads looks at links: one that leads out of the
        repository is refused there."""
        wanted, links = self._listed(commit)
        answer = self.git("cat-file", "--batch", given="".join(f"{name}\n" for _, name in wanted).encode()) or b""
        at = 0
        for path, blob in wanted:
            end = answer.find(b"\n", at)
            head = answer[at:end].split()
            if len(head) != 3 or head[0].decode() != blob:
                raise self.error("E170", f"a file of {commit[:7]} cannot be read", ascii(path))
            length = int(head[2])
            try:
                _put(root / path, answer[end + 1 : end + 1 + length])
            except OSError as error:
                raise self.error("E170", f"a file of {commit[:7]} cannot be written", ascii(path)) from error
            at = end + 1 + length + 1
        for path in links:  # last of all: nothing is written through one
            try:
                _link(root / path)
            except (OSError, ValueError) as error:
                raise self.error("E170", f"a link of {commit[:7]} cannot be made", ascii(path)) from error

    def _listed(self, commit: str) -> tuple[list[tuple[str, str]], list[str]]:
        """Names and blobs of all that is wanted of it, and which of these are links."""
        listed = self.git("ls-tree", "-r", "-z", "-l", "--full-tree", commit)
        if listed is None:
            raise self.error("E170", f"the files of {commit[:7]} cannot be listed")
        wanted, links = list[tuple[str, str]](), dict[str, None]()
        room = MOST_TEXT
        for entry in filter(None, listed.split(b"\0")):
            about, _, raw = entry.partition(b"\t")
            mode, kind, name, size = about.split()
            path = raw.decode("utf-8", "replace")
            if kind != b"blob" or not (mode == LINK or path.endswith(SUFFIXES)):
                continue
            if any(part in ("", ".", "..", ".git") for part in path.split("/")):
                raise self.error("E170", f"a file of {commit[:7]} has a name that leads elsewhere", ascii(path))
            room -= int(size)
            wanted.append((path, name.decode()))
            if mode == LINK:
                links[path] = None
            if int(size) > MAX_FILE_BYTES or room < 0 or len(wanted) > MOST_FILES:
                raise self.error("E170", f"the specs of {commit[:7]} are larger than any fleet's", ascii(path))
        return wanted, list(links)


def _put(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)


def _link(file: Path) -> None:
    """Make a link of a file that says where it leads."""
    where = file.read_bytes()
    file.unlink()
    os.symlink(where, file)


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _shown(repo: str) -> str:
    """Without what looks like credentials."""
    return re.sub(r"(://)[^/@\s]*@", r"\1", repo)
