"""Which files are read, and their text. What cannot be read is reported, never skipped in silence."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from reconciler.errors import Diagnostic
from reconciler.load.limits import MAX_FILE_BYTES
from reconciler.load.source import BAD_CHARACTER, Source

SUFFIXES = (".yaml", ".yml")


_BRINGS: ContextVar[Callable[[Path], bool] | None] = ContextVar(
    "who has files that are not there yet", default=None
)


@contextmanager
def bringing(bring: Callable[[Path], bool]) -> Iterator[None]:
    """In the block, what is not there is asked for; `bring` says whether it is there now."""
    token = _BRINGS.set(bring)
    try:
        yield
    finally:
        _BRINGS.reset(token)


def is_there(path: Path) -> bool:
    """Whether there is such a file or folder, or one can be brought."""
    return os.path.exists(path) or _brought(path)


def _brought(path: Path) -> bool:
    bring = _BRINGS.get()
    return bring is not None and bring(path)


class Unreadable(Exception):
    """A path that cannot be used; carries the one finding about it."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


def _unreadable(code: str, message: str, path: Path, hint: str = "") -> Unreadable:
    return Unreadable(Diagnostic(code=code, message=message, file=shown(path), hint=hint))


def default_paths(folder: Path = Path()) -> list[Path]:
    """What is loaded when no path is given: `specs` where there is one, else all of the folder."""
    return [folder / "specs" if os.path.isdir(folder / "specs") else folder]


def shown(path: Path) -> str:
    """A path as messages show it: relative as the user gave it, bytes that are not UTF-8 replaced."""
    return os.fsencode(os.path.normpath(path)).decode("utf-8", "replace")


def repository_root(path: Path) -> Path:
    """The git work tree a file or folder is in, else the folder itself. Links are resolved."""
    folder = Path(os.path.realpath(path))
    folder = folder if os.path.isdir(folder) else folder.parent
    for candidate in (folder, *folder.parents):
        if os.path.exists(candidate / ".git"):
            return candidate
    return folder


def is_inside(path: Path, root: Path) -> bool:
    """Whether a path, links resolved, is `root` or below it."""
    return Path(os.path.realpath(path)).is_relative_to(root)


def is_hidden(path: Path, root: Path) -> bool:
    """Whether a path, links resolved, leads through a name that starts with a dot, such as `.git`: no specs are
    there, and what is there is shown to nobody."""
    real = Path(os.path.realpath(path))
    parts = real.relative_to(root).parts if real.is_relative_to(root) else (".",)
    return any(part.startswith(".") for part in parts)


def yaml_files(folder: Path, root: Path) -> Iterator[Path | Unreadable]:
    """YAML files below a folder, sorted, hidden ones left out. Links must stay inside `root`."""
    yield from _walk(folder, root, frozenset())


def _walk(folder: Path, root: Path, above: frozenset[str]) -> Iterator[Path | Unreadable]:
    real = os.path.realpath(folder)
    if real in above:
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        yield _unreadable("E101", f"the folder cannot be read: {error.strerror}", folder)
        return
    for entry in entries:
        path = folder / entry.name
        if entry.name.startswith("."):
            continue
        is_folder = os.path.isdir(path)  # also where links go in a circle: that is no folder
        wanted = is_folder or entry.name.endswith(SUFFIXES)
        if wanted and entry.is_symlink() and not is_inside(path, root):
            yield _unreadable("E121", "the link leads out of the repository", path)
        elif wanted and entry.is_symlink() and is_hidden(path, root):
            yield _unreadable("E121", "the link leads to a hidden file or folder", path)
        elif is_folder:
            yield from _walk(path, root, above | {real})
        elif wanted:
            yield path


def read_text(path: Path) -> str:
    """A file's text with `\\n` as the only line end; Unreadable says what is wrong with it."""
    try:
        descriptor = _open(path)
        with open(descriptor, "rb") as file:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                raise _unreadable("E101", "not a regular file", path)
            data = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise _unreadable("E101", "no such file or folder", path) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise _unreadable("E101", f"cannot be read: {reason}", path) from None
    if len(data) > MAX_FILE_BYTES:
        raise _unreadable("E101", f"larger than {MAX_FILE_BYTES // 2**20} MiB", path)
    return decode(data, shown(path))


def _open(path: Path) -> int:
    how = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(path, how)
    except FileNotFoundError:
        if not _brought(path):
            raise
        return os.open(os.path.realpath(path), how)


def decode(data: bytes, file: str) -> str:
    """Text of a file's bytes, free of characters no spec may hold."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        line, col = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = f"not UTF-8: byte 0x{data[error.start]:02x}"
        found = Diagnostic("E110", message, file, line, col, hint="save the file as UTF-8")
        raise Unreadable(found) from None
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if bad := BAD_CHARACTER.search(text):
        source = Source(file, text)
        name = "NUL byte" if bad[0] == "\x00" else f"control character U+{ord(bad[0]):04X}"
        raise Unreadable(source.diagnostic("E111", f"{name} in the file", bad.start(), hint="remove it"))
    return text
