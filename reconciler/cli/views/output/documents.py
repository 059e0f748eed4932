"""All documents there are, by the name of their schema."""

from __future__ import annotations

from reconciler.cli.views.output.apply import ApplyDocument, ResumeDocument
from reconciler.cli.views.output.base import Document
from reconciler.cli.views.output.checkpoints import DiffDocument, FilesDocument, ShowDocument
from reconciler.cli.views.output.decisions import FenceDocument, ForgetDocument, ResolveDocument
from reconciler.cli.views.output.drain import DrainDocument
from reconciler.cli.views.output.failure import ErrorDocument
from reconciler.cli.views.output.hosts import DoctorDocument, HostsAddDocument, RuntimesDocument, SudoersDocument
from reconciler.cli.views.output.kept import (
    CheckpointDocument,
    CheckpointDueDocument,
    CheckpointsCopyDocument,
    CheckpointsExportDocument,
    CheckpointsImportDocument,
    CheckpointsListDocument,
    CheckpointsPinDocument,
    CheckpointsPruneDocument,
    CheckpointsRmDocument,
    CheckpointsUnpinDocument,
    CheckpointsVerifyDocument,
    DiscardDocument,
    RestoreDocument,
)
from reconciler.cli.views.output.lab import LabDownDocument, LabStatusDocument, LabUpDocument, SshConfigDocument
from reconciler.cli.views.output.plan import PlanDocument
from reconciler.cli.views.output.specs import (
    ExplainDocument,
    ImportDocument,
    InitDocument,
    SchemaDocument,
    ValidateDocument,
)
from reconciler.cli.views.output.status import AccuracyDocument, HistoryDocument, StatusDocument
from reconciler.cli.views.output.stock import GetDocument
from reconciler.cli.views.output.tend import TendDocument
from reconciler.cli.views.output.top import TopDocument
from reconciler.cli.views.output.watch import WatchDocument

DOCUMENTS: dict[str, type[Document]] = {
    "init": InitDocument,
    "import": ImportDocument,
    "validate": ValidateDocument,
    "get": GetDocument,
    "plan": PlanDocument,
    "apply": ApplyDocument,
    "drain": DrainDocument,
    "watch": WatchDocument,
    "tend": TendDocument,
    "top": TopDocument,
    "status": StatusDocument,
    "resume": ResumeDocument,
    "resolve": ResolveDocument,
    "fence": FenceDocument,
    "forget": ForgetDocument,
    "history": HistoryDocument,
    "history-accuracy": AccuracyDocument,
    "doctor": DoctorDocument,
    "doctor-sudoers": SudoersDocument,
    "runtimes": RuntimesDocument,
    "schema": SchemaDocument,
    "explain": ExplainDocument,
    "checkpoint": CheckpointDocument,
    "checkpoint-due": CheckpointDueDocument,
    "restore": RestoreDocument,
    "discard": DiscardDocument,
    "checkpoints-list": CheckpointsListDocument,
    "checkpoints-verify": CheckpointsVerifyDocument,
    "checkpoints-pin": CheckpointsPinDocument,
    "checkpoints-unpin": CheckpointsUnpinDocument,
    "checkpoints-rm": CheckpointsRmDocument,
    "checkpoints-copy": CheckpointsCopyDocument,
    "checkpoints-export": CheckpointsExportDocument,
    "checkpoints-import": CheckpointsImportDocument,
    "checkpoints-prune": CheckpointsPruneDocument,
    "checkpoints-show": ShowDocument,
    "checkpoints-files": FilesDocument,
    "checkpoints-diff": DiffDocument,
    "hosts-add": HostsAddDocument,
    "lab-up": LabUpDocument,
    "lab-status": LabStatusDocument,
    "lab-down": LabDownDocument,
    "lab-ssh-config": SshConfigDocument,
    "error": ErrorDocument,
}
