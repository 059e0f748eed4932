"""What virt-controller makes of a migration of KubeVirt: pure, from objects as the API has them.

Written after `pkg/virt-controller/watch/migration/migration.go` of August 2026, for migrations inside a cluster of
VMIs without hot-plugged volumes or backend storage. `act` is its `sync`, `judge` its `updateStatus`, both of them
on the same objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tests.kube.objects import CREATED_BY, JOB_UID, Object


class Phase(StrEnum):
    UNSET = ""
    PENDING = "Pending"
    SCHEDULING = "Scheduling"
    SCHEDULED = "Scheduled"
    PREPARING = "PreparingTarget"
    READY = "TargetReady"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"

    @property
    def final(self) -> bool:
        return self in (Phase.SUCCEEDED, Phase.FAILED)

    @property
    def has_target(self) -> bool:
        """The target pod must exist from here on."""
        return self not in (Phase.UNSET, Phase.PENDING)

    @property
    def handed_off(self) -> bool:
        return self.has_target and self not in (Phase.SCHEDULING, Phase.SCHEDULED)


class Act(StrEnum):
    """What the controller does beside the phase."""

    CREATE_POD = "create the target pod"
    DELETE_POD = "delete the target pod"
    NOTE_SOURCE = "note the source pod"
    HAND_OFF = "hand off to the target node"
    MARK_FAILED = "mark the migration failed in the VMI"
    ABORT = "ask for the abort in the VMI"


class Condition(StrEnum):
    ABORT_REQUESTED = "migrationAbortRequested"
    QUOTA = "migrationRejectedByResourceQuota"
    BACKUP = "migrationBlockedByBackup"
    UTILITY_VOLUMES = "migrationBlockedByUtilityVolumes"


@dataclass(frozen=True)
class World:
    """What the controller's caches hold."""

    migration: Object
    vmi: Object | None
    pods: Sequence[Object] = ()
    """All launcher pods of the VMI."""
    migrations: Sequence[Object] = ()
    """All in the cluster."""
    vmis: Sequence[Object] = ()
    jobs: frozenset[str] = frozenset()
    """UIDs of migrations that have a target pod."""
    per_cluster: int = 5
    per_node: int = 2
    quota_exceeded: bool = False

    @property
    def phase(self) -> Phase:
        return phase_of(self.migration)

    @property
    def uid(self) -> str:
        return str(self.migration["metadata"]["uid"])

    @property
    def deleted(self) -> bool:
        return "deletionTimestamp" in self.migration["metadata"]

    @property
    def state(self) -> Object | None:
        """The VMI's migration state, whosever it is."""
        return ((self.vmi or {}).get("status") or {}).get("migrationState")

    @property
    def ours(self) -> Object | None:
        """That state, if it is of this migration."""
        return self.state if self.state and self.state.get("migrationUid") == self.uid else None

    @property
    def target(self) -> Object | None:
        pods = (pod for pod in self.pods if pod["metadata"].get("labels", {}).get(JOB_UID) == self.uid)
        return next(pods, None)


@dataclass(frozen=True)
class Verdict:
    """What becomes of the migration's own status. An empty event: nothing is said."""

    phase: Phase
    add: tuple[Condition, ...] = ()
    drop: tuple[Condition, ...] = ()
    event: str = ""
    reason: str = field(default="FailedMigration", kw_only=True)


def phase_of(migration: Object) -> Phase:
    return Phase((migration.get("status") or {}).get("phase") or "")


def has(thing: Object, kind: str, status: str = "True") -> bool:
    """Whether it has a condition of that kind and status."""
    conditions = (thing.get("status") or {}).get("conditions") or []
    return any(c["type"] == kind and c["status"] == status for c in conditions)


def is_down(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Failed", "Succeeded")


def is_final(vmi: Object) -> bool:
    return vmi["status"].get("phase") in ("Failed", "Succeeded")


def may_go_on(world: World) -> bool:
    """No other unfinished migration has the VMI."""
    holder = (world.state or {}).get("migrationUid")
    others = (other for other in world.migrations if other["metadata"]["uid"] == holder)
    return holder in (None, "", world.uid) or all(phase_of(other).final for other in others)


def waits_for_room(world: World) -> str:
    """Why no target pod is made yet; none of this is shown in the migration."""
    assert world.vmi
    if sum(not is_down(pod) for pod in world.pods) > 1:
        return "multiple pods running for the VMI"
    unfinished = (other for other in world.migrations if not phase_of(other).final)
    counting = [m for m in unfinished if phase_of(m).has_target or m["metadata"]["uid"] in world.jobs]
    if len(counting) >= world.per_cluster:
        return "limit of the cluster"
    here = {
        (vmi["metadata"]["namespace"], vmi["metadata"]["name"])
        for vmi in world.vmis
        if vmi["status"].get("nodeName") == world.vmi["status"].get("nodeName")
    }
    if sum((m["metadata"]["namespace"], m["spec"]["vmiName"]) in here for m in counting) >= world.per_node:
        return "limit of the node"
    if not any(pod["spec"].get("nodeName") == world.vmi["status"].get("nodeName") for pod in world.pods):
        return "no source pod"
    return "" if world.vmi["status"].get("phase") == "Running" else "the VMI does not run"


def blocked(world: World) -> Condition | None:
    """What holds a pending migration with a condition that says so."""
    status = (world.vmi or {}).get("status") or {}
    backup = (status.get("changedBlockTracking") or {}).get("backupStatus")
    if backup and not backup.get("completed"):
        return Condition.BACKUP
    return Condition.UTILITY_VOLUMES if (world.vmi or {})["spec"].get("utilityVolumes") else None


def act(world: World) -> Act | None:
    """What is done before the phase is judged; nothing where the VMI is gone or the migration is over there."""
    if not world.vmi or "deletionTimestamp" in world.vmi["metadata"] or (world.ours or {}).get("completed"):
        return None
    if not may_go_on(world):
        return None
    if world.phase.handed_off:
        return _act_after(world)
    if world.deleted and world.phase is not Phase.UNSET and not (world.phase is Phase.SCHEDULED and world.ours):
        return Act.DELETE_POD if world.target else None
    match world.phase:
        case Phase.PENDING:
            held = world.target or blocked(world) or waits_for_room(world) or world.quota_exceeded
            return None if held else Act.CREATE_POD
        case Phase.SCHEDULING:
            noted = ((world.migration.get("status") or {}).get("migrationState") or {}).get("sourcePod")
            return None if noted else Act.NOTE_SOURCE
        case Phase.SCHEDULED:
            return Act.HAND_OFF if world.target and has(world.target, "Ready") and not world.ours else None
    return None


def _act_after(world: World) -> Act | None:
    """After the hand-off, of which the VMI's migration state tells."""
    state = world.ours
    if not state:
        return None
    if world.phase in (Phase.PREPARING, Phase.READY):
        lost = not world.target or is_down(world.target)
        return Act.MARK_FAILED if lost and not (state.get("startTimestamp") or state.get("failed")) else None
    if world.phase is Phase.FAILED:
        return None if state.get("failed") else Act.MARK_FAILED
    return (
        Act.ABORT if world.phase is Phase.RUNNING and world.deleted and not state.get("abortRequested") else None
    )


def judge(world: World) -> Verdict:
    """The phase that follows, and what is said with it. Not for a VMI that is gone: its migrations are deleted."""
    phase, vmi, target = world.phase, world.vmi, world.target
    assert vmi
    asked = has(world.migration, Condition.ABORT_REQUESTED)
    request = () if asked else (Condition.ABORT_REQUESTED,)
    if phase.final:
        return Verdict(phase)
    if is_final(vmi):
        return Verdict(Phase.FAILED, event="Migration failed vmi shutdown during migration.")
    if world.deleted and not (phase.handed_off or (phase is Phase.SCHEDULED and world.ours)):
        return Verdict(Phase.FAILED, add=request, event="Migration failed due to being canceled")
    if target and is_down(target):
        return Verdict(Phase.FAILED, event="Migration failed because target pod shutdown during migration")
    if phase.has_target and not target:
        return Verdict(Phase.FAILED, event="Migration target pod was removed during active migration.")
    if phase.handed_off and not world.state:
        return Verdict(Phase.FAILED, event="VMI's migration state was cleared during the active migration.")
    if phase.handed_off and not world.ours:
        taken = "VMI's migration state was taken over by another migration job during active migration."
        return Verdict(Phase.FAILED, event=taken)
    if (world.ours or {}).get("failed"):
        return Verdict(Phase.FAILED, event="source node reported migration failed")
    if world.deleted and not asked:
        return Verdict(phase, add=request)
    return _next(world, phase, vmi, target)


def _next(world: World, phase: Phase, vmi: Object, target: Object | None) -> Verdict:
    state = world.ours or {}
    match phase:
        case Phase.UNSET if may_go_on(world):
            return Verdict(Phase.PENDING)
        case Phase.UNSET:
            why = "VMI is not eligible for migration because another migration job is in progress."
            return Verdict(Phase.FAILED, event=why)
        case Phase.PENDING:
            return _pending(world, target)
        case Phase.SCHEDULING if target and has(target, "Ready"):
            return Verdict(Phase.SCHEDULED, drop=(Condition.QUOTA,))
        case Phase.SCHEDULED if state.get("targetNode"):
            return Verdict(Phase.PREPARING)
        case Phase.PREPARING if state.get("targetNode") and state.get("targetNodeAddress"):
            return Verdict(Phase.READY)
        case Phase.READY if state.get("startTimestamp"):
            return Verdict(Phase.RUNNING)
        case Phase.RUNNING if state.get("completed"):
            status = vmi["status"]
            vcpu = any(c["type"] == "HotVCPUChange" for c in status.get("conditions") or [])
            if not (vcpu or has(vmi, "HotMemoryChange") or has(vmi, "MigrationRequired")):
                done = "Source node reported migration succeeded"
                return Verdict(Phase.SUCCEEDED, event=done, reason="SuccessfulMigration")
    return Verdict(phase)


def _pending(world: World, target: Object | None) -> Verdict:
    block = blocked(world)
    waits = (Condition.BACKUP, Condition.UTILITY_VOLUMES)
    over = tuple(c for c in waits if c is not block and has(world.migration, c))
    if block:
        new = () if has(world.migration, block) else (block,)
        return Verdict(Phase.PENDING, add=new, drop=over)
    if target:
        return Verdict(Phase.SCHEDULING, drop=over)
    refused = world.quota_exceeded and not waits_for_room(world) and not has(world.migration, Condition.QUOTA)
    return Verdict(Phase.PENDING, add=(Condition.QUOTA,) if refused else (), drop=over)


def current_pod(world: World) -> Object | None:
    """The VMI's own pod: where the VMI says that it is, and not a target."""
    vmi = world.vmi or {}
    for pod in world.pods:
        labels = pod["metadata"].get("labels", {})
        if labels.get(CREATED_BY) == vmi["metadata"]["uid"] and labels.get(JOB_UID) != world.uid:
            if pod["spec"].get("nodeName") == vmi["status"].get("nodeName") and not is_down(pod):
                return pod
    return None
