"""What specs say of clusters, beside each other: which runtimes are in them, and whose a virtual machine is."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from reconciler.errors import Diagnostic
from reconciler.load.messages import close
from reconciler.load.objects import Entry
from reconciler.model.cluster_machine import ClusterMachine
from reconciler.model.spec import Cluster, DesiredState, Workload
from reconciler.runtimes.registry import IN_CLUSTERS

_AT = ("spec", "placement")


def placed(entry: Entry, workload: Workload, known: Collection[str], complete: bool) -> Iterator[Diagnostic]:
    """Which nodes there are is not known before the cluster is asked."""
    cluster, runtime = workload.spec.placement.cluster, workload.spec.runtime
    if runtime not in IN_CLUSTERS:
        message = f"the runtime `{runtime}` is not in clusters; what is: {', '.join(sorted(IN_CLUSTERS))}"
        yield entry.diagnostic("E176", message, *_AT, "cluster", on_key=True)
    elif cluster is None:
        hint = "placement: {cluster: NAME, node: NODE}, or labels of nodes, or neither"
        message = f"the runtime `{runtime}` is in clusters: its placement names one"
        yield entry.diagnostic("E176", message, *_AT, on_key=True, hint=hint)
    elif complete and cluster not in known:
        hint = close(cluster, known) or f"known: {', '.join(sorted(known)) or 'none'}"
        yield entry.diagnostic("E146", f"no spec defines the cluster `{cluster}`", *_AT, "cluster", hint=hint)


def one_machine_each(entries: Collection[Entry]) -> Iterator[Diagnostic]:
    """Two workloads that are one virtual machine would each move it where the other does not want it."""
    spaces = {e.name: e.model.spec.namespace for e in entries if isinstance(e.model, Cluster)}
    owners: dict[tuple[str, str, str], Entry] = {}
    for entry in entries:
        if not isinstance(entry.model, Workload) or entry.model.spec.state is DesiredState.ABSENT:
            continue
        wanted, cluster = entry.model.spec.virtual_machine, entry.model.spec.placement.cluster
        if not isinstance(wanted, ClusterMachine) or cluster is None:
            continue
        namespace = wanted.namespace or spaces.get(cluster, "default")
        first = owners.setdefault((cluster, namespace, wanted.name), entry)
        if first is not entry:
            at = first.where("spec", "virtualMachine", "name")
            message = f"{namespace}/{wanted.name} in `{cluster}` is already workload `{first.name}` ({at})"
            yield entry.diagnostic("E175", message, "spec", "virtualMachine", "name")
