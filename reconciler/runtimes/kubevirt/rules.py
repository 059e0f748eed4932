"""Virtual machines of KubeVirt: what keeps one from being moved, made or changed, known before it is tried."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.made_from import changed_fields
from reconciler.core.rules.base import Case, Said, rule, together
from reconciler.core.versions import version_tuple
from reconciler.model.cluster_machine import ClusterMachine
from reconciler.model.cluster_world import ClusterMachineFacts
from reconciler.model.labels import LABEL_SPEC
from reconciler.model.live import LiveMigration
from reconciler.model.place import cluster_of, node_of
from reconciler.model.plan import ChangeKind

NAMES_NODES = (1, 5)
"""KubeVirt's first release that can be told which node a machine shall go to."""


def _moving(case: Case) -> ClusterMachineFacts | None:
    return case.instance if case.by_itself and isinstance(case.instance, ClusterMachineFacts) else None


@rule("kubevirt.migratable")
def migratable(case: Case) -> Iterator[Said]:
    """KubeVirt says of each machine whether it can be migrated live, and if not why: a disk that only one node can
    have, a bridge to the pod network, a device of its host."""
    found = _moving(case)
    if found and found.migratable is False:
        why = found.why_not or "it gives no reason"
        yield Said(
            f"KubeVirt cannot migrate it live: {why}", "see: kubectl get vmi -o yaml, condition LiveMigratable"
        )


@rule("kubevirt.node")
def node(case: Case) -> Iterator[Said]:
    """The node that it shall go to must take something new, and be heard of."""
    if _moving(case) and case.destination:
        name = node_of(case.where)
        if cluster_of(case.where) != cluster_of(case.origin):
            fix = f"place it in {cluster_of(case.origin)}, where it is"
            yield Said(f"it is in another cluster, {cluster_of(case.origin)}: KubeVirt moves within one", fix)
        if case.destination.cordoned:
            fix = f"give it back: reconcile drain {case.where} --undo, or kubectl uncordon {name}"
            yield Said(f"{name} is cordoned", f"{fix}; or place it elsewhere")
        if not case.destination.ready:
            yield Said(f"{name} is not ready", f"see why: kubectl describe node {name}")


@rule("kubevirt.room", warns=True)
def room(case: Case) -> Iterator[Said]:
    """The node has less memory for pods than the machine takes, less the other machines there. The scheduler knows
    about all other pods too, and has the last word."""
    found, there = _moving(case), case.destination
    if found and there and there.memory_told and there.memory_free_bytes < found.memory_bytes:
        yield Said(
            f"{node_of(case.where)} has less memory left than it takes", "choose another node, or make room"
        )


@rule("kubevirt.pinned")
def pinned(case: Case) -> Iterator[Said]:
    """Its own node selector names a host, and what a machine's spec asks for wins over where it shall be moved
    to."""
    found = _moving(case)
    if found and found.pinned and case.destination:
        hostname = case.destination.labels.get("kubernetes.io/hostname", node_of(case.where))
        if found.pinned != hostname:
            fix = "take kubernetes.io/hostname out of its template's nodeSelector"
            yield Said(f"its own node selector wants {found.pinned}, and that wins", fix)


@rule("kubevirt.migrating")
def migrating(case: Case) -> Iterator[Said]:
    """A migration of it is under way, which somebody else has begun, or KubeVirt wants it off its node. It is left
    alone: KubeVirt would only begin again."""
    found = _moving(case)
    if found and found.migration:
        fix = f"wait until it has ended: kubectl get vmim -n {found.namespace} {found.migration}"
        yield Said(
            f"the migration {found.migration} is under way, which is not this plan's", fix, host=case.origin
        )
    elif found and found.evacuated_from:
        fix = "wait until it has gone, then plan again"
        yield Said(f"KubeVirt wants it off {found.evacuated_from}, which is being drained", fix, host=case.origin)


@rule("kubevirt.two-pods")
def two_pods(case: Case) -> Iterator[Said]:
    """More than one launcher pod of it is there although nothing is being moved: a migration has left one behind,
    or it runs twice. KubeVirt would begin no migration, and say nothing."""
    found = _moving(case)
    if found and len(found.pods) > 1 and not found.migration:
        where = together(found.pods)
        fix = (
            f"see which of them is the machine: kubectl get pods -n {found.namespace} -l kubevirt.io=virt-launcher"
        )
        yield Said(f"{len(found.pods)} launcher pods of it are there, on {where}", fix, host=case.origin)


@rule("kubevirt.busy", warns=True)
def busy(case: Case) -> Iterator[Said]:
    """KubeVirt has as many migrations under way as it allows at once: this one waits, without a word from
    KubeVirt, for at most `live.within` of the policy."""
    found = _moving(case)
    if found is None:
        return
    limits = found.limits
    if limits.running >= limits.cluster:
        yield Said(
            f"{limits.running} of {limits.cluster} migrations at once are under way", "it waits for one to end"
        )
    elif limits.from_node >= limits.node:
        text = f"{limits.from_node} of {limits.node} migrations at once from its node are under way"
        yield Said(text, "it waits for one to end", host=case.origin)


@rule("kubevirt.old")
def old(case: Case) -> Iterator[Said]:
    """KubeVirt before 1.5 cannot be told which node a machine shall go to (`addedNodeSelector`)."""
    if not (_moving(case) and case.source):
        return
    version = case.source.runtimes.get("kubevirt", "").removeprefix("v")
    if version_tuple(version) and version_tuple(version)[:2] < NAMES_NODES:
        fix = "upgrade KubeVirt, or take `node` and `labels` out of its placement"
        yield Said(f"KubeVirt is {version}, and cannot be told which node", fix)


@rule("kubevirt.policy", warns=True)
def policy(case: Case) -> Iterator[Said]:
    """How fast and how hard KubeVirt migrates is said by its own MigrationPolicy, which only an administrator of
    the cluster may change. Of `live` in a MigrationPolicy here only `within` counts."""
    if _moving(case):
        wanted, usual = case.policy.live, LiveMigration()
        named = [
            field
            for field in ("bandwidth", "auto_converge", "on_timeout")
            if getattr(wanted, field) != getattr(usual, field)
        ]
        if named:
            fix = "say it in a MigrationPolicy of migrations.kubevirt.io"
            yield Said(f"`live` sets {', '.join(named)}, which KubeVirt takes from its own policy only", fix)


@rule("kubevirt.manifest")
def manifest(case: Case) -> Iterator[Said]:
    """There is no such VirtualMachine, and the spec does not say what to make it from. Nor is one removed that was
    not made from a manifest."""
    wanted = case.workload.spec.virtual_machine if case.workload else None
    if case.change.kind is ChangeKind.CREATE and isinstance(wanted, ClusterMachine) and wanted.manifest is None:
        where = f"{wanted.namespace or 'its cluster namespace'}/{wanted.name}"
        yield Said(f"there is no VirtualMachine {where}", "mend its name, or give it a `manifest`")
    elif case.change.kind is ChangeKind.REMOVE and isinstance(case.instance, ClusterMachineFacts):
        if '"manifest":' not in case.instance.labels.get(LABEL_SPEC, ""):
            fix = "take its spec away, and it stays as it is; or: kubectl delete vm"
            yield Said("it was not made from a manifest, so it is not removed", fix)


@rule("kubevirt.name")
def name(case: Case) -> Iterator[Said]:
    """An object in a cluster has one name and namespace for good; and what was made from a manifest is not given
    up by leaving the manifest out."""
    wanted = case.workload.spec.virtual_machine if case.workload else None
    if (
        not isinstance(wanted, ClusterMachine)
        or case.instance is None
        or case.change.kind is not ChangeKind.UPDATE
    ):
        return
    changed = set(changed_fields(wanted, case.instance.labels.get(LABEL_SPEC, "")))
    if changed - {"manifest"}:
        fix = "give it state: absent and apply, then make the other one"
        yield Said(
            f"its {', '.join(sorted(changed))} changed, which an object in a cluster cannot", fix, host=case.origin
        )
    elif "manifest" in changed and wanted.manifest is None:
        yield Said("its manifest is gone from its spec", "put it back, or give it state: absent", host=case.origin)


@rule("kubevirt.drift", warns=True)
def drift(case: Case) -> Iterator[Said]:
    """Somebody has changed fields that its manifest says: they are put back."""
    found = case.instance
    if isinstance(found, ClusterMachineFacts) and found.drift and case.change.kind is ChangeKind.UPDATE:
        fix = "put the change into its manifest if it is wanted"
        yield Said(f"it was changed by hand: {together(found.drift)}", fix, host=case.origin)


@rule("kubevirt.restart", warns=True)
def restart(case: Case) -> Iterator[Said]:
    """Most of what a manifest says of a guest counts only when it starts again, which is for a person to
    decide."""
    found = case.instance
    if isinstance(found, ClusterMachineFacts) and case.change.kind is ChangeKind.UPDATE:
        if found.state.has_processes:
            fix = f"when it suits: virtctl restart -n {found.namespace} {found.name}"
            yield Said("it runs: what its guest is made of counts from its next start on", fix, host=case.origin)
