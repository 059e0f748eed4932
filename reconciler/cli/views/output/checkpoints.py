"""`checkpoints show | files | diff --json`: what is in a checkpoint. Values of variables only where asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from reconciler.cli.views.output.base import Document, Part, rounded
from reconciler.cli.views.output.rehearsed import RehearsedCheckpoint, rehearsed_part
from reconciler.inspection.compare import ADDED, REMOVED, FileDifference
from reconciler.inspection.facts import Changed, Checkpoint, OpenFile, Process


class Amount(Part):
    """Bytes of one kind."""

    kind: str
    bytes: int


class Variable(Part):
    """An environment variable. `value` is null unless `--values` was given."""

    name: str
    value: str | None


class FileOpen(Part):
    """A file that a process has open."""

    fd: int
    kind: str
    text: str


class ProcessRow(Part):
    """A process."""

    pid: int
    parent: int
    threads: int
    name: str
    command: tuple[str, ...]
    environment: tuple[Variable, ...]
    executable: str
    mapped: tuple[Amount, ...] = Field(description="Address space by kind")
    dumped_bytes: int = Field(description="What of it is in the images")
    files: tuple[FileOpen, ...]


class SocketRow(Part):
    """A socket."""

    pid: int
    protocol: str
    state: str
    local: str
    peer: str


class Origin(Part):
    """Where a checkpoint comes from; empty where it does not say."""

    engine: str
    oci_runtime: str
    container: str
    container_id: str
    image: str
    image_id: str
    created: str
    architecture: str
    freeze_s: float | None


class ChangedFile(Part):
    """A file that differs from the container's image."""

    path: str
    kind: str
    bytes: int
    modified: str = Field(description="By UTC, to the second; empty where nothing says")


class VolumeContent(Part):
    """A volume. `name` is the one that an archive gives it; of a checkpoint that is kept, where it is mounted."""

    name: str
    files: tuple[ChangedFile, ...]


class ShowDocument(Document):
    """`reconcile checkpoints show --json`"""

    command: Literal["checkpoints show"] = "checkpoints show"
    path: str = Field(description="As it was asked for")
    origin: Origin
    sizes: tuple[Amount, ...]
    processes: tuple[ProcessRow, ...]
    sockets: tuple[SocketRow, ...]
    environment: tuple[Variable, ...] = Field(description="What the container was made with")
    changed: tuple[ChangedFile, ...]
    deleted: tuple[str, ...]
    volumes: tuple[VolumeContent, ...]
    rehearsed: RehearsedCheckpoint | None = Field(description="null where it never was, or is not kept in a store")


class OpenFiles(Part):
    """The files of one process."""

    pid: int
    files: tuple[FileOpen, ...]


class FilesDocument(Document):
    """`reconcile checkpoints files --json`"""

    command: Literal["checkpoints files"] = "checkpoints files"
    path: str
    changed: tuple[ChangedFile, ...]
    deleted: tuple[str, ...]
    volumes: tuple[VolumeContent, ...]
    open: tuple[OpenFiles, ...]


class DifferenceRow(Part):
    """One difference between two checkpoints."""

    about: str
    change: Literal["added", "removed", "changed"]
    what: str
    first: str
    second: str


class DiffDocument(Document):
    """`reconcile checkpoints diff --json`"""

    command: Literal["checkpoints diff"] = "checkpoints diff"
    differences: tuple[DifferenceRow, ...]


def show_document(found: Checkpoint, *, values: bool) -> ShowDocument:
    come = found.provenance
    return ShowDocument(
        exit_code=0,
        path=found.path,
        origin=Origin(
            engine=come.engine,
            oci_runtime=come.oci_runtime,
            container=come.container,
            container_id=come.container_id,
            image=come.image,
            image_id=come.image_id,
            created=come.created,
            architecture=come.architecture,
            freeze_s=rounded(come.freeze_ms / 1000) if come.freeze_ms else None,
        ),
        sizes=_amounts(found.sizes),
        processes=tuple(_process(process, values) for process in found.processes),
        sockets=tuple(
            SocketRow(pid=s.pid, protocol=s.protocol, state=s.state, local=s.local, peer=s.peer)
            for s in found.sockets
        ),
        environment=_variables(found.environment, values),
        changed=_changed(found.changed),
        deleted=found.deleted,
        volumes=_volumes(found),
        rehearsed=rehearsed_part(found.rehearsed),
    )


def files_document(found: Checkpoint) -> FilesDocument:
    return FilesDocument(
        exit_code=0,
        path=found.path,
        changed=_changed(found.changed),
        deleted=found.deleted,
        volumes=_volumes(found),
        open=tuple(OpenFiles(pid=p.pid, files=_files(p.files)) for p in found.processes),
    )


def diff_document(found: tuple[FileDifference, ...]) -> DiffDocument:
    rows = []
    for one in found:
        change: Literal["added", "removed", "changed"] = "changed"
        if one.sign == ADDED:
            change = "added"
        elif one.sign == REMOVED:
            change = "removed"
        rows.append(
            DifferenceRow(about=one.about, change=change, what=one.what, first=one.first, second=one.second)
        )
    return DiffDocument(exit_code=0, differences=tuple(rows))


def _process(process: Process, values: bool) -> ProcessRow:
    return ProcessRow(
        pid=process.pid,
        parent=process.parent,
        threads=process.threads,
        name=process.name,
        command=process.command,
        environment=_variables(process.environment, values),
        executable=process.executable,
        mapped=_amounts(process.mapped),
        dumped_bytes=process.dumped_bytes,
        files=_files(process.files),
    )


def _amounts(sizes: Mapping[str, int]) -> tuple[Amount, ...]:
    return tuple(Amount(kind=kind, bytes=size) for kind, size in sizes.items())


def _variables(environment: Mapping[str, str], values: bool) -> tuple[Variable, ...]:
    return tuple(Variable(name=n, value=v if values else None) for n, v in sorted(environment.items()))


def _files(files: tuple[OpenFile, ...]) -> tuple[FileOpen, ...]:
    return tuple(FileOpen(fd=f.fd, kind=f.kind, text=f.text) for f in files)


def _changed(files: Sequence[Changed]) -> tuple[ChangedFile, ...]:
    return tuple(ChangedFile(path=c.path, kind=c.kind, bytes=c.bytes, modified=c.modified) for c in files)


def _volumes(found: Checkpoint) -> tuple[VolumeContent, ...]:
    return tuple(VolumeContent(name=one.name, files=_changed(one.files)) for one in found.volumes)
