"""Where a watch's specs come from: files of this machine, told of by the kernel and looked at from time to time,
or a repository that is asked from time to time. Reading is another process's: it may take long and much memory,
and a watch has hosts to tell that it lives."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from reconciler.errors import InputError
from reconciler.model.command import Seconds
from reconciler.model.spec import Spec
from reconciler.watch.folders import Folders


@dataclass(frozen=True)
class Found:
    """Specs that were read, and the files they are in. `known`: what they were read from, for the next time."""

    spec: Spec
    files: tuple[str, ...] = ()
    known: str = ""


Read = Callable[[str], Awaitable[Found | None]]
"""The specs as they are now; None when what they are read from is still what is `known`."""


class SpecSource(Protocol):
    async def read(self) -> Spec | None:
        """The specs; None when they are what they were. ReconcilerError when they cannot be read."""

    async def changed(self) -> None:
        """Return when reading them may give something else."""

    def forget(self) -> None:
        """Read anew the next time, whatever is known."""

    def close(self) -> None: ...


@dataclass
class FolderSource:
    """Files: read when one has changed, which the kernel tells or a look finds. `settle`: how long they must
    have been left alone, for an editor or git writes many; `settled_by`: the longest that this is waited for."""

    paths: Sequence[Path]
    load: Read
    look_every: Seconds = 10.0
    settle: Seconds = 0.3
    settled_by: Seconds = 3.0
    _folders: Folders | None = None
    _seen: object = None

    async def read(self) -> Spec | None:
        if self._folders is None:
            self._folders = Folders(self.paths)
        self._seen = self._folders.fingerprint()
        try:
            found = await self.load("")
        except InputError as error:
            self._also(error.files)
            raise
        if found is None:
            return None
        self._also(found.files)
        return found.spec

    def _also(self, files: Sequence[str]) -> None:
        assert self._folders is not None
        if self._folders.also(files):
            self._seen = None  # one of them may have changed already

    async def changed(self) -> None:
        assert self._folders is not None
        while True:
            told = await self._folders.stirred(self.look_every)
            if told:
                await self._settled(self._folders)
            self._folders.again()
            if self._folders.fingerprint() != self._seen:
                if not told:  # a look may find half of a file
                    await self._settled(self._folders)
                return

    async def _settled(self, folders: Folders) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + self.settled_by
        while loop.time() < end and await folders.stirred(self.settle):
            continue

    def forget(self) -> None:
        """Files are always read."""

    def close(self) -> None:
        if self._folders is not None:
            self._folders.close()


@dataclass
class GitSource:
    """A repository: asked every `every` seconds, or up to a fifth earlier, so that many watches do not come at
    once. Where asking takes long, it is left alone for that fifth at least."""

    load: Read
    every: Seconds = 30.0
    chance: Callable[[], float] = random.random
    _known: str = ""
    _began: Seconds = 0.0

    async def read(self) -> Spec | None:
        self._began = asyncio.get_running_loop().time()
        found = await self.load(self._known)
        if found is None:
            return None
        self._known = found.known
        return found.spec

    async def changed(self) -> None:
        early = self.every / 5
        due = self._began + self.every - early * self.chance()
        await asyncio.sleep(max(early, due - asyncio.get_running_loop().time()))

    def forget(self) -> None:
        self._known = ""

    def close(self) -> None:
        """Nothing is kept open."""
