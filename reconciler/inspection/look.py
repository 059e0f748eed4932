"""One look into a checkpoint: the small images are decoded; pages are passed over but for command lines."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconciler.core.criu_images import entries
from reconciler.errors import InputError
from reconciler.inspection import tasks
from reconciler.inspection.archive import Reader, listed, modified_of, refused, visit
from reconciler.inspection.facts import Changed, Checkpoint, Provenance, VolumeFiles
from reconciler.model.command import Bytes

SMALL: Bytes = 64 << 20
"""Images and JSON files above this are no images of processes that anybody runs."""
SLICE: Bytes = 64 << 10
"""How much of a process's arguments, and of its environment, is read out of its pages."""
_WANTED = ("pstree.img", "inventory.img", "files.img", "stats-dump")
_PREFIXES = ("core-", "mm-", "ids-", "fdinfo-", "pagemap-")
_JSON = ("config.dump", "spec.dump", "deleted.files")
Memory = dict[tuple[int, str], bytes]
"""What processes were called with (`args`), and with which environment (`env`), by their number."""


@dataclass
class Gathered:
    """What one pass over a checkpoint has read. `home`: the folder in it that has the images; `modified`: when
    they were written, in seconds since 1970."""

    images: dict[str, bytes] = field(default_factory=dict)
    documents: dict[str, Any] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    changed: list[Changed] = field(default_factory=list)
    volumes: list[VolumeFiles] = field(default_factory=list)
    home: str = ""
    modified: float = 0.0

    def take(self, path: str, size: Bytes, content: Reader) -> None:
        name = path.rpartition("/")[2]
        kind = _kind(path, name)
        self.sizes[kind] = self.sizes.get(kind, 0) + size
        if path == "rootfs-diff.tar":
            self.changed += listed(content, path)
        elif kind == "volumes" and path.endswith(".tar"):
            called = path.removeprefix("volumes/").removesuffix(".tar")
            self.volumes.append(VolumeFiles(name=ascii(called)[1:-1], files=tuple(listed(content, path))))
        elif path in _JSON:
            self.document(path, size, content)
        else:
            self.image(path, size, content)

    def image(self, path: str, size: Bytes, content: Reader) -> None:
        """Keep it if it is one that is decoded."""
        name = path.rpartition("/")[2]
        if name in _WANTED or (name.startswith(_PREFIXES) and name.endswith(".img")):
            if name in self.images:
                raise refused(path, "there are two images of that name")
            self.images[name] = whole(path, size, content)
            if name == "pstree.img":
                self.home, self.modified = path.rpartition("/")[0], modified_of(content)

    def document(self, path: str, size: Bytes, content: Reader) -> None:
        try:
            found = json.loads(whole(path, size, content))
            json.dumps(found, ensure_ascii=False).encode()
        except UnicodeError:
            raise refused(path, "there are characters in it that cannot be written") from None
        except (ValueError, RecursionError):
            raise refused(path, "it is no JSON") from None
        self.documents[path] = found

    def wanted(self, called: str) -> dict[str, list[tasks.Slice]]:
        """Which parts of memory tell what processes were called with. E187: it holds no checkpoint."""
        if "pstree.img" not in self.images:
            raise InputError(f"{called} holds no checkpoint", code="E187", why="there is no pstree.img in it")
        return tasks.slices(self.images, SLICE)

    def told(self, called: str, memory: Memory, provenance: Provenance, spec: dict[str, Any]) -> Checkpoint:
        """Everything that is shown. `spec`: of the OCI runtime."""
        processes, sockets = tasks.processes(self.images, memory)
        return Checkpoint(
            path=called,
            sizes=dict(sorted(self.sizes.items())),
            provenance=provenance,
            processes=processes,
            sockets=sockets,
            environment=tasks.pairs(_texts(mapping(spec.get("process")).get("env"))),
            changed=tuple(self.changed),
            deleted=tuple(text.lstrip("/") for text in _texts(self.documents.get("deleted.files") or [])),
            volumes=tuple(self.volumes),
        )


def look(path: Path) -> Checkpoint:
    """Everything that is shown of a checkpoint. InputError: E185 cannot be read, E186 refused, E187 not CRIU's."""
    found = Gathered()
    visit(path, found.take)
    wanted = found.wanted(str(path))
    memory = _read_slices(path, wanted) if wanted else {}
    spec = mapping(found.documents.get("spec.dump"))
    return found.told(str(path), memory, provenance_of(found, spec), spec)


def _kind(path: str, name: str) -> str:
    if name.startswith("pages-") and name.endswith(".img"):
        return "pages"
    if path == "rootfs-diff.tar":
        return "rootfs"
    if path.startswith("volumes/"):
        return "volumes"
    return "images" if name.endswith(".img") else "other"


def whole(path: str, size: Bytes, content: Reader) -> bytes:
    if size > SMALL:
        raise refused(path, f"it is larger than {SMALL >> 20} MiB")
    parts = []
    while part := content.read(1 << 20):
        parts.append(part)
    return b"".join(parts)


def _read_slices(path: Path, wanted: dict[str, list[tasks.Slice]]) -> Memory:
    """A second pass that reads a few pages: what processes were called with."""
    out: Memory = {}

    def take(name: str, size: Bytes, content: Reader) -> None:
        at = 0
        for piece in sorted(wanted.get(name.rpartition("/")[2], ()), key=lambda s: s.offset):
            while at < piece.offset and (part := content.read(min(1 << 20, piece.offset - at))):
                at += len(part)
            data = content.read(piece.length) if at == piece.offset else b""
            at += len(data)
            out[piece.pid, piece.what] = data

    visit(path, take)
    return out


def mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _texts(value: Any) -> list[str]:
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []


def provenance_of(found: Gathered, spec: dict[str, Any]) -> Provenance:
    config = mapping(found.documents.get("config.dump"))
    notes = mapping(spec.get("annotations"))

    def first(*keys: str) -> str:
        text = next((str(config[k]) for k in keys if isinstance(config.get(k), str) and config[k]), "")
        return ascii(text)[1:-1]

    engine = "podman" if "rootfsImageID" in config and "lockID" in config else ""
    if any(key.startswith("io.kubernetes.cri-o.") for key in notes):
        engine = "cri-o"
    elif any(key.startswith("io.kubernetes.cri.") for key in notes):
        engine = "containerd"
    stats = found.images.get("stats-dump")
    dump = next((e.dump for e in entries(stats, "stats", "stats-dump")), None) if stats else None
    return Provenance(
        engine=engine,
        container=first("name"),
        container_id=first("id"),
        image=first("rootfsImageName", "rootfsImageRef"),
        image_id=first("rootfsImageID", "rootfsImageRef"),
        oci_runtime=first("runtime", "ociRuntime"),
        created=first("checkpointedTime", "checkpointedAt", "createdTime"),
        architecture=tasks.architecture(found.images),
        freeze_ms=(dump.frozen_time + dump.freezing_time) / 1000 if dump else 0.0,
    )
