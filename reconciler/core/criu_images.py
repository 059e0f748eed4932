"""The part of CRIU's image format that is read or written here, for the protobuf library.

Field numbers are those of CRIU's images/*.proto; fields that are not listed are skipped. Text is `bytes` here:
names of programs and paths need not be UTF-8.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from typing import Any

from reconciler.core import protobuf
from reconciler.errors import InputError

_MESSAGES: dict[str, str] = {
    "pstree": "pid:1 ppid:2 threads:5*",
    "vma": "start:1 end:2 flags:6 status:7",
    "mm": "arg_start:8 arg_end:9 env_start:10 env_end:11 exe_file_id:12 vmas:14*vma",
    "task": "comm:6b",
    "ids": "files_id:2",
    "core": "mtype:1 tc:3task ids:4ids",
    "inventory": "img_version:1 dump_uptime:8",
    "fdinfo": "id:1 flags:2 type:3 fd:4",
    "reg": "flags:2 pos:3 name:6b size:8",
    "inet": "family:3 type:4 proto:5 state:6 src_port:7 dst_port:8 src_addr:11* dst_addr:12*",
    "unix": "type:3 state:4 peer:8 name:11b",
    "file": "type:1 id:2 reg:3reg isk:4inet usk:16unix",
    "pagemap_head": "pages_id:1",
    "pagemap": "vaddr:1 nr_pages:2 in_parent:3 flags:4 many_pages:5",
    "dump": "freezing_time:1 frozen_time:2 pages_written:7",
    "stats": "dump:1dump",
}
"""As `protobuf.classes` reads them."""
_MAGICS = (0x54564319, 0x55105940)


@cache
def _classes() -> dict[str, Any]:
    return protobuf.classes("criu", _MESSAGES)


def entries(data: bytes, message: str, name: str, *, head: str = "") -> Iterator[Any]:
    """The entries of one image, the first one as `head` where that is another message. InputError when it is cut
    short or no image of CRIU."""
    classes = _classes()
    try:
        at = 8 if struct.unpack_from("<I", data)[0] in _MAGICS else 4
        kind = classes[head or message]
        while at < len(data):
            (size,) = struct.unpack_from("<I", data, at)
            body = data[at + 4 : at + 4 + size]
            if len(body) != size:
                raise ValueError("it ends in the middle of an entry")
            yield protobuf.decoded(kind, body)
            at, kind = at + 4 + size, classes[message]
    except (struct.error, ValueError) as error:
        raise InputError(f"{name} is no image of CRIU", code="E187", why=str(error)) from None


def encoded(header: bytes, *messages: tuple[str, dict[str, int]]) -> bytes:
    """An image: its magic numbers, then entries given as a message's name and its fields."""
    classes = _classes()
    bodies = [classes[name](**fields).SerializeToString() for name, fields in messages]
    return header + b"".join(struct.pack("<I", len(body)) + body for body in bodies)
