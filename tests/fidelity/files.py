"""Every file of a workload with all its attributes, as its first process sees it."""

from __future__ import annotations

import array
import errno
import fcntl
import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

from tests.fidelity.processes import Facts, digest, shown

GETFLAGS, GETXATTR = 0x80086601, 0x801C581F
KERNELS = frozenset(("proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue"))
"""File systems whose files are the kernel's own."""


def record(pid: int) -> Facts:
    """Facts as `file/PATH/...`, of every mount but the kernel's own and what is mounted from the host to read."""
    facts: Facts = {}
    root = f"/proc/{pid}/root"
    twins: dict[tuple[int, int], str] = {}
    left_out = {row[1] for row in _mounts(pid) if row[0] in KERNELS or ("ro" in row[2] and row[1] != "/")}
    todo = ["/"]
    while todo:
        path = todo.pop()
        for key, value in _of(root + path, path, twins):
            facts[f"file{shown(os.fsencode(path))}/{key}"] = value
        if os.path.isdir(root + path) and not os.path.islink(root + path) and path not in left_out:
            names = sorted(os.listdir(root + path), reverse=True)
            todo += [f"{path.rstrip('/')}/{name}" for name in names]
    return facts


def _mounts(pid: int) -> Iterator[tuple[str, str, list[str]]]:
    for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines():
        head, _, tail = line.partition(" - ")
        yield tail.split()[0], head.split()[4], head.split()[5].split(",")


def _of(there: str, path: str, twins: dict[tuple[int, int], str]) -> Iterator[tuple[str, str]]:
    entry = os.lstat(there)
    yield "mode", oct(entry.st_mode)
    yield "owner", f"{entry.st_uid}:{entry.st_gid}"
    for name in ("mtime", "atime", "ctime"):
        yield name, str(getattr(entry, f"st_{name}_ns"))
    yield "inode", str(entry.st_ino)
    yield "links", str(entry.st_nlink)
    if not stat.S_ISDIR(entry.st_mode):
        yield "size", str(entry.st_size)
        if entry.st_nlink > 1:
            yield "same-as", twins.setdefault((entry.st_dev, entry.st_ino), path)
    for name in sorted(os.listxattr(there, follow_symlinks=False)):
        yield f"attribute/{name}", shown(os.getxattr(there, name, follow_symlinks=False))
    if stat.S_ISLNK(entry.st_mode):
        yield "to", os.readlink(there)
    elif stat.S_ISCHR(entry.st_mode) or stat.S_ISBLK(entry.st_mode):
        yield "device", f"{os.major(entry.st_rdev)}:{os.minor(entry.st_rdev)}"
    elif stat.S_ISREG(entry.st_mode) or stat.S_ISDIR(entry.st_mode):
        yield from _opened(there, path, entry)


def _opened(there: str, path: str, entry: os.stat_result) -> Iterator[tuple[str, str]]:
    fd = os.open(there, os.O_RDONLY | os.O_NOATIME | os.O_NONBLOCK)
    try:
        flags = array.array("i", [0])
        more = bytearray(28)
        try:
            fcntl.ioctl(fd, GETFLAGS, flags)
            yield "flags", hex(flags[0])
            fcntl.ioctl(fd, GETXATTR, more)
            yield "project", str(struct.unpack_from("I", more, 12)[0])
        except OSError as error:
            if error.errno not in (errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL):
                raise
        if stat.S_ISREG(entry.st_mode):
            yield "data", " ".join(_data(fd, entry.st_size))
            os.lseek(fd, 0, os.SEEK_SET)
            with os.fdopen(os.dup(fd), "rb") as file:
                lines = file.read().splitlines(keepends=True)
            of_host = [line for line in lines if path == "/etc/hosts" and b"host.containers.internal" in line]
            if of_host:
                yield "of-host", shown(b"".join(of_host))
            yield "contents", digest(b"".join(line for line in lines if line not in of_host))
    finally:
        os.close(fd)


def _data(fd: int, size: int) -> Iterator[str]:
    """Where it has data; the rest are holes."""
    at = 0
    while at < size:
        try:
            begin = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:
            return  # ENXIO: holes up to the end
        at = os.lseek(fd, begin, os.SEEK_HOLE)
        yield f"{begin}-{at}"
