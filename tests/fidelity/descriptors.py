"""Open files of processes: each borrowed for an instant (pidfd_getfd), and asked for all that it tells."""

from __future__ import annotations

import array
import ctypes
import fcntl
import os
import re
import select
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.fidelity.processes import LIBC, Facts, digest, shown

PIDFD_GETFD = 438
FIONREAD, SIOCATMARK = 0x541B, 0x8905
ASKED = {"owner": 9, "signal": 11, "lease": 1025, "pipe-size": 1032, "seals": 1034}
"""Of fcntl, by what they tell."""
TEE_NONBLOCK = 2
LEVELS = {"socket": 1, "ip": 0, "tcp": 6, "udp": 17, "ipv6": 41, "packet": 263, "netlink": 270, "raw": 255}
OPTIONS = 140
"""Numbers of options that are asked at each level; the kernel's end before."""
CONSUMING = {("socket", 4), ("socket", 56), ("tcp", 11), ("tcp", 35)}
"""Not asked: SO_ERROR and zero-copy receive change something, TCP_INFO and the incoming NAPI are counts."""
PEER_CREDENTIALS = ("socket", 17)
HOPS_TO_GROUPS = ("ip", 33)
"""IP_MULTICAST_TTL. Of a stream nobody can set it; the kernel notes there how far its first packet could go."""
MOST_READ = 1 << 16


def record(pids: dict[int, int]) -> Facts:
    facts: Facts = {}
    objects: dict[str, str] = {}
    inner = {pid: inside for inside, pid in pids.items()}
    for inside, pid in pids.items():
        try:
            task = os.pidfd_open(pid)
        except OSError:
            continue
        try:
            for name in sorted(os.listdir(f"/proc/{pid}/fd"), key=int):
                key = f"process/{inside}/fd/{name}"
                for what, value in _of(task, Path("/proc", str(pid)), name, key, objects, inner):
                    facts[f"{key}/{what}"] = value
        finally:
            os.close(task)
    return facts


def _of(
    task: int, root: Path, name: str, key: str, objects: dict[str, str], inner: dict[int, int]
) -> Iterator[tuple[str, str]]:
    target = os.readlink(root / "fd" / name)
    kind = re.sub(r":\[\d+\]$", "", target)
    if kind != target:
        # Numbers of sockets and pipes mean nothing elsewhere; who else has the same one does.
        yield "same-as", objects.setdefault(target, key)
    yield "target", kind
    yield from _info((root / "fdinfo" / name).read_text())
    mine = LIBC.syscall(PIDFD_GETFD, task, int(name), 0)
    if mine < 0:
        yield "borrowed", os.strerror(ctypes.get_errno())
        return
    try:
        for what, command in ASKED.items():
            with suppress(OSError):
                number = fcntl.fcntl(mine, command)
                yield what, str(inner.get(number, number) if what == "owner" else number)
        entry = os.fstat(mine)
        if stat.S_ISSOCK(entry.st_mode):
            yield from _socket(mine, inner)
        elif stat.S_ISFIFO(entry.st_mode):
            yield "waits", _in_pipe(mine)
        elif "inotify" in kind:
            size = array.array("i", [0])
            fcntl.ioctl(mine, FIONREAD, size)
            yield "inotify-waits", str(size[0])
        elif stat.S_ISREG(entry.st_mode) and not kind.startswith("/proc/"):
            yield "size", str(entry.st_size)
            yield "links", str(entry.st_nlink)
            yield "contents", digest(Path(f"/proc/self/fd/{mine}").read_bytes())
    finally:
        os.close(mine)


def _info(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        # Numbers of inodes, mounts and devices mean nothing elsewhere.
        line = re.sub(r" (ino|sdev|fhandle-bytes|fhandle-type|f_handle):[0-9a-f]+", "", line)
        if found := re.match(r"(inotify wd|tfd)[: ] *(\w+) *(.*)", line):  # several, in no order
            yield f"info/{found[1]} {found[2]}", " ".join(found[3].split())
        elif found := re.match(r"lock:\s*\d+: (.*?) -?\d+ [0-9a-f]+:[0-9a-f]+:\d+ (.*)", line):
            yield "info/lock", f"{found[1]} {found[2]}"
        else:
            key, _, value = line.partition(":")
            yield f"info/{key.strip()}", " ".join(value.split())


def _in_pipe(fd: int) -> str:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    state = ",".join(str(event) for _, event in poll.poll(0))
    size = array.array("i", [0])
    fcntl.ioctl(fd, FIONREAD, size)
    if not size[0]:
        return f"nothing {state}"
    out, into = os.pipe()
    try:
        LIBC.tee(fd, into, MOST_READ, TEE_NONBLOCK)  # leaves what is copied where it is
        os.set_blocking(out, False)
        return f"{shown(os.read(out, MOST_READ))} of {size[0]} {state}"
    except BlockingIOError:
        return f"{size[0]} bytes {state}"  # the end that only writes
    finally:
        os.close(out)
        os.close(into)


def _socket(fd: int, inner: dict[int, int]) -> Iterator[tuple[str, str]]:
    with socket.socket(fileno=os.dup(fd)) as asked:
        yield "kind", f"{int(asked.family)} {int(asked.type)} {asked.proto}"
        for what, call in (("name", asked.getsockname), ("peer", asked.getpeername)):
            try:
                yield what, str(call())
            except OSError as error:
                yield what, error.strerror or ""
        for level, number in LEVELS.items():
            for option in range(OPTIONS):
                if (level, option) in CONSUMING:
                    continue
                try:
                    value = asked.getsockopt(number, option, 256)
                except OSError:
                    continue
                if (level, option) == PEER_CREDENTIALS:
                    pid, user, group = struct.unpack("3i", value)
                    yield f"option/{level}/{option}", f"{inner.get(pid, pid)} {user} {group}"
                elif (level, option) == HOPS_TO_GROUPS and asked.type == socket.SOCK_STREAM:
                    yield f"option/{level}/{option} of a stream", _value(value)
                else:
                    yield f"option/{level}/{option}", _value(value)
        poll = select.poll()
        poll.register(asked, 0xFFFF)
        yield "ready", ",".join(str(event & 0x3FFF) for _, event in poll.poll(0))
        yield from _waiting(asked)


def _value(value: bytes) -> str:
    return str(struct.unpack("i", value)[0]) if len(value) == 4 else value.hex()


def _waiting(asked: socket.socket) -> Iterator[tuple[str, str]]:
    """What waits to be read, without taking it. A descriptor in it is made anew here, and closed."""
    for what, request in (("to-read", FIONREAD), ("to-send", 0x5411)):
        try:
            size = array.array("i", [0])
            fcntl.ioctl(asked, request, size)
            yield what, str(size[0])
        except OSError:
            continue
    try:
        content, passed, _, _ = asked.recvmsg(MOST_READ, 1 << 12, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except OSError as error:
        yield "waits", error.strerror or ""
        return
    yield "waits", shown(content)
    for level, kind, data in passed:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            for one in array.array("i", data[: len(data) - len(data) % 4]):
                yield "waits-with", re.sub(r"\[\d+\]", "", os.readlink(f"/proc/self/fd/{one}"))
                os.close(one)
        elif kind == socket.SCM_CREDENTIALS:
            yield "waits-from", " ".join(map(str, struct.unpack("3i", data)))
