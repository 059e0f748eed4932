"""CRIU's images as processes, their memory, open files and sockets. Pure; values come from hostile input."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.core.criu_images import entries
from reconciler.errors import InputError
from reconciler.inspection.facts import OpenFile, Process, Socket
from reconciler.model.command import Bytes

PAGE: Bytes = 4096
_IN_PARENT, _PRESENT = 1, 4
_MAPS = ((1 << 1, "stack"), (1 << 5, "heap"), (1 << 7, "shared"), (1 << 8, "shared"), (1 << 10, "shared"))
_MORE_MAPS = ((1 << 6, "file"), (1 << 9, "anonymous"))
_STATES = (
    "?", "established", "syn-sent", "syn-received", "fin-wait-1", "fin-wait-2", "time-wait", "close", "close-wait",
    "last-ack", "listen", "closing",
)  # fmt: skip
_FILES = (
    "?", "file", "pipe", "fifo", "inet", "unix", "eventfd", "epoll", "inotify", "signalfd", "packet", "tty",
    "fanotify", "netlink", "namespace", "tun", "external", "timerfd", "memfd", "bpf", "pidfd",
)  # fmt: skip
_ARCHITECTURES = ("", "x86_64", "arm", "aarch64", "ppc64", "s390", "mips", "loongarch64", "riscv64")
_PROTOCOLS = {6: "tcp", 17: "udp", 136: "udplite"}


@dataclass(frozen=True)
class Slice:
    """Bytes of a process's memory in a file of pages."""

    pid: int
    what: str
    offset: int
    length: int


def processes(
    images: Mapping[str, bytes], memory: Mapping[tuple[int, str], bytes]
) -> tuple[tuple[Process, ...], tuple[Socket, ...]]:
    files = {e.id: e for e in _entries(images, "files.img", "file")}
    found, sockets = [], []
    for task in _entries(images, "pstree.img", "pstree"):
        pid = int(task.pid)
        core = next(_entries(images, f"core-{pid}.img", "core"), None)
        mm = next(_entries(images, f"mm-{pid}.img", "mm"), None)
        ids = next(_entries(images, f"ids-{pid}.img", "ids"), None) or (core.ids if core else None)
        opened = list(_entries(images, f"fdinfo-{ids.files_id}.img", "fdinfo")) if ids else []
        sockets += [s for fd in opened if (s := _socket(pid, files.get(fd.id)))]
        exe = files.get(mm.exe_file_id) if mm else None
        found.append(
            Process(
                pid=pid,
                parent=int(task.ppid),
                threads=max(1, len(task.threads)),
                name=_text(core.tc.comm) if core else "",
                command=tuple(_words(memory.get((pid, "args"), b""))),
                environment=pairs(_words(memory.get((pid, "env"), b""))),
                executable=_text(exe.reg.name) if exe else "",
                mapped=_mapped(mm),
                dumped_bytes=sum(n for _, n, _ in _pages(images, pid)),
                files=tuple(_open_file(fd, files.get(fd.id)) for fd in sorted(opened, key=lambda f: f.fd)),
            )
        )
    return tuple(found), tuple(sockets)


def slices(images: Mapping[str, bytes], most: Bytes) -> dict[str, list[Slice]]:
    """Where arguments and environment of all processes are, by file of pages; only what is in these images, and
    only as far as it is in one piece."""
    wanted: dict[str, list[Slice]] = {}
    for task in _entries(images, "pstree.img", "pstree"):
        pid = int(task.pid)
        mm = next(_entries(images, f"mm-{pid}.img", "mm"), None)
        if mm is None:
            continue
        pages = _pages(images, pid)
        number = _pages_id(images, pid)
        for what, start, end in (("args", mm.arg_start, mm.arg_end), ("env", mm.env_start, mm.env_end)):
            for address, size, offset in pages:
                if address <= start < address + size and end > start:
                    length = min(end, address + size, start + most) - start
                    piece = Slice(pid, what, offset + start - address, length)
                    wanted.setdefault(f"pages-{number}.img", []).append(piece)
    return wanted


def architecture(images: Mapping[str, bytes]) -> str:
    name = next((n for n in sorted(images) if n.startswith("core-")), "")
    core = next(_entries(images, name, "core"), None)
    return _ARCHITECTURES[core.mtype] if core and core.mtype < len(_ARCHITECTURES) else ""


def pairs(words: list[str]) -> dict[str, str]:
    return {name: value for name, is_set, value in (w.partition("=") for w in words) if is_set}


def _entries(images: Mapping[str, bytes], name: str, message: str, head: str = "") -> Any:
    return entries(images[name], message, name, head=head) if name in images else iter(())


def _pages_id(images: Mapping[str, bytes], pid: int) -> int:
    head = next(_entries(images, f"pagemap-{pid}.img", "pagemap"), None)
    return int(head.vaddr) if head is not None else 0  # both are field 1


def _pages(images: Mapping[str, bytes], pid: int) -> list[tuple[int, Bytes, int]]:
    """Address, size and place in the file of pages, of each run of pages that is in it."""
    found, offset = [], 0
    for number, run in enumerate(_entries(images, f"pagemap-{pid}.img", "pagemap")):
        here = run.flags & _PRESENT if run.flags else not run.in_parent
        if number == 0 or not here:
            continue
        size = (run.many_pages or run.nr_pages) * PAGE
        found.append((int(run.vaddr), int(size), offset))
        offset += size
    return found


def _mapped(mm: Any) -> dict[str, int]:
    sums: dict[str, int] = {}
    for area in mm.vmas if mm else ():
        kind = next((k for bit, k in (*_MAPS, *_MORE_MAPS) if area.status & bit), "other")
        if area.flags & 0x100 and kind == "anonymous":  # MAP_GROWSDOWN
            kind = "stack"
        sums[kind] = sums.get(kind, 0) + max(0, area.end - area.start)
    return dict(sorted(sums.items()))


def _open_file(fd: Any, file: Any) -> OpenFile:
    kind = _FILES[fd.type] if fd.type < len(_FILES) else "?"
    text = ""
    if file is not None and kind == "file":
        text = _text(file.reg.name)
    elif (found := _socket(0, file)) is not None:
        text = f"{found.protocol} {found.state} {found.local} {found.peer}".strip()
    return OpenFile(fd=fd.fd, kind=kind, text=text)


def _socket(pid: int, file: Any) -> Socket | None:
    if file is None:
        return None
    if file.HasField("isk"):
        one = file.isk
        protocol = _PROTOCOLS.get(one.proto, f"ip-{one.proto}")
        state = _STATES[one.state] if one.state < len(_STATES) and protocol == "tcp" else "open"
        peer = _address(one.dst_addr, one.dst_port) if one.dst_port else ""
        return Socket(
            pid=pid, protocol=protocol, state=state, local=_address(one.src_addr, one.src_port), peer=peer
        )
    if file.HasField("usk"):
        state = {1: "established", 7: "open", 10: "listen"}.get(file.usk.state, "open")
        return Socket(pid=pid, protocol="unix", state=state, local=_text(file.usk.name.rstrip(b"\0")))
    return None


def _address(words: Any, port: int) -> str:
    raw = struct.pack(f"<{len(words)}I", *(w & 0xFFFFFFFF for w in words))
    if len(raw) == 4:
        return f"{socket.inet_ntop(socket.AF_INET, raw)}:{port}"
    if len(raw) == 16:
        return f"[{socket.inet_ntop(socket.AF_INET6, raw)}]:{port}"
    raise InputError("files.img is no image of CRIU", code="E187", why="an address has an odd length")


def _words(data: bytes) -> list[str]:
    return [_text(word) for word in data.rstrip(b"\0").split(b"\0")] if data else []


def _text(data: bytes) -> str:
    """Text that a terminal can be given: whatever is not printable is escaped."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in data.decode(errors="replace"))
