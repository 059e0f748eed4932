"""Specs out of a git repository, without a clone of the user's: a bare mirror below the state folder, fetched anew
each time, and the files of one commit (`blobs`) in a folder for as long as they are read.

A mirror can be lost at any time: what has to be remembered is beside it, and one that git cannot read is put
aside.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shlex
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, TypeVar

from reconciler.errors import InputError
from reconciler.load.blobs import Blobs, Damaged
from reconciler.load.files import bringing, default_paths, is_inside
from reconciler.load.git import OFFLINE, GitAnswer, ask
from reconciler.load.gitinfo import Repository, place
from reconciler.load.history import History
from reconciler.load.signed import unsigned

FETCH_TIMEOUT_S: Final = 120.0
MOST_BYTES: Final = 512 * 2**20
"""Of a repository's packs: those of specs have a few MiB."""
MOST_MEMORY: Final = 4 * 2**30
"""Bytes of addresses of each git, packs that it maps included: a few bytes can be told to become any number."""
MOST_PACKS: Final = 50
"""Each fetch that brings something makes one; git searches them all."""
HEADS_AND_TAGS: Final = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
THEIR_HEAD: Final = "refs/reconciler/head"
_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/+-]*")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_WHOLE = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
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
    """The specs of one commit, in a folder that is removed afterwards. `told`: what people should know of how they
    came there."""

    root: Path
    path: Path
    commit: str
    told: tuple[str, ...] = ()


_T = TypeVar("_T")


@contextmanager
def taken(wanted: Wanted, home: Path) -> Iterator[Taken]:
    """Fetch, choose the commit, check it and write its YAML files out; others come when they are read. `home`:
    where mirrors are kept. InputError for whatever is wrong with the repository, before its specs are read."""
    mirror = _Mirror(wanted, home)
    with mirror.locked(), mirror.emptied() as folder:
        root = Path(folder)
        commit, blobs = mirror.whole(lambda: mirror.read(root))
        with bringing(blobs.bring):
            path = root / wanted.path if wanted.path else default_paths(root)[0]
            blobs.bring(path)
            if not is_inside(path, Path(os.path.realpath(root))) or not path.exists():
                raise mirror.error("E171", f"there is no {wanted.path or path.name} at {commit[:7]}")
            try:
                yield Taken(root, path, commit, tuple(mirror.told))
            except Damaged:  # the next one finds it whole
                mirror.put_aside()
                raise
        mirror.remember(commit)


def tip(wanted: Wanted, home: Path, tell: Callable[[str], None] = lambda text: None) -> str:
    """The commit that is wanted now: fetched, and nothing of it read. `tell`: gets what people should know."""
    mirror = _Mirror(wanted, home)
    with mirror.locked():
        commit = mirror.whole(mirror.tip)
    for text in mirror.told:
        tell(text)
    return commit


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
        self.told = list[str]()

    def error(self, code: str, what: str, why: str = "", fix: str = "") -> InputError:
        return InputError(what, code=code, where=self.shown, why=why.replace(self.url, self.shown), fix=fix)

    def unreadable(self, what: str, why: str = "") -> InputError:
        return self.error("E170", what, why)

    @property
    def _see(self) -> str:
        """The command that shows what there is."""
        return f"git ls-remote {shlex.quote(self.url if self.local else _shown(self.url))}"

    def emptied(self) -> tempfile.TemporaryDirectory[str]:
        """A folder for what is read."""
        try:
            return tempfile.TemporaryDirectory(prefix="reconcile-specs-")
        except OSError as error:
            why = f"{error.filename or tempfile.gettempdir()}: {error.strerror}"
            raise self.error("E170", "there is no room to read the repository", why) from error

    def whole(self, work: Callable[[], _T]) -> _T:
        """Do it; where git cannot read its own mirror, once more with a new one."""
        try:
            return work()
        except Damaged:
            self.put_aside()
            return work()

    def put_aside(self) -> None:
        """The mirror is of no use any more; the last one of that kind stays, to be looked into."""
        aside = self.folder.with_suffix(".damaged")
        shutil.rmtree(aside, ignore_errors=True)
        try:
            os.rename(self.folder, aside)
        except OSError as error:
            raise self.error(
                "E170", "its damaged mirror cannot be put aside", f"{aside}: {error.strerror}"
            ) from error
        self.told.append(
            f"{self.shown}: git could not read its mirror, which is fetched anew; the old one: {aside}"
        )

    def tip(self) -> str:
        self.fetch()
        return self.commit()

    def read(self, root: Path) -> tuple[str, Blobs]:
        """Fetch, choose, check, write out."""
        commit = self.tip()
        self.check_signature(commit)
        self.check_history(commit)
        (root / ".git").touch()  # the top of what includes may reach
        blobs = Blobs(self.ask, self.unreadable, commit, root)
        blobs.write()
        return commit, blobs

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One process at a time works on a mirror, and none for longer than a fetch may take."""
        try:
            self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = open(self.folder.with_suffix(".lock"), "w")  # noqa: SIM115  by the next line
        except OSError as error:
            why = f"{self.folder.parent}: {error.strerror}"
            raise self.error("E170", "the mirror of the repository cannot be made", why) from error
        with lock as file:
            end = time.monotonic() + FETCH_TIMEOUT_S
            while not _locked(file):
                if time.monotonic() > end:
                    what = "another process has been reading this repository for too long"
                    raise self.error("E170", what, fix="end it, then try again")
                time.sleep(0.1)
            yield

    def fetch(self) -> None:
        """All branches and tags as they are there now. Nothing that is too large is kept."""
        self._clear()
        if not (self.folder / "HEAD").exists():
            made = ask(self.folder.parent, ["init", "--quiet", "--bare", "--template=", str(self.folder)])
            if made.why:
                raise self.error("E170", "the mirror of the repository cannot be made", made.why)
        transports = ("file",) if self.local else ("https", "ssh")
        allow = ["-c", "protocol.allow=never"]
        for transport in transports:
            allow += ["-c", f"protocol.{transport}.allow=always"]
        for setting in (
            *("fetch.fsckObjects=true", "fetch.unpackLimit=1", "gc.auto=0", "maintenance.auto=false"),
            *("core.bigFileThreshold=16m", "pack.threads=2"),
        ):
            allow += ["-c", setting]
        refs = [*HEADS_AND_TAGS, *([] if self.wanted.ref else [f"+HEAD:{THEIR_HEAD}"])]
        asked = ["fetch", "--quiet", "--prune", "--force", "--no-recurse-submodules", "--no-write-fetch-head"]
        done = self.ask(
            *(*asked, "--", self.url, *refs), allow=allow, timeout=FETCH_TIMEOUT_S, largest_file=MOST_BYTES
        )
        if done.why:
            self._check_sound(done.why)
            raise self.error(
                "E170", "the repository cannot be fetched", done.why, f"see what git says: {self._see}"
            )
        self._tidy()

    def _clear(self) -> None:
        """What a git that was ended has left: its halves of packs are as large as packs, its locks lock for ever.
        Nobody else is at work here."""
        for pattern in (
            "objects/pack/tmp_*",
            "objects/pack/.tmp-*",
            "objects/*/tmp_obj_*",
            "*.lock",
            "refs/**/*.lock",
        ):
            for left in self.folder.glob(pattern):
                with suppress(OSError):
                    left.unlink()

    def _check_sound(self, why: str) -> None:
        """Damaged where it is the mirror that git fails at."""
        checked = self.ask(
            "fsck", "--connectivity-only", "--no-dangling", "--no-progress", timeout=FETCH_TIMEOUT_S
        )
        if checked.status:
            raise Damaged("the mirror of the repository is damaged", code="E170", where=self.shown, why=why)

    def _tidy(self) -> None:
        """Years of commits, fetched one by one, become one pack again, less what nobody refers to. Where that
        fails, all is as it was. What is too large even so does not stay."""
        packs = list(self.folder.glob("objects/pack/*.pack"))
        if len(packs) > MOST_PACKS or (len(packs) > 1 and _bytes(packs) > MOST_BYTES):
            self.ask("repack", "-a", "-d", "-q", timeout=FETCH_TIMEOUT_S, largest_file=MOST_BYTES)
            packs = list(self.folder.glob("objects/pack/*.pack"))
        if _bytes(packs) > MOST_BYTES:
            shutil.rmtree(self.folder, ignore_errors=True)
            what = f"the repository is larger than {MOST_BYTES // 2**20} MiB"
            raise self.error("E170", what, fix="keep specs in a repository of their own")

    def ask(
        self,
        *words: str,
        given: bytes = b"",
        timeout: float = 60,
        allow: Sequence[str] = OFFLINE,
        largest_file: int | None = None,
        **limits: int,
    ) -> GitAnswer:
        return ask(
            self.folder,
            [f"--git-dir={self.folder}", *words],
            allow=allow,
            given=given,
            timeout=timeout,
            largest_file=largest_file,
            most_memory=MOST_MEMORY,
            **limits,
        )

    def git(self, *words: str) -> bytes | None:
        answer = self.ask(*words)
        return None if answer.why else answer.out

    def _resolved(self, name: str) -> str:
        found = self.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        return (found or b"").decode().strip()

    @property
    def _names(self) -> list[str]:
        ref = self.wanted.ref
        return [f"refs/{kind}/{ref}" for kind in ("heads", "tags")] if ref else [THEIR_HEAD]

    def commit(self) -> str:
        """The commit that is asked for; a name that can be read in two ways is not guessed. A whole hash is never
        a name: who may push could give another commit that name."""
        ref = self.wanted.ref
        if ref and (not _REF.fullmatch(ref) or ".." in ref):
            raise self.error("E171", "this cannot be a branch, tag or commit", ascii(ref))
        found = set[str]()
        if not _WHOLE.fullmatch(ref):
            found |= {commit for name in self._names if (commit := self._resolved(name))}
        if _COMMIT.fullmatch(ref):
            listed = (self.git("rev-parse", f"--disambiguate={ref}") or b"").decode().split()
            found |= {commit for name in listed if (commit := self._resolved(name)) == name}
        if len(found) > 1:
            what = f"{ref} is more than one of a branch, a tag and a commit, and they differ"
            raise self.error("E171", what, fix="say the whole hash of the commit")
        if not found:
            what = f"no branch, tag or commit {ref}" if ref else "the repository has no commit"
            raise self.error("E171", what, fix=f"see which there are: {self._see}")
        return found.pop()

    def check_signature(self, commit: str) -> None:
        """Nothing without `signers`; else the commit, or the tag that was asked for, is signed by one of them."""
        signers = self.wanted.signers
        if signers is None:
            return
        if not signers.is_file():
            raise InputError("the file of allowed signers cannot be read", code="E173", where=str(signers))
        if why := unsigned(self.ask, signers, commit, self.wanted.ref):
            fix = "sign it with an SSH key that the file names, or add the signer's key there"
            raise self.error("E173", f"{commit[:7]} is not signed by an allowed signer", why, fix)

    @property
    def _history(self) -> History:
        name = f"ref {self.wanted.ref}" if self.wanted.ref else "head"
        return History(self.folder.with_suffix(".seen"), name, self.unreadable)

    def check_history(self, commit: str) -> None:
        """What was read before is part of what is read now: rewritten history is not followed silently."""
        before = self._history.last()
        if not before or before == commit or self.git("merge-base", "--is-ancestor", before, commit) is not None:
            return
        why = f"{before[:7]}, which was read before, is not part of {commit[:7]}"
        if self.wanted.allow_rewritten:
            self.told.append(f"{self.shown}: its rewritten history is followed, this once: {why}")
            return
        fix = "look at what was dropped, then allow it once: --allow-rewritten"
        raise self.error("E172", f"the history of {self.wanted.ref or 'its head'} was rewritten", why, fix)

    def remember(self, commit: str) -> None:
        """It was read whole: from now on history has to contain it."""
        self._history.note(commit)


def _bytes(files: list[Path]) -> int:
    return sum(file.stat().st_size for file in files)


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _shown(repo: str) -> str:
    """Without what looks like credentials: with https, who asks may be one; with ssh, it says whose repository."""
    scheme, found, rest = repo.partition("://")
    who, at, place = rest.rpartition("@") if found else ("", "", "")
    if not at:
        return repo
    user = who.partition(":")[0] if scheme == "ssh" else ""
    return f"{scheme}://{user}{'@' * bool(user)}{place}"
