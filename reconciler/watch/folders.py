"""Changes in folders: the kernel's word for them, and a look that misses none where the kernel's word does: on
network file systems, or for a folder that was gone for a while."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from reconciler.load.files import SUFFIXES
from reconciler.model.command import Seconds

TOUCHES = {"opened", "closed_no_write"}
"""Events of those who only read, such as ourselves."""


class Folders(FileSystemEventHandler):
    """Everything below some paths."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = [Path(os.path.realpath(path)) for path in paths]
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        self._observer = Observer()
        self._observer.daemon = True
        self._observer.start()
        self._watched: object = None
        self._more: list[Path] = []
        self.again()

    def again(self) -> None:
        """Have the kernel tell of the folders that are there now, which may be others of the same name."""
        roots = {path if path.is_dir() else path.parent for path in self._paths}
        there = sorted((root, _identity(root)) for root in roots if root.is_dir())
        if there == self._watched:
            return
        with suppress(OSError):
            self._observer.unschedule_all()
            for root, _ in there:
                self._observer.schedule(self, str(root), recursive=True)
            self._watched = there

    def also(self, files: Sequence[str]) -> bool:
        """Look at these files, too, such as what specs name or include from elsewhere; whether there are new
        ones."""
        inside = tuple(f"{path}{os.sep}" for path in self._paths)
        real = sorted({os.path.realpath(name) for name in files})
        more = [
            Path(name)
            for name in real
            if Path(name) not in self._paths and not (name.startswith(inside) and name.endswith(SUFFIXES))
        ]
        new = set(more) - set(self._more)
        self._more = more
        return bool(new)

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type not in TOUCHES and not _inside_git(os.fsdecode(event.src_path)):
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._event.set)

    async def stirred(self, within: Seconds) -> bool:
        """Whether anything happens in that time; what happened before counts."""
        try:
            async with asyncio.timeout(within):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True

    def fingerprint(self) -> tuple[object, ...]:
        """Specs and the files that they name, by names, sizes and times: it differs when any of them has changed,
        and not for what else is there, such as a journal that is written at each look."""
        return tuple(sorted(found for path in (*self._paths, *self._more) for found in _files(path)))

    def close(self) -> None:
        self._observer.stop()
        self._observer.join(timeout=5)


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _inside_git(path: str) -> bool:
    return "/.git/" in path or path.endswith("/.git")


def _files(path: Path) -> Iterator[tuple[str, int, int, int, int]]:
    if not path.is_dir():
        yield from _facts(str(path))
        return
    for folder, folders, files in os.walk(path):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in (*links, *(name for name in files if name.endswith(SUFFIXES))):
            yield from _facts(os.path.join(folder, name))


def _facts(path: str) -> Iterator[tuple[str, int, int, int, int]]:
    """With the time of the last change of anything: who may read it, or its name, counts too."""
    with suppress(OSError):
        found = os.stat(path)
        yield path, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino
