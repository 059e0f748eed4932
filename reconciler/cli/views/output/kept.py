"""`checkpoint --json`, and what is in stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from reconciler.cli.views.output.base import (
    Document,
    Finding,
    Part,
    UnknownHost,
    known,
    moment,
    of_error,
    rounded,
    untidied,
)
from reconciler.cli.views.output.rehearsed import RehearsedCheckpoint, rehearsed_part
from reconciler.commands.checkpoint import Saved
from reconciler.commands.discarding import Discarded
from reconciler.commands.due import Saving
from reconciler.commands.exporting import Exported
from reconciler.commands.kept import FoundKept, Verification
from reconciler.commands.restore import Restored
from reconciler.commands.shelves import Pruning
from reconciler.errors import ReconcilerError
from reconciler.model.checkpoint import Kept
from reconciler.model.event import Untidied


class KeptCheckpoint(Part):
    """A checkpoint in a store. What its manifest says is null where that cannot be used; `broken` says why."""

    id: str
    workload: str
    host: str = Field(description="The host that keeps it")
    folder: str = Field(description="Its folder there; of one in a repository where it is while it is used")
    repository: str | None = Field(description="What it is in, where that is no folder")
    store: str | None = Field(description="The name of the store, where a spec defines it")
    pinned: bool
    broken: str = Field(description="Why it cannot be used; empty when it can")
    taken_at: str | None
    taken_on: str | None = Field(description="The host that the workload ran on; null where others took it")
    epoch: int | None
    commit: str | None = Field(description="That of the specs it was taken by")
    image_id: str | None
    frozen_s: float | None
    memory_bytes: int | None
    stored_bytes: int | None
    rehearsed: RehearsedCheckpoint | None = Field(description="null where it never was")


class CheckpointDocument(Document):
    """`reconcile checkpoint --json`"""

    command: Literal["checkpoint"] = "checkpoint"
    checkpoint: KeptCheckpoint
    changed: tuple[str, ...] = Field(description="Fields in which what runs differs from its spec")
    untidied: tuple[Finding, ...]


class SavedByPolicy(Part):
    """A workload whose specs name a CheckpointPolicy."""

    workload: str
    taken: KeptCheckpoint | None = Field(description="What was taken now; null where none was due, or it failed")
    newest_age_s: float | None = Field(description="Of the newest checkpoint that was found; null without one")
    late: bool = Field(description="That is older than the policy promises")
    removed: tuple[KeptCheckpoint, ...] = Field(description="What the policy keeps no longer")
    failure: Finding | None
    rehearsed: KeptCheckpoint | None = Field(
        description="What was restored for trial now; null where none was due"
    )


class CheckpointDueDocument(Document):
    """`reconcile checkpoint --due --json`"""

    command: Literal["checkpoint"] = "checkpoint"
    workloads: tuple[SavedByPolicy, ...]


def due_document(done: Sequence[Saving], status: int) -> CheckpointDueDocument:
    return CheckpointDueDocument(exit_code=status, workloads=tuple(map(_saving, done)))


def _saving(one: Saving) -> SavedByPolicy:
    return SavedByPolicy(
        workload=one.workload,
        taken=kept_part(one.taken) if one.taken else None,
        newest_age_s=rounded(one.age_s),
        late=one.late,
        removed=tuple(map(kept_part, one.removed)),
        failure=of_error(one.error) if one.error else None,
        rehearsed=kept_part(one.rehearsed) if one.rehearsed else None,
    )


def checkpoint_document(taken: Saved) -> CheckpointDocument:
    return CheckpointDocument(
        exit_code=0,
        checkpoint=kept_part(taken.kept),
        changed=taken.changed,
        untidied=tuple(map(untidied, taken.untidied)),
    )


def kept_part(kept: Kept) -> KeptCheckpoint:
    says = kept.manifest
    return KeptCheckpoint(
        id=kept.id,
        workload=kept.workload,
        host=kept.at.host,
        folder=kept.folder,
        repository=kept.at.repository.repository if kept.at.repository else None,
        store=kept.at.name or None,
        pinned=kept.pinned,
        broken=kept.broken,
        taken_at=moment(says.taken_at) if says else None,
        taken_on=(says.came_from.host or None) if says else None,
        epoch=says.epoch if says else None,
        commit=says.commit if says else None,
        image_id=(says.came_from.image_id or None) if says else None,
        frozen_s=known(says.frozen_s) if says else None,
        memory_bytes=says.memory_bytes if says else None,
        stored_bytes=says.bytes if says else None,
        rehearsed=rehearsed_part(kept.rehearsed),
    )


class CheckpointsListDocument(Document):
    """`reconcile checkpoints list --json`"""

    command: Literal["checkpoints list"] = "checkpoints list"
    checkpoints: tuple[KeptCheckpoint, ...] = Field(description="Newest first")
    unknown_hosts: tuple[UnknownHost, ...] = Field(description="Hosts that could not be asked")


class VerifiedCheckpoint(Part):
    """A checkpoint whose files were read again."""

    checkpoint: KeptCheckpoint
    whole: bool
    wrong: tuple[str, ...] = Field(description="What is not as it was packed")


class CheckpointsVerifyDocument(Document):
    """`reconcile checkpoints verify --json`"""

    command: Literal["checkpoints verify"] = "checkpoints verify"
    checkpoints: tuple[VerifiedCheckpoint, ...]
    unknown_hosts: tuple[UnknownHost, ...] = Field(description="Hosts that could not be asked")
    untidied: tuple[Finding, ...] = Field(description="What a rehearsal has left")


class CheckpointsPinDocument(Document):
    """`reconcile checkpoints pin --json`"""

    command: Literal["checkpoints pin"] = "checkpoints pin"
    checkpoints: tuple[KeptCheckpoint, ...]


class CheckpointsUnpinDocument(Document):
    """`reconcile checkpoints unpin --json`"""

    command: Literal["checkpoints unpin"] = "checkpoints unpin"
    checkpoints: tuple[KeptCheckpoint, ...]


class CheckpointsRmDocument(Document):
    """`reconcile checkpoints rm --json`"""

    command: Literal["checkpoints rm"] = "checkpoints rm"
    checkpoints: tuple[KeptCheckpoint, ...] = Field(description="As they were before they went")


class CheckpointsCopyDocument(Document):
    """`reconcile checkpoints copy --json`"""

    command: Literal["checkpoints copy"] = "checkpoints copy"
    checkpoint: KeptCheckpoint = Field(description="As it is there")
    untidied: tuple[Finding, ...]


class CheckpointsExportDocument(Document):
    """`reconcile checkpoints export --json`"""

    command: Literal["checkpoints export"] = "checkpoints export"
    checkpoint: KeptCheckpoint
    path: str
    bytes: int
    untidied: tuple[Finding, ...]


class CheckpointsImportDocument(Document):
    """`reconcile checkpoints import --json`"""

    command: Literal["checkpoints import"] = "checkpoints import"
    checkpoint: KeptCheckpoint
    untidied: tuple[Finding, ...]


class PrunedPlace(Part):
    """What a policy keeps no longer of a workload in one place."""

    stays: KeptCheckpoint = Field(description="The newest that stays and is whole")
    goes: tuple[KeptCheckpoint, ...]


class CheckpointsPruneDocument(Document):
    """`reconcile checkpoints prune --json`"""

    command: Literal["checkpoints prune"] = "checkpoints prune"
    removed: bool = Field(description="false without `--yes`: they are only shown")
    places: tuple[PrunedPlace, ...]
    unknown_hosts: tuple[UnknownHost, ...] = Field(
        description="Hosts that could not be asked, and where policies keep checkpoints"
    )


class RestoreDocument(Document):
    """`reconcile restore --json`"""

    command: Literal["restore"] = "restore"
    checkpoint: KeptCheckpoint
    host: str = Field(description="The host it runs on now")
    epoch: int = Field(description="The one it runs under")
    age_s: float = Field(description="How old what it knows is")
    fenced: tuple[str, ...] = Field(description="Hosts that had something of it, which never starts again")
    gone: tuple[str, ...] = Field(description="Hosts that were said to be off, and not asked")
    evidence: str
    skipped: tuple[str, ...] = Field(description="Newer checkpoints that were damaged, and how")
    copy_name: str | None = Field(description="What it is called, where it is a copy beside its workload")
    until: str | None = Field(description="How long such a copy is kept")
    unhealthy: str = Field(description="What the health check of a copy said; empty when it passed")
    untidied: tuple[Finding, ...]


class DiscardedCopy(Part):
    """A copy that is gone."""

    name: str
    host: str
    checkpoint: str | None = Field(description="What it was of; null where nobody knows any more")
    volumes: tuple[str, ...]


class DiscardDocument(Document):
    """`reconcile discard --json`"""

    command: Literal["discard"] = "discard"
    copies: tuple[DiscardedCopy, ...]
    untidied: tuple[Finding, ...]


def list_document(found: FoundKept, status: int) -> CheckpointsListDocument:
    return CheckpointsListDocument(
        exit_code=status,
        checkpoints=tuple(map(kept_part, found.kept)),
        unknown_hosts=_unseen(found.unknown),
    )


def _unseen(unknown: Mapping[str, ReconcilerError]) -> tuple[UnknownHost, ...]:
    return tuple(UnknownHost(host=host, code=e.code, reason=str(e)) for host, e in sorted(unknown.items()))


def verify_document(read: Verification, left: Sequence[Untidied], status: int) -> CheckpointsVerifyDocument:
    rows = (VerifiedCheckpoint(checkpoint=kept_part(v.kept), whole=not v.wrong, wrong=v.wrong) for v in read.found)
    return CheckpointsVerifyDocument(
        exit_code=status,
        checkpoints=tuple(rows),
        unknown_hosts=_unseen(read.unknown),
        untidied=tuple(map(untidied, left)),
    )


def copy_document(kept: Kept, left: Sequence[Untidied]) -> CheckpointsCopyDocument:
    return CheckpointsCopyDocument(exit_code=0, checkpoint=kept_part(kept), untidied=tuple(map(untidied, left)))


def export_document(done: Exported, left: Sequence[Untidied]) -> CheckpointsExportDocument:
    return CheckpointsExportDocument(
        exit_code=0,
        checkpoint=kept_part(done.kept),
        path=str(done.path),
        bytes=done.bytes,
        untidied=tuple(map(untidied, left)),
    )


def import_document(kept: Kept, left: Sequence[Untidied]) -> CheckpointsImportDocument:
    return CheckpointsImportDocument(exit_code=0, checkpoint=kept_part(kept), untidied=tuple(map(untidied, left)))


def prune_document(done: Pruning, status: int, *, removed: bool) -> CheckpointsPruneDocument:
    places = (PrunedPlace(stays=kept_part(one.stays), goes=tuple(map(kept_part, one.goes))) for one in done.places)
    return CheckpointsPruneDocument(
        exit_code=status, removed=removed, places=tuple(places), unknown_hosts=_unseen(done.unknown)
    )


def changed_document(what: str, done: Sequence[Kept]) -> Document:
    kinds = {
        "pinned": CheckpointsPinDocument,
        "unpinned": CheckpointsUnpinDocument,
        "removed": CheckpointsRmDocument,
    }
    return kinds[what](exit_code=0, checkpoints=tuple(map(kept_part, done)))


def restore_document(restored: Restored) -> RestoreDocument:
    return RestoreDocument(
        exit_code=0,
        checkpoint=kept_part(restored.kept),
        host=restored.host,
        epoch=restored.epoch,
        age_s=known(restored.age_s),
        fenced=restored.fenced,
        gone=restored.gone,
        evidence=restored.evidence,
        skipped=restored.skipped,
        copy_name=restored.copy or None,
        until=moment(restored.until),
        unhealthy=restored.unhealthy,
        untidied=tuple(map(untidied, restored.untidied)),
    )


def discard_document(done: Discarded) -> DiscardDocument:
    copies = (
        DiscardedCopy(name=one.name, host=one.host, checkpoint=one.of or None, volumes=one.volumes)
        for one in done.copies
    )
    return DiscardDocument(exit_code=0, copies=tuple(copies), untidied=tuple(map(untidied, done.untidied)))
