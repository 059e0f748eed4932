"""Which files of its host go along with a tree of processes: those that its new host has not, or others of."""

from __future__ import annotations

from reconciler.model.process import CARRIED_PATH
from reconciler.model.spec import Workload
from reconciler.model.world import HostFacts, Instance, TreeFacts


def unlike(tree: TreeFacts, source: HostFacts, destination: HostFacts) -> tuple[list[str], list[str]]:
    """Of what it has mapped: what its new host lacks, and what it has others of. What is not known is neither."""
    here = source.preflight.files if source.preflight else {}
    there = destination.preflight.files if destination.preflight else {}
    missing = sorted(path for path in tree.mapped if there.get(path, "?") == "")
    other = sorted(p for p in tree.mapped if there.get(p) and here.get(p) and there[p] != here[p])
    return missing, other


def carried(workload: Workload, instance: Instance, source: HostFacts, destination: HostFacts) -> tuple[str, ...]:
    """What it has brought from elsewhere goes on with it, for its memory has places in that."""
    process = workload.spec.process
    if process is None or process.files != "carry" or not isinstance(instance, TreeFacts):
        return ()
    missing, other = unlike(instance, source, destination)
    return tuple(sorted({*instance.carried, *missing, *other}))


def cannot_be(paths: list[str]) -> list[str]:
    """Those whose names cannot be told to CRIU."""
    return [path for path in paths if not CARRIED_PATH.fullmatch(path)]
