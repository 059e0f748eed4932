"""What is known of a checkpoint: values that serialise."""

from __future__ import annotations

from reconciler.model.base import Model
from reconciler.model.checkpoint import KeptRehearsal


class OpenFile(Model):
    fd: int
    kind: str
    text: str = ""


class Socket(Model):
    pid: int
    protocol: str
    state: str
    local: str
    peer: str = ""


class Process(Model):
    """`mapped` are bytes of address space by kind; `dumped_bytes` is what of it is in the images."""

    pid: int
    parent: int
    threads: int
    name: str
    command: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    executable: str = ""
    mapped: dict[str, int] = {}
    dumped_bytes: int = 0
    files: tuple[OpenFile, ...] = ()


class Provenance(Model):
    """Where a checkpoint comes from; empty where it does not say."""

    engine: str = ""
    container: str = ""
    container_id: str = ""
    image: str = ""
    image_id: str = ""
    oci_runtime: str = ""
    created: str = ""
    architecture: str = ""
    freeze_ms: float = 0.0


class Changed(Model):
    """A file that differs from the container's image, or one in a volume. `modified`: by UTC, to the second."""

    path: str
    kind: str
    bytes: int = 0
    modified: str = ""


class VolumeFiles(Model):
    """What a volume holds. `name`: as the checkpoint calls it, or where it is mounted."""

    name: str
    files: tuple[Changed, ...] = ()


class Checkpoint(Model):
    """`sizes` are bytes by kind: pages, images, rootfs, volumes, other. `deleted` and `changed` differ from the
    container's image; `environment` is what the container was made with; `rehearsed`: how one that is
    kept was restored for trial."""

    path: str
    sizes: dict[str, int]
    provenance: Provenance
    processes: tuple[Process, ...]
    sockets: tuple[Socket, ...] = ()
    environment: dict[str, str] = {}
    changed: tuple[Changed, ...] = ()
    deleted: tuple[str, ...] = ()
    volumes: tuple[VolumeFiles, ...] = ()
    rehearsed: KeptRehearsal | None = None
