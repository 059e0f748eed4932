"""A look into a checkpoint of a store, by what its host tells of it (templates/store/look.sh): small images, and
what its trees hold as tar lists that. Hosts may have been taken over: all of it is read as hostile input."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from reconciler.inspection.archive import Reader, refused, visit_packed
from reconciler.inspection.facts import Changed, Checkpoint, Provenance, VolumeFiles
from reconciler.inspection.look import Gathered, Memory, mapping, whole
from reconciler.inspection.tasks import Slice
from reconciler.model.checkpoint import KeptTree, Manifest
from reconciler.model.command import Bytes

_LINE = re.compile(
    r"(?P<kind>.)[-rwxsStT]{9}[*+.@]? +[0-9]+/[0-9]+ +(?P<size>[0-9]+(?:,[0-9]+)?) "
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8})(?:\.[0-9]+)? +(?P<name>\.(?:/.*)?)"
)
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)")
_ESCAPED = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_KINDS = {"d": "folder", "-": "file", "l": "link", "h": "hard link"}
_WHITEOUT = "c", "0,0"
"""How overlayfs says that something of the image is gone, as tar lists it."""


@dataclass
class KeptLook:
    """What a host said of one checkpoint. `wanted`: which parts of its memory are to be asked for besides."""

    called: str
    manifest: Manifest
    wanted: dict[str, list[Slice]] = field(default_factory=dict)
    _found: Gathered = field(default_factory=Gathered)
    _lists: dict[str, bytes] = field(default_factory=dict)

    def take(self, text: str) -> None:
        """The answer of look.sh. InputError: E186 refused, E187 not CRIU's."""
        visit_packed(self.called, _decoded(self.called, text), self._member)
        for entry in _entries(self.called, self._lists.get("images.list", b"")):
            name = entry.path.rpartition("/")[2]
            kind = "pages" if name.startswith("pages-") else "images" if name.endswith(".img") else "other"
            self._add(kind, entry.bytes)
        for number, tree in enumerate(self.manifest.trees, 1):
            self._tree(number, tree)
        self.wanted = self._found.wanted(self.called)

    def told(self, slices: str) -> Checkpoint:
        """Everything that is shown. `slices`: the answer of slices.sh to `asked`."""
        lines = slices.split("\n")
        memory: Memory = {}
        for piece, line in zip(self._pieces(), lines, strict=False):
            memory[piece[1].pid, piece[1].what] = _decoded(self.called, line)
        return self._found.told(self.called, memory, _provenance(self.manifest), self.oci)

    @property
    def oci(self) -> dict[str, Any]:
        """The configuration that its OCI runtime had; empty where nothing says."""
        return mapping(self._found.documents.get("oci.json"))

    @property
    def deleted(self) -> tuple[str, ...]:
        """What of the image is gone in its root filesystem."""
        return tuple(self._found.documents.get("deleted.files", ()))

    @property
    def asked(self) -> str:
        """Lines for slices.sh."""
        return "".join(f"{name} {piece.offset} {piece.length}\n" for name, piece in self._pieces())

    def _pieces(self) -> list[tuple[str, Slice]]:
        return [(name, piece) for name, pieces in sorted(self.wanted.items()) for piece in pieces]

    def _member(self, path: str, size: Bytes, content: Reader) -> None:
        if path.startswith("images/"):
            self._found.image(path, size, content)
        elif path == "oci.json":
            self._found.document(path, size, content)
        else:
            self._lists[path] = whole(path, size, content)

    def _tree(self, number: int, tree: KeptTree) -> None:
        """What is there: what was archived while it ran and is there still, and what changed after that."""
        there = set(_names(self._lists.get(f"{number}.names", b"")))
        now: dict[str, Changed] = {}
        for part in ("base", "delta"):
            for entry in _entries(self.called, self._lists.get(f"{number}.{part}", b"")):
                if entry.path in there and entry.kind != "folder":
                    now[entry.path] = entry
        entries = [now[path] for path in sorted(now)]
        self._add("rootfs" if tree.kind == "rootfs" else "volumes", sum(entry.bytes for entry in entries))
        if tree.kind == "rootfs":
            self._found.changed += [entry for entry in entries if entry.kind != "whiteout"]
            self._found.documents["deleted.files"] = [e.path for e in entries if e.kind == "whiteout"]
        else:
            self._found.volumes.append(VolumeFiles(name=tree.target, files=tuple(entries)))

    def _add(self, kind: str, size: Bytes) -> None:
        self._found.sizes[kind] = self._found.sizes.get(kind, 0) + size


def _decoded(called: str, text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (ValueError, binascii.Error):
        raise refused(called, "its host did not answer in base64") from None


def _names(data: bytes) -> Iterator[str]:
    """Of records `KIND PATH`, each ended by a NUL."""
    return (_plain(record[2:]) for record in data.split(b"\0") if record)


def _entries(called: str, data: bytes) -> Iterator[Changed]:
    """Lines of `tar --list --verbose` in the style `escape`."""
    for line in data.decode(errors="replace").splitlines():
        found = _LINE.fullmatch(line)
        if found is None:
            raise refused(called, f"its host lists a file as {line[:120]!a}")
        kind, size, name = found["kind"], found["size"], found["name"]
        if kind in "lh":
            name = name.partition(" -> " if kind == "l" else " link to ")[0]
        yield Changed(
            path=_plain(_unescaped(name)),
            kind="whiteout" if (kind, size) == _WHITEOUT else _KINDS.get(kind, "special"),
            bytes=0 if "," in size else int(size),
            modified=found["date"],
        )


def _unescaped(name: str) -> bytes:
    def one(found: re.Match[bytes]) -> bytes:
        code = found[1]
        return bytes([int(code, 8) & 255]) if len(code) == 3 else _ESCAPED.get(code, code)

    return _ESCAPE.sub(one, name.encode())


def _plain(path: bytes) -> str:
    """As people write it; what is not printable is escaped where it is shown."""
    return path.removeprefix(b"./").rstrip(b"/").decode(errors="backslashreplace")


def _provenance(manifest: Manifest) -> Provenance:
    come = manifest.came_from
    return Provenance(
        engine=come.runtime,
        container=manifest.workload,
        container_id=come.container_id,
        image=come.image,
        image_id=come.image_id,
        oci_runtime=come.oci_runtime,
        created=datetime.fromtimestamp(manifest.taken_at, UTC).isoformat(timespec="milliseconds"),
        architecture=come.arch,
        freeze_ms=manifest.frozen_s * 1000,
    )
