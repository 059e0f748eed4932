"""Checkpoints that plans take: by themselves, or before what a policy names. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from reconciler.core.checkpoints import place_of
from reconciler.core.digests import spec_digest
from reconciler.core.index import Copy, Index
from reconciler.model.checkpoint import KeptAt, TakenFrom
from reconciler.model.copying import before_name, copy_name
from reconciler.model.labels import LABEL_SPEC
from reconciler.model.outlook import BesideOutlook, Outlook, SavedOutlook
from reconciler.model.plan import Change, ChangeKind, Plan, Step, StepKind
from reconciler.model.saving import PlannedBeside, PlannedCapture
from reconciler.model.spec import DesiredState, Spec, Workload
from reconciler.model.updating import TTL, UpdateStrategy
from reconciler.model.world import ContainerFacts, HostFacts

AHEAD = 3
"""How many epochs a checkpoint takes: its own, two above the last as that of a move, and the one of going on."""


FREEZE_LIMIT = "1m"
"""The longest freeze for a checkpoint before something else, where no spec says another."""


@dataclass(frozen=True)
class SavedFirst:
    """A checkpoint that is taken before a change. `store`: its name, empty for the workload's own host;
    `goes_back`: the change goes back to it when it fails; `beside`: what comes up beside its successor."""

    store: str
    freeze_limit: str
    goes_back: bool = False
    beside: PlannedBeside | None = None

    def place(self, spec: Spec, host: str) -> KeptAt:
        """Where that of what runs on a host is kept."""
        return place_of(self.store, spec, host)


def saved_before(change: Change, spec: Spec) -> SavedFirst | None:
    """The checkpoint that is taken before this change: by the workload's own `update`, or by its policy."""
    workload = spec.workloads.get(change.workload)
    if workload is None:
        return None
    refs, update, occasions = workload.spec.checkpoints, workload.spec.update, _occasions(change, spec)
    policy = spec.checkpoint_policies[refs.policy].spec if refs else None
    limit = policy.freeze_limit if policy else FREEZE_LIMIT
    store = (policy.store if policy else None) or ""
    if update and update.strategy.saves and "update" in occasions:
        also = update.strategy is UpdateStrategy.SIDE_BY_SIDE and workload.spec.state is DesiredState.RUNNING
        name, host = copy_name(before_name(change.workload)), change.destination or ""
        beside = PlannedBeside(name=name, host=host, ttl=update.ttl or TTL) if also else None
        return SavedFirst(update.store or store, update.freeze_limit or limit, goes_back=True, beside=beside)
    return SavedFirst(store, limit) if policy and set(policy.before) & set(occasions) else None


def goes_back(change: Change, spec: Spec) -> bool:
    """Whether a change goes back to a checkpoint when it fails."""
    first = saved_before(change, spec)
    return first is not None and first.goes_back


def keeps_old(change: Change, spec: Spec) -> PlannedBeside | None:
    """The copy of the old version that a change leaves beside the new one."""
    first = saved_before(change, spec)
    return first.beside if first else None


def _occasions(change: Change, spec: Spec) -> tuple[str, ...]:
    """What a change is, as `before` names it. A host is drained while nothing new may be placed on it."""
    if change.kind is ChangeKind.RECREATE and change.interrupts:
        return ("update",)
    if change.kind is not ChangeKind.MOVE:
        return ()
    source = spec.hosts.get(change.source or "")
    return ("move", "drain") if source is not None and not source.spec.schedulable else ("move",)


def planned(
    workload: Workload,
    copy: Copy,
    facts: HostFacts,
    at: KeptAt,
    limit: str,
    spec: Spec,
    index: Index,
    *,
    goes_back: bool = False,
    beside: PlannedBeside | None = None,
) -> PlannedCapture:
    """Of what runs there. `limit`: the longest freeze, as specs write it; `goes_back`: what follows goes back to
    it; `beside`: the copy of it that is made once that is well."""
    instance = copy.instance
    container = instance if isinstance(instance, ContainerFacts) else None
    return PlannedCapture(
        host=copy.host,
        keeper=at.host,
        folder=at.folder,
        store=at.name,
        repository=at.repository,
        epoch=index.epoch(workload.metadata.name) + 2,
        freeze_limit=limit,
        tcp=spec.policy_of(workload).tcp.value,
        came_from=TakenFrom(
            host=copy.host,
            runtime=instance.runtime,
            oci_runtime=container.oci_runtime if container else "",
            image=container.image_name if container else "",
            image_id=instance.image_id,
            versions=facts.versions_with(instance.runtime),
            arch=facts.arch,
            cpu_flags=facts.cpu_flags,
            cgroup_version=facts.cgroup_version,
            container_id=instance.id,
        ),
        memory_bytes=instance.memory_bytes,
        rootfs_bytes=instance.rootfs_bytes,
        goes_back=goes_back,
        beside=beside,
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


def saved_outlook(capture: PlannedCapture, earlier: str = "") -> SavedOutlook:
    """`earlier`: the checkpoint of a copy that goes for the one that is made of this."""
    return SavedOutlook(
        kept_on=str(capture.at),
        freeze_limit=capture.freeze_limit,
        memory_bytes=capture.memory_bytes,
        beside=_beside_outlook(capture.beside, earlier) if capture.beside else None,
    )


def _beside_outlook(beside: PlannedBeside, earlier: str) -> BesideOutlook:
    return BesideOutlook(copy_name=beside.name, host=beside.host, ttl=beside.ttl, replaces=earlier)


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


def as_it_was(capture: PlannedCapture) -> Workload | None:
    """The workload by the spec that what is captured was made from, to be run again; None where that cannot be
    told."""
    text = json.dumps(capture.made_from)
    try:
        found = Workload.model_validate_json(text)
    except ValueError:
        return None
    there = {"runtime": capture.came_from.runtime, "state": DesiredState.RUNNING}
    return found.model_copy(update={"spec": found.spec.model_copy(update=there)})


def saves_only(plan: Plan) -> bool:
    """Whether all that a plan does is to take checkpoints: given up half-way, nothing is missing."""
    return all(step.kind is StepKind.CAPTURE for step in plan.steps)
