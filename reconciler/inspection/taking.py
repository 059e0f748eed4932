"""Checkpoints that others have taken, on their way into a store: an archive is read twice as a stream, and what
goes on is a new one with names of ours. Trees inside are passed on as they are: the store's host unpacks and
checks them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from reconciler.inspection.archive import Reader, refused, visit
from reconciler.inspection.facts import Provenance
from reconciler.inspection.look import Gathered, mapping, provenance_of
from reconciler.model.command import Bytes

ROOTFS, SHM = "rootfs-diff.tar", "devshm-checkpoint.tar"


@dataclass(frozen=True)
class Foreign:
    """What an archive says of itself. `volumes`: by where they are mounted, what it calls the archive of each;
    `home`: the folder of images; `modified`: when they were written, 0 where nothing says; `gone`: files of the
    image."""

    provenance: Provenance
    home: str
    modified: float
    memory_bytes: Bytes
    volumes: Mapping[str, str]
    gone: tuple[str, ...]


def foreign(path: Path) -> Foreign:
    """InputError: E185 cannot be read, E186 refused, E187 not CRIU's."""
    found = Gathered()
    visit(path, found.take)
    found.wanted(str(path))
    config = mapping(found.documents.get("config.dump"))
    gone = []
    for name in _listed(path, "deleted.files", found.documents.get("deleted.files")):
        if not isinstance(name, str) or "\n" in name or "\0" in name or ".." in name.split("/"):
            raise refused(path, f"it names a file that cannot be: {name!a:.200}")
        gone.append(name.lstrip("/"))
    return Foreign(
        provenance=provenance_of(found, mapping(found.documents.get("spec.dump"))),
        home=found.home,
        modified=found.modified,
        memory_bytes=found.sizes.get("pages", 0) + found.sizes.get("images", 0),
        volumes=_volumes(path, config),
        gone=tuple(gone),
    )


def _volumes(path: Path, config: Mapping[str, Any]) -> dict[str, str]:
    mounted: dict[str, str] = {}
    for one in _listed(path, "namedVolumes", config.get("namedVolumes")):
        name, target = mapping(one).get("volumeName"), mapping(one).get("dest")
        if not isinstance(name, str) or not isinstance(target, str) or target in mounted:
            raise refused(path, f"it has a volume that cannot be: {one!a:.200}")
        mounted[target] = f"volumes/{name}.tar"
    return mounted


def _listed(path: Path, called: str, value: object) -> list[object]:
    """What is a list, or left out."""
    if value is None or isinstance(value, list):
        return value or []
    raise refused(path, f"{called} is no list in it")


def repack(path: Path, found: Foreign, trees: tuple[str, ...], sink: BinaryIO) -> None:
    """Write it as the host of a store takes it. `trees`: what it calls the archive of each, in their order."""
    numbers = {name: number for number, name in enumerate(trees, 1)}
    with tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT) as out:

        def put(name: str, size: Bytes, content: Reader) -> None:
            info = tarfile.TarInfo(name)
            info.size, info.mode = size, 0o600
            out.addfile(info, content)

        def each(name: str, size: Bytes, content: Reader) -> None:
            folder, _, last = name.rpartition("/")
            if name in numbers:
                put(f"{numbers[name]}.tar", size, content)
            elif folder == found.home or name == SHM:
                put(f"images/{last}", size, content)

        gone = "".join(f"{name}\n" for name in found.gone).encode()
        if ROOTFS in numbers:
            put(f"{numbers[ROOTFS]}.deleted", len(gone), io.BytesIO(gone))
        visit(path, each)
