"""How a migration of KubeVirt goes, as data: what happens in which phase, who writes what, what becomes of it.

`EVENTS` are what others than virt-controller write, in order. `TABLE` says which of them may come in which phase,
and what virt-controller makes of it. Its logic is `decide`; `test_table` holds the two together through a real API
server. `{...}` in what is written is filled in by the player: nodes `source` and `target`, `other` (the UID of a
migration), `now`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tests.kube.decide import Condition, Phase
from tests.kube.objects import NODE_LABEL, RUNNING, TARGET_NODE_LABEL

UNSCHEDULABLE = (
    "0/3 nodes are available: 1 Insufficient memory, 2 node(s) didn't match Pod's node affinity/selector."
)
LIBVIRT_SAYS = "operation failed: migration of disk vda failed"
ABORTED = "Live migration has been aborted"
NEVER_OBSERVED = (
    "the domain was never observed on the target after the migration completed within the timeout period"
)


class On(StrEnum):
    """What is written."""

    MIGRATION = "migration"
    VMI = "vmi"
    TARGET = "target pod"
    TARGET_STATUS = "target pod's status"
    SOURCE_STATUS = "source pod's status"
    QUOTA = "quota"


@dataclass(frozen=True)
class Write:
    """A merge patch; with `delete` the object goes; with `whole` what is at that path is replaced."""

    on: On
    body: Mapping[str, Any] | None = None
    delete: bool = False
    whole: str = ""


def state(**fields: Any) -> Write:
    """A change of the VMI's migration state."""
    return Write(On.VMI, {"status": {"migrationState": fields}})


def vmi_status(**fields: Any) -> Write:
    return Write(On.VMI, {"status": fields})


@dataclass(frozen=True)
class Event:
    by: str
    writes: tuple[Write, ...]


CONTROLLER, KUBELET, SCHEDULER = "virt-controller", "kubelet", "scheduler"
SOURCE, TARGET, PERSON = "virt-handler of the source", "virt-handler of the target", "a person"

_READY = (Write(On.TARGET, {"spec": {"nodeName": "{target}"}}), Write(On.TARGET_STATUS, {"status": RUNNING}))
_UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": UNSCHEDULABLE}
_ARRIVED = (
    state(targetNodeDomainDetected=True, targetNodeDomainReadyTimestamp="{now}"),
    state(endTimestamp="{now}"),
    Write(On.VMI, {"metadata": {"labels": {NODE_LABEL: "{target}"}}, "status": {"nodeName": "{target}"}}),
    vmi_status(evacuationNodeName=None),
)
_TIDY = Write(On.VMI, {"metadata": {"labels": {TARGET_NODE_LABEL: None}}})
_ENDED = Write(On.SOURCE_STATUS, {"status": {"phase": "Succeeded"}})
_FAILED: dict[str, Any] = {"endTimestamp": "{now}", "failed": True, "completed": True}

EVENTS: Mapping[str, Event] = {
    "its turn": Event(CONTROLLER, ()),
    "another has the vmi": Event(CONTROLLER, (state(migrationUid="{other}"),)),
    "quota exceeded": Event(KUBELET, (Write(On.QUOTA),)),
    "backup": Event(
        PERSON, (vmi_status(changedBlockTracking={"state": "Enabled", "backupStatus": {"backupName": "nightly"}}),)
    ),
    "backup over": Event(SOURCE, (vmi_status(changedBlockTracking={"backupStatus": {"completed": True}}),)),
    "utility volumes": Event(
        PERSON, (Write(On.VMI, {"spec": {"utilityVolumes": [{"name": "u", "claimName": "u"}]}}),)
    ),
    "utility volumes gone": Event(PERSON, (Write(On.VMI, {"spec": {"utilityVolumes": None}}),)),
    "unschedulable": Event(
        SCHEDULER, (Write(On.TARGET_STATUS, {"status": {"phase": "Pending", "conditions": [_UNSCHEDULABLE]}}),)
    ),
    "pod ready": Event(KUBELET, _READY),
    "pod ready on the source": Event(
        SCHEDULER,
        (Write(On.TARGET, {"spec": {"nodeName": "{source}"}}), Write(On.TARGET_STATUS, {"status": RUNNING})),
    ),
    "pod times out": Event(CONTROLLER, (Write(On.TARGET, delete=True),)),
    "pod down": Event(KUBELET, (Write(On.TARGET_STATUS, {"status": {"phase": "Failed"}}),)),
    "pod gone": Event(PERSON, (Write(On.TARGET, delete=True),)),
    "target ready": Event(
        TARGET, (state(targetNodeAddress="10.244.0.2", targetDirectMigrationNodePorts={"33001": 49152}),)
    ),
    "started": Event(SOURCE, (state(startTimestamp="{now}", mode="PreCopy"),)),
    "post-copy": Event(SOURCE, (state(mode="PostCopy"),)),
    "paused": Event(SOURCE, (state(mode="Paused"),)),
    "arrived": Event(TARGET, _ARRIVED),
    "completed": Event(SOURCE, (state(completed=True), _TIDY, _ENDED)),
    "completed, source lives on": Event(SOURCE, (state(completed=True), _TIDY)),
    "memory change pending": Event(
        CONTROLLER, (vmi_status(conditions=[{"type": "HotMemoryChange", "status": "True"}]), state(completed=True))
    ),
    "failed": Event(SOURCE, (state(**_FAILED, failureReason=LIBVIRT_SAYS), _TIDY)),
    "deleted": Event(PERSON, (Write(On.MIGRATION, delete=True),)),
    "aborted": Event(
        SOURCE,
        (state(abortStatus="Aborting"), state(**_FAILED, abortStatus="Succeeded", failureReason=ABORTED), _TIDY),
    ),
    "abort refused": Event(SOURCE, (state(abortStatus="Aborting"), state(abortStatus="Failed"))),
    "state cleared": Event(PERSON, (Write(On.VMI, None, whole="/status/migrationState"),)),
    "taken over": Event(CONTROLLER, (state(migrationUid="{other}"),)),
    "vmi ends": Event(SOURCE, (vmi_status(phase="Succeeded"),)),
    "never observed": Event(SOURCE, (vmi_status(phase="Failed", reason=NEVER_OBSERVED),)),
    "vmi gone": Event(PERSON, (Write(On.VMI, delete=True),)),
}


@dataclass(frozen=True)
class Row:
    phase: Phase
    event: str
    becomes: Phase
    condition: Condition | None = None
    """What the migration says of itself then."""
    first: str = ""
    """What came before, in the same phase."""
    gone: bool = False
    """The controller deletes the migration instead; its finalizer keeps it until somebody removes that."""


_BEFORE = (Phase.PENDING, Phase.SCHEDULING, Phase.SCHEDULED)
"""The hand-off to the nodes."""
_AFTER = (Phase.PREPARING, Phase.READY, Phase.RUNNING)
_UNFINISHED = (Phase.UNSET, *_BEFORE, *_AFTER)
_ABORT = Condition.ABORT_REQUESTED

TABLE: tuple[Row, ...] = (
    Row(Phase.UNSET, "its turn", Phase.PENDING),
    Row(Phase.UNSET, "another has the vmi", Phase.FAILED),
    Row(Phase.PENDING, "its turn", Phase.SCHEDULING),
    Row(Phase.PENDING, "quota exceeded", Phase.PENDING, Condition.QUOTA),
    Row(Phase.PENDING, "backup", Phase.PENDING, Condition.BACKUP),
    Row(Phase.PENDING, "backup over", Phase.PENDING, first="backup"),
    Row(Phase.PENDING, "utility volumes", Phase.PENDING, Condition.UTILITY_VOLUMES),
    Row(Phase.PENDING, "utility volumes gone", Phase.PENDING, first="utility volumes"),
    Row(Phase.SCHEDULING, "unschedulable", Phase.SCHEDULING),
    Row(Phase.SCHEDULING, "pod times out", Phase.FAILED),
    Row(Phase.SCHEDULING, "pod ready", Phase.SCHEDULED),
    Row(Phase.SCHEDULING, "pod ready on the source", Phase.SCHEDULED),
    Row(Phase.SCHEDULED, "its turn", Phase.PREPARING),
    Row(Phase.PREPARING, "target ready", Phase.READY),
    Row(Phase.READY, "started", Phase.RUNNING),
    Row(Phase.RUNNING, "post-copy", Phase.RUNNING),
    Row(Phase.RUNNING, "paused", Phase.RUNNING),
    Row(Phase.RUNNING, "arrived", Phase.RUNNING),
    Row(Phase.RUNNING, "completed", Phase.SUCCEEDED),
    Row(Phase.RUNNING, "completed, source lives on", Phase.SUCCEEDED),
    Row(Phase.RUNNING, "memory change pending", Phase.RUNNING),
    Row(Phase.RUNNING, "aborted", Phase.FAILED),
    Row(Phase.RUNNING, "abort refused", Phase.RUNNING),
    *(Row(phase, "deleted", Phase.FAILED, _ABORT) for phase in _BEFORE),
    *(Row(phase, "deleted", phase, _ABORT) for phase in _AFTER),
    *(Row(phase, event, Phase.FAILED) for phase in (*_BEFORE[1:], *_AFTER) for event in ("pod down", "pod gone")),
    *(Row(phase, event, Phase.FAILED) for phase in _AFTER for event in ("state cleared", "taken over", "failed")),
    *(Row(phase, event, Phase.FAILED) for phase in _UNFINISHED for event in ("vmi ends", "never observed")),
    *(Row(phase, "vmi gone", phase, gone=True) for phase in _UNFINISHED),
)
