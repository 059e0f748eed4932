"""Reading archives and folders of checkpoints member by member, without extracting anything. Refusals are E186."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Protocol

from reconciler.errors import InputError
from reconciler.inspection.facts import Changed
from reconciler.model.command import Bytes

MEMBERS = 200_000
HEADER: Bytes = 1 << 20
RATIO = 500
SLACK: Bytes = 256 << 20
"""An archive may grow to RATIO times its size and SLACK when it is unpacked; more is taken for a bomb."""
_CHUNK = 1 << 20
_KINDS = {tarfile.DIRTYPE: "folder", tarfile.REGTYPE: "file", tarfile.AREGTYPE: "file", tarfile.SYMTYPE: "link"}


class Reader(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


def modified_of(content: Reader) -> float:
    """When a file of a checkpoint was written, in seconds since 1970; 0 where nothing says."""
    return float(getattr(content, "modified", 0.0))


Visit = Callable[[str, int, Reader], None]
"""Gets the name, size and content of each regular file; what it does not read is passed over."""


def refused(path: Path | str, why: str) -> InputError:
    return InputError(
        f"{path} is not read: it is not what a checkpoint is",
        code="E186",
        why=why,
        fix="make the checkpoint again, or look where the file comes from",
    )


class _Limited:
    """A stream that ends with a refusal beyond its limit. `tail`: the last bytes that were read."""

    def __init__(self, inner: Reader, limit: Bytes, path: Path) -> None:
        self._inner, self._left, self._path = inner, limit, path
        self.tail = b""

    def read(self, size: int = -1, /) -> bytes:
        data = self._inner.read(_CHUNK if size < 0 else min(size, _CHUNK))
        self._left -= len(data)
        if self._left < 0:
            raise refused(self._path, "it unpacks to far more than it should")
        if data:
            self.tail = (self.tail + data)[-512:]
        return data


class CarefulInfo(tarfile.TarInfo):
    """Headers that say how long a name is are themselves limited: the library reads them into memory."""

    def _proc_member(self, archive: tarfile.TarFile) -> Any:
        if self.type in (b"x", b"g", b"X", b"L", b"K") and self.size > HEADER:
            raise tarfile.HeaderError("a header of that size")
        return super()._proc_member(archive)  # type: ignore[misc]


def visit(path: Path, each: Visit) -> None:
    """Go through a checkpoint: an archive (plain, gzip or zstd) or a folder of images."""
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            _folder(path, each)
        elif stat.S_ISREG(found.st_mode):
            with path.open("rb") as file:
                _archive(path, file, found.st_size, each)
        else:
            raise refused(path, "it is neither a file nor a folder")
    except FileNotFoundError:
        fix = "give an archive or a folder of images"
        raise InputError(f"{path} does not exist", code="E185", fix=fix) from None
    except PermissionError:
        raise InputError(
            f"{path} cannot be read", code="E185", fix="checkpoints belong to root: use sudo"
        ) from None
    except OSError as error:
        raise InputError(f"{path} cannot be read", code="E185", why=error.strerror or "") from None


def visit_packed(called: str, data: bytes, each: Visit) -> None:
    """The same for an archive that is in memory, by what it is called."""
    _archive(Path(called), io.BytesIO(data), len(data), each)


def _folder(path: Path, each: Visit) -> None:
    for root, folders, files in os.walk(path):
        folders.sort()
        for name in sorted(files):
            file = Path(root, name)
            handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK) if not file.is_symlink() else -1
            if handle < 0:
                continue  # `parent`, of a chain of images
            with os.fdopen(handle, "rb") as content:
                found = os.fstat(content.fileno())
                if stat.S_ISREG(found.st_mode):
                    each(str(file.relative_to(path)), found.st_size, _Counted(content, found.st_mtime))


def _archive(path: Path, file: IO[bytes], size: Bytes, each: Visit) -> None:
    stream = _Limited(_unpacked(path, file), size * RATIO + SLACK, path)
    seen: set[str] = set()
    try:
        with tarfile.open(fileobj=stream, mode="r|", tarinfo=CarefulInfo) as archive:  # type: ignore[call-overload]
            for member in archive:
                _check(path, member, seen)
                if member.isreg():
                    content = _Counted(archive.extractfile(member), float(member.mtime))
                    each(member.name.removeprefix("./"), member.size, content)
                    while content.read(_CHUNK):
                        pass
                    if content.count != member.size:
                        raise refused(path, f"it ends in the middle of {member.name}")
        while stream.read(_CHUNK):
            pass
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise refused(path, f"it is damaged or cut short: {error}") from None
    except Exception as error:
        if type(error).__name__ != "ZstdError":
            raise
        raise refused(path, f"it is damaged: {error}") from None
    if stream.tail.strip(b"\0") or not seen:
        raise refused(path, "it is cut short: its end is missing")


class _Counted:
    def __init__(self, inner: Any, modified: float = 0.0) -> None:
        self._inner, self.count, self.modified = inner, 0, modified

    def read(self, size: int = -1, /) -> bytes:
        data: bytes = self._inner.read(size)
        self.count += len(data)
        return data


def _unpacked(path: Path, file: IO[bytes]) -> Reader:
    magic = file.read(4)
    file.seek(0)
    if magic.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file)
    if magic != b"\x28\xb5\x2f\xfd":
        return file
    import zstandard

    reader: Reader = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(file)
    return reader


def _check(path: Path, member: tarfile.TarInfo, seen: set[str]) -> None:
    name = member.name
    parts = name.split("/")
    if name.startswith("/") or ".." in parts:
        raise refused(path, f"`{name!a}` leads out of it")
    if any(ord(c) < 32 or ord(c) == 127 for c in name):
        raise refused(path, f"a name in it holds control characters: {name!a}")
    if not (member.isdir() or member.type in (tarfile.REGTYPE, tarfile.AREGTYPE)):
        raise refused(path, f"`{name}` is a link, a device or another special file")
    if member.isreg() and member.mode & (stat.S_ISUID | stat.S_ISGID):
        raise refused(path, f"`{name}` is setuid or setgid")
    plain = "/".join(p for p in parts if p not in ("", "."))
    if plain in seen:
        raise refused(path, f"`{name}` is in it twice")
    seen.add(plain)
    if len(seen) > MEMBERS:
        raise refused(path, f"it has more than {MEMBERS} members")


def listed(content: Reader, name: str) -> Iterator[Changed]:
    """What is in a tar inside a checkpoint, such as the root filesystem's difference, without its folders. Links
    and devices are what they are there; nothing is made of them."""
    try:
        with tarfile.open(fileobj=content, mode="r|", tarinfo=CarefulInfo) as inner:  # type: ignore[call-overload]
            for number, member in enumerate(inner):
                if number >= MEMBERS:
                    raise refused(name, f"it has more than {MEMBERS} members")
                kind = _KINDS.get(member.type, "special")
                if kind != "folder":
                    size = member.size if member.isreg() else 0
                    yield Changed(
                        path=member.name.removeprefix("./"), kind=kind, bytes=size, modified=_moment(member.mtime)
                    )
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise refused(name, f"it is damaged: {error}") from None


def _moment(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return ""
