"""What ran on hosts that are declared failed: it comes back from its newest checkpoint, elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from reconciler.core.comeback import kept_volumes, may_run, misfits
from reconciler.core.diff import current_copy
from reconciler.core.index import Index
from reconciler.core.returning import Return, comeback_plan
from reconciler.model.checkpoint import Kept, Manifest
from reconciler.model.command import Seconds
from reconciler.model.outlook import ComebackOutlook
from reconciler.model.plan import Change, ChangeKind, Finding, Plan
from reconciler.model.spec import DesiredState, Spec, Workload
from reconciler.model.world import World

RULE = "host-failed"


@dataclass(frozen=True)
class Restorable:
    """Checkpoints of workloads that run nowhere. `best`: the newest of each that is whole, read again just now;
    `skipped`: newer ones that are not, in words; `now`: seconds since the epoch."""

    now: Seconds = 0.0
    best: Mapping[str, Kept] = field(default_factory=dict)
    skipped: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def given_up(spec: Spec, index: Index) -> dict[str, str]:
    """Hosts that are declared failed and do not answer at all, with the evidence."""
    return {
        name: host.spec.evidence
        for name, host in sorted(spec.hosts.items())
        if host.spec.failed and host.spec.evidence and name in index.silent
    }


def out_of_sight(spec: Spec, world: World) -> tuple[str, ...]:
    """Workloads that shall run, that may have run on a host that is given up, and of which no host that was seen
    has a copy that counts."""
    index = Index.of(world)
    if not given_up(spec, index):
        return ()
    running = (name for name, found in spec.workloads.items() if found.spec.state is DesiredState.RUNNING)
    return tuple(name for name in sorted(running) if current_copy(name, index) is None)


@dataclass(frozen=True)
class ComingBack:
    """What becomes of one of them. `plan`: how it comes back; None where it starts anew, or not at all."""

    change: Change
    findings: tuple[Finding, ...] = ()
    plan: Plan | None = None


def coming_back(change: Change, spec: Spec, index: Index, stock: Restorable) -> ComingBack:
    """From its newest checkpoint; anew where none is kept, and all that may keep one were asked."""
    name, host = change.workload, change.destination or ""
    workload, gone, kept = spec.workloads[name], given_up(spec, index), stock.best.get(name)
    if kept is None or kept.manifest is None:
        if lost := stock.skipped.get(name, ()):
            told = Finding(
                rule=RULE,
                severity="refuse",
                workload=name,
                host=host,
                message=f"no checkpoint of it can be used ({'; '.join(lost)}), and it would start with nothing",
                fix="mend that; to do without what is damaged: reconcile checkpoints rm; without a store: "
                "take it out of the specs",
            )
            return ComingBack(change, (told,))
        told = Finding(
            rule=RULE,
            severity="warn",
            workload=name,
            host=host,
            message="no checkpoint of it is kept: it starts anew, and what it had on "
            f"{_all(gone)}, if anything, is lost",
            fix="where it may still be brought back from there, take `evidence` out of the Host first",
        )
        return ComingBack(change.model_copy(update={"kind": ChangeKind.CREATE}), (told,))
    findings = tuple(_in_the_way(workload, kept.manifest, host, index, gone))
    age = max(0.0, stock.now - kept.manifest.taken_at)
    back = Return(
        workload=workload,
        kept=kept,
        manifest=kept.manifest,
        host=host,
        gone=tuple(gone),
        evidence="; ".join(f"{failed}: {why}" for failed, why in gone.items()),
        age_s=age,
    )
    plan = comeback_plan(back, spec, index)
    outlook = ComebackOutlook(
        checkpoint=kept.id,
        kept_on=str(kept.at),
        age_s=round(age, 3),
        not_in_it=_not_in_it(workload),
        skipped=stock.skipped.get(name, ()),
        gone=tuple(gone),
        evidence=back.evidence,
    )
    reason = f"{change.reason}; {plan.changes[0].reason}"
    told_of = change.outlook.model_copy(update={"comeback": outlook})
    return ComingBack(change.model_copy(update={"reason": reason, "outlook": told_of}), findings, plan)


def _in_the_way(
    workload: Workload, manifest: Manifest, host: str, index: Index, gone: Mapping[str, str]
) -> Iterator[Finding]:
    name = workload.metadata.name
    obstacles = [*may_run(name, index, gone), *misfits(manifest, workload, index.seen[host])]
    for found in obstacles:
        fix = found.fix.replace("--on HOST", "placement.host")
        yield Finding(rule=RULE, severity="refuse", workload=name, host=host, message=found.text, fix=fix)
    if volumes := kept_volumes(workload, index.seen[host]):
        yield Finding(
            rule=RULE,
            severity="refuse",
            workload=name,
            host=host,
            message=f"{host} has {', '.join(volumes)} of it, which may be newer than its checkpoint",
            fix=f"save what you need of that, then: reconcile restore {name} --on {host} --replace",
        )


def _not_in_it(workload: Workload) -> tuple[str, ...]:
    """Folders of hosts that it mounts: no checkpoint has them."""
    container = workload.spec.container
    mounts = container.mounts if container else ()
    return tuple(sorted(mount.source for mount in mounts if not (mount.read_only or mount.shared)))


def _all(hosts: Mapping[str, str]) -> str:
    return " and ".join(hosts)
