"""What differs between the specs and the world. Never concludes anything from a host that was not seen."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from reconciler.core.index import Copy, Index
from reconciler.core.made_from import can_stay, changed_fields
from reconciler.core.placement import NotPlaced, place
from reconciler.core.unseen import out_of_view
from reconciler.model.cluster_machine import ClusterMachine
from reconciler.model.copying import is_copy
from reconciler.model.inplace import LOSES_UPDATES
from reconciler.model.labels import LABEL_SPEC, LABEL_WORKLOAD
from reconciler.model.place import cluster_of, leased, node_of
from reconciler.model.plan import Change, ChangeKind, Finding, Phase
from reconciler.model.spec import DesiredState, Spec, Workload, WorkloadSpec
from reconciler.model.world import ContainerFacts, Instance, InstanceState, World

MakesChange = Callable[..., Change]
SEE_STATUS = "see the one command that ends it: reconcile status"

NOT_HERE = (Phase.FENCED.value, Phase.RETIRED.value)
"""Marker phases of a host that was told that the workload is not its own."""


@dataclass(frozen=True)
class Difference:
    changes: tuple[Change, ...]
    findings: tuple[Finding, ...]


def diff(spec: Spec, world: World, unfinished: Collection[str] = (), index: Index | None = None) -> Difference:
    """All changes and the reasons why some must not be made. `unfinished`: workloads whose last run is open."""
    index = index or Index.of(world)
    changes: list[Change] = []
    findings: list[Finding] = []
    for name in sorted(spec.workloads.keys() | {name for name in index.copies if not is_copy(name)}):
        if name in unfinished:
            text = "an earlier run that changes it has not ended"
            findings.append(_refuse("run-unfinished", name, "", text, SEE_STATUS))
            continue
        for found in _workload(name, spec, world, index):
            if isinstance(found, Change):
                changes.append(found)
            else:
                findings.append(found)
    return Difference(tuple(changes), tuple(findings))


def _refuse(rule: str, workload: str, host: str, message: str, fix: str) -> Finding:
    return Finding(rule=rule, severity="refuse", workload=workload, host=host, message=message, fix=fix)


def _workload(name: str, spec: Spec, world: World, index: Index) -> Iterator[Change | Finding]:
    workload = spec.workloads.get(name)
    copies = index.copies.get(name, ())
    if problem := _unsettled(name, copies, index):
        yield problem
        return
    if workload is None or workload.spec.state is DesiredState.ABSENT:
        for copy in copies:
            origin = spec.origin("Workload", name, "spec.state")
            reason = "state is absent" if workload else "no spec defines it any more"
            yield Change(kind=ChangeKind.REMOVE, workload=name, source=copy.host, reason=reason, origin=origin)
        return
    current = current_copy(name, index)
    placed = place(workload, spec.hosts, index.seen, current.host if current else None)
    if isinstance(placed, NotPlaced):
        yield _refuse(
            "placement", name, "", f"no host fits: {placed}", "change placement.labels or the hosts' labels"
        )
        return
    if (unseen := _unseen(placed.host, index)) is not None:
        yield _refuse(
            "host-unknown",
            name,
            placed.host,
            f"{unseen} was not seen: {index.unknown[unseen]}",
            f"see what it lacks: reconcile doctor {unseen.rstrip('/')}; or place the workload elsewhere",
        )
        return
    if current is None and (found_out := out_of_view(name, placed.host, spec, index)) is not None:
        yield found_out
        return
    found = tuple(_place_and_state(workload, current, placed.host, spec, index))
    yield from found or _stands_still(workload, current)
    if current is not None:
        yield from _beside(workload, current, index)


def _unseen(place: str, index: Index) -> str | None:
    """What was not seen: the host itself, or the cluster that it is in."""
    return next((name for name in (place, leased(place)) if name in index.unknown), None)


def _beside(workload: Workload, current: Copy, index: Index) -> Iterator[Finding]:
    """The same program runs once more, over what only one may use: somebody has made it by hand."""
    name, ours = workload.metadata.name, current.instance
    volumes = ((f"its volume {volume}", index.volumes.get((current.host, volume), ())) for volume in ours.volumes)
    addresses = (
        (f"its address {value}", index.addresses.get((network.name, value), ()))
        for network in workload.spec.networks
        for value in filter(None, (network.ip, network.mac))
    )
    told: dict[tuple[str, str], tuple[str, str]] = {}
    for what, users in (*volumes, *addresses):
        for copy in users:
            other = copy.instance
            same = ours.image_id != "" and other.image_id == ours.image_id and other.state.has_processes
            if same and other.labels.get(LABEL_WORKLOAD) != name:
                told.setdefault((copy.host, other.name), (what, other.runtime))
    for (host, beside), (what, engine) in told.items():
        text = f"{beside} on {host} runs the same image with {what}, and is not Reconciler's"
        fix = f"end it if it is a second copy: {engine} rm -f {beside}"
        yield Finding(rule="runs-beside", severity="warn", workload=name, host=host, message=text, fix=fix)


def _stands_still(workload: Workload, current: Copy | None) -> Iterator[Finding]:
    """Nothing differs but that somebody has paused it; whoever did may not want it to run."""
    if current and current.instance.state is InstanceState.PAUSED:
        text = f"it is paused on {current.host}, state is running"
        fix = f"let it run there: {current.instance.runtime} unpause {current.instance.name}"
        yield _refuse("paused", workload.metadata.name, current.host, text, fix)


def _unsettled(name: str, copies: tuple[Copy, ...], index: Index) -> Finding | None:
    for host, marker in index.markers.get(name, ()):
        if marker.broken:
            return _refuse(
                "marker-broken",
                name,
                host,
                f"its marker on {host} cannot be trusted: {marker.broken}",
                SEE_STATUS,
            )
    for host, marker in index.unsettled(name).items():
        return _refuse(
            "hand-over-unfinished",
            name,
            host,
            f"a hand-over is unfinished ({marker.phase} on {host})",
            SEE_STATUS,
        )
    if problem := contradiction(name, index):
        rule, host, text = problem
        return _refuse(rule, name, host, text, SEE_STATUS)
    for host, epoch in old_copies(name, index).items():
        text = f"{host} has an old copy of it, of epoch {epoch}, and does not know that another host has it by now"
        return _refuse("old-copy", name, host, text, SEE_STATUS)
    return None


def contradiction(name: str, index: Index) -> tuple[str, str, str] | None:
    """What a workload's copies say against its markers: rule, host and text; None when they agree."""
    alive = [copy for copy in index.copies.get(name, ()) if copy.instance.state.has_processes]
    told = {host: marker for host, marker in index.markers.get(name, ()) if marker.phase in NOT_HERE}
    places = [copy.host for copy in alive]
    if len(alive) > 1:
        return "runs-twice", ", ".join(places), f"copies run on {' and '.join(places)}"
    for copy in alive:
        if copy.instance.state is InstanceState.HELD and not index.unsettled(name):
            return "held-for-nobody", copy.host, f"it is frozen on {copy.host}, and no hand-over is under way"
        if copy.host in told:
            text = f"it runs on {copy.host}, which was told that another host owns it ({told[copy.host].phase})"
            return "runs-where-fenced", copy.host, text
    return None


def old_copies(name: str, index: Index) -> dict[str, int]:
    """Hosts that have a stopped copy and still take the workload for their own, while a newer epoch gave it to
    another that has it; with their epochs. They were not asked when it came back there."""
    has = {copy.host for copy in index.copies.get(name, ())}
    owned = {host: m.epoch for host, m in index.markers.get(name, ()) if m.phase == Phase.RUNNING and host in has}
    alive = {copy.host for copy in index.copies.get(name, ()) if copy.instance.state.has_processes}
    newest = max(owned.values(), default=0)
    return {host: epoch for host, epoch in owned.items() if epoch < newest and host not in alive}


def current_copy(workload: str, index: Index) -> Copy | None:
    """The copy that counts: the running one, else the one on the host that owns the workload, else the first by
    host name. One that does not run where its host was fenced is void: it was given up, or belongs to a hand-over
    that was undone."""
    copies = index.copies.get(workload, ())
    for copy in copies:
        if copy.instance.state.has_processes:
            return copy
    there = [copy for copy in copies if not index.is_fenced(copy)]
    return max(there, key=index.owned_under, default=None)


def _place_and_state(
    workload: Workload, current: Copy | None, host: str, spec: Spec, index: Index
) -> Iterator[Change | Finding]:
    name = workload.metadata.name
    wants_running = workload.spec.state is DesiredState.RUNNING
    where = spec.origin("Workload", name, "spec.placement.host" if workload.spec.placement.host else "")

    def change(kind: ChangeKind, reason: str, field: str = "", **more: Any) -> Change:
        origin = spec.origin("Workload", name, field) if field else where
        return Change(kind=kind, workload=name, reason=reason, origin=origin, **more)

    if current is None:
        yield change(ChangeKind.CREATE, "no host runs it", "", destination=leased(host))
        return
    if current.instance.runtime != workload.spec.runtime:
        yield _to_another_runtime(workload, current, host, change)
        return
    changed = payload_changes(workload.spec, current.instance)
    runs = current.instance.state.has_processes
    host = _here_or(host, current, wants_running)
    if changed and _changes_here(workload, current, host) and _can_stay(workload, current, index):
        reason = f"{', '.join(changed)} changed, which is done while it runs"
        yield change(ChangeKind.UPDATE, reason, f"spec.{workload.spec.section}.{changed[0]}", source=current.host)
    elif changed:
        yield change(
            ChangeKind.RECREATE,
            f"{', '.join(changed)} changed",
            f"spec.{workload.spec.section}.{changed[0]}",
            source=current.host,
            destination=host,
            interrupts=runs,
        )
    elif current.host != host and runs and wants_running:
        named = "placement.node is" if cluster_of(host) else "placement.host is"
        by = named if workload.spec.placement.place else "placement.labels choose"
        yield change(
            ChangeKind.MOVE, f"{by} {host}, it runs on {current.host}", source=current.host, destination=host
        )
    elif current.host != host:
        yield _refuse(
            "stopped-elsewhere",
            name,
            current.host,
            f"it belongs on {host} but is {current.instance.state} on {current.host}",
            f"set placement.host: {current.host} and state: running, apply, then move it",
        )
    elif wants_running and not runs:
        yield change(
            ChangeKind.START,
            f"it is {current.instance.state}, state is running",
            "spec.state",
            source=current.host,
        )
    elif not wants_running and runs:
        reason = "it runs, state is stopped"
        yield change(ChangeKind.STOP, reason, "spec.state", source=current.host, interrupts=True)


def _to_another_runtime(workload: Workload, current: Copy, host: str, change: MakesChange) -> Change | Finding:
    """A container is made anew by another engine, with its volumes, on another host only: each has its own."""
    here, wanted = current.instance.runtime, workload.spec.runtime
    reason = f"it is made with {here}, its spec says {wanted}"
    fix = f"set runtime: {here} and state: absent, apply, then give it the other runtime"
    if isinstance(current.instance, ContainerFacts) and workload.spec.container is not None:
        if current.host != host:
            more = {"destination": host, "interrupts": current.instance.state.has_processes}
            return change(ChangeKind.RECREATE, reason, "spec.runtime", source=current.host, **more)
        fix = f"place it on another host, too: {wanted} makes it anew there, with its volumes; or {fix}"
    return _refuse("runtime-changed", workload.metadata.name, current.host, reason, fix)


def _here_or(host: str, current: Copy, wants_running: bool) -> str:
    """Where it belongs. In a cluster one that is on no node, or shall not run, is where it should be: where it
    starts is for the cluster to say."""
    return current.host if cluster_of(host) and not (node_of(current.host) and wants_running) else host


def _changes_here(workload: Workload, current: Copy, host: str) -> bool:
    """Whether it may be changed where it is: a container where it runs on; an object of a cluster anywhere."""
    if isinstance(workload.spec.virtual_machine, ClusterMachine):
        return True
    return workload.spec.state is DesiredState.RUNNING and current.host == host


def _can_stay(workload: Workload, current: Copy, index: Index) -> bool:
    instance, wanted = current.instance, workload.spec.container
    if isinstance(workload.spec.virtual_machine, ClusterMachine):
        return True  # the object is changed; what its guest takes only when it starts again, KubeVirt says
    if wanted is None:
        return False
    settings = index.seen[current.host].settings.get(instance.runtime, ())
    able = index.can(instance.runtime, "updates") and LOSES_UPDATES not in settings
    label = instance.labels.get(LABEL_SPEC, "")
    runs = instance.state is InstanceState.RUNNING
    return able and runs and can_stay(wanted, label, instance.memory_bytes)


def payload_changes(wanted: WorkloadSpec, have: Instance) -> list[str]:
    """Names of the fields that differ from what it was made from; the section's when that cannot be told."""
    return [name or wanted.section for name in changed_fields(wanted.payload, have.labels.get(LABEL_SPEC, ""))]
