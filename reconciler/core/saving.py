"""Checkpoints that plans take: by themselves, or before what a policy names. Pure."""

from __future__ import annotations

import json
from typing import Any

from reconciler.core.checkpoints import place_of
from reconciler.core.digests import spec_digest
from reconciler.core.index import Copy, Index
from reconciler.model.checkpoint import KeptAt, TakenFrom
from reconciler.model.checkpointing import CheckpointPolicySpec
from reconciler.model.labels import LABEL_SPEC
from reconciler.model.outlook import Outlook, SavedOutlook
from reconciler.model.plan import Change, ChangeKind, Plan, Step, StepKind
from reconciler.model.saving import PlannedCapture
from reconciler.model.spec import Spec, Workload
from reconciler.model.world import ContainerFacts, HostFacts

AHEAD = 3
"""How many epochs a checkpoint takes: its own, two above the last as that of a move, and the one of going on."""


def saved_before(change: Change, spec: Spec) -> CheckpointPolicySpec | None:
    """The policy that has a checkpoint taken before this change; None where none has."""
    workload = spec.workloads.get(change.workload)
    if workload is None or workload.spec.checkpoints is None:
        return None
    policy = spec.checkpoint_policies[workload.spec.checkpoints.policy].spec
    return policy if set(policy.before) & set(_occasions(change, spec)) else None


def _occasions(change: Change, spec: Spec) -> tuple[str, ...]:
    """What a change is, as `before` names it. A host is drained while nothing new may be placed on it."""
    if change.kind is ChangeKind.RECREATE and change.interrupts:
        return ("update",)
    if change.kind is not ChangeKind.MOVE:
        return ()
    source = spec.hosts.get(change.source or "")
    return ("move", "drain") if source is not None and not source.spec.schedulable else ("move",)


def planned(
    workload: Workload, copy: Copy, facts: HostFacts, at: KeptAt, limit: str, spec: Spec, index: Index
) -> PlannedCapture:
    """Of what runs there. `limit`: the longest freeze, as specs write it."""
    instance = copy.instance
    container = instance if isinstance(instance, ContainerFacts) else None
    return PlannedCapture(
        host=copy.host,
        keeper=at.host,
        folder=at.folder,
        store=at.name,
        epoch=index.epoch(workload.metadata.name) + 2,
        freeze_limit=limit,
        tcp=spec.policy_of(workload).tcp.value,
        came_from=TakenFrom(
            host=copy.host,
            runtime=instance.runtime,
            oci_runtime=container.oci_runtime if container else "",
            image=container.image_name if container else "",
            image_id=instance.image_id,
            versions=facts.versions,
            arch=facts.arch,
            cpu_flags=facts.cpu_flags,
            cgroup_version=facts.cgroup_version,
            container_id=instance.id,
        ),
        memory_bytes=instance.memory_bytes,
        rootfs_bytes=instance.rootfs_bytes,
        made_from=_made_from(workload, copy),
    )


def _made_from(workload: Workload, copy: Copy) -> dict[str, Any]:
    """The spec of now, with the section that what runs was really made from: a restore compares that one, for the
    memory is of it."""
    told: dict[str, Any] = workload.model_dump(
        mode="json", by_alias=True, exclude_defaults=True, exclude_none=True
    )
    try:
        section = json.loads(copy.instance.labels.get(LABEL_SPEC, ""))
    except (ValueError, RecursionError):
        return told
    if isinstance(section, dict):
        told["spec"][workload.spec.section] = section
    return told


def capture_step(capture: PlannedCapture, workload: Workload, needs: tuple[str, ...] = ()) -> Step:
    name, host = workload.metadata.name, capture.host
    return Step(
        id=f"{name}/{StepKind.CAPTURE.value}/{host}",
        kind=StepKind.CAPTURE,
        workload=name,
        host=host,
        peer=capture.keeper if capture.keeper != host else None,
        runtime=capture.came_from.runtime,
        needs=needs,
        expected_bytes=capture.memory_bytes + capture.rootfs_bytes,
    )


def saved_outlook(capture: PlannedCapture) -> SavedOutlook:
    return SavedOutlook(
        kept_on=str(capture.at), freeze_limit=capture.freeze_limit, memory_bytes=capture.memory_bytes
    )


def capture_plan(workload: Workload, capture: PlannedCapture, reason: str, spec: Spec) -> Plan:
    """One checkpoint, and nothing else."""
    name = workload.metadata.name
    return Plan(
        changes=(
            Change(
                kind=ChangeKind.CHECKPOINT,
                workload=name,
                source=capture.host,
                reason=reason,
                origin=spec.origin("Workload", name, ""),
                outlook=Outlook(saved=saved_outlook(capture)),
            ),
        ),
        steps=(capture_step(capture, workload),),
        captures={name: capture},
        hosts=spec.hosts,
        workloads={name: workload},
        policies={name: spec.policy_of(workload)} if workload.spec.migration else {},
        epochs={name: capture.epoch},
        commit=spec.commit,
        dirty=spec.dirty,
        spec_digest=spec_digest(spec),
    )


def place_by(policy: CheckpointPolicySpec, spec: Spec, host: str) -> KeptAt:
    """Where a policy keeps what runs on a host."""
    return place_of(policy.store or "", spec, host)


def saves_only(plan: Plan) -> bool:
    """Whether all that a plan does is to take checkpoints: given up half-way, nothing is missing."""
    return all(step.kind is StepKind.CAPTURE for step in plan.steps)
