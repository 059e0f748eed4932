"""A workload that no host is seen to have, while some were not seen: it may run there. Pure."""

from __future__ import annotations

from collections.abc import Collection

from reconciler.core.index import Index
from reconciler.model.place import cluster_of
from reconciler.model.plan import Change, ChangeKind, Finding
from reconciler.model.spec import DesiredState, Spec


def out_of_view(name: str, host: str, spec: Spec, index: Index) -> Change | Finding | None:
    """What becomes of it, where it is placed on this host: refused while it may run; where the only hosts that may
    have it are declared failed, it comes back. None where nothing is in the way of making it."""
    elsewhere = sorted(other for other in index.unknown if cluster_of(other) == cluster_of(host))
    failed = [other for other in elsewhere if other in spec.hosts and spec.hosts[other].spec.failed]
    fenceable = [other for other in elsewhere if other in spec.hosts and spec.hosts[other].spec.fencing]

    def refused(rule: str, message: str, fix: str) -> Finding:
        return Finding(rule=rule, severity="refuse", workload=name, host=host, message=message, fix=fix)

    if unproven := [other for other in failed if not spec.hosts[other].spec.evidence]:
        return refused(
            "host-failed",
            f"it may run on {', '.join(unproven)}: declared failed, but {_unproven(unproven, fenceable)}",
            _first_fenced(unproven, fenceable) + "say in the Host how it is known, and by whom: "
            "`evidence: its power was cut, seen at the rack; anna`",
        )
    if refusing := [other for other in failed if other not in index.silent]:
        why = "; ".join(f"{other}: {index.unknown[other]}" for other in refusing)
        return refused(
            "host-failed",
            f"it may run on {', '.join(refusing)}: declared failed, but not silent ({why})",
            f"mend that first: reconcile doctor {refusing[0]}",
        )
    if unseen := [other for other in elsewhere if other not in failed]:
        fenced = [other for other in unseen if other in fenceable][:1]
        return refused(
            "may-run-on-unknown-host",
            f"it may be running on {', '.join(unseen)}, which could not be seen",
            "make the host reachable; once it is surely off, say so in its spec: state: failed, evidence"
            + ("; or state: failed, and: reconcile fence " + " ".join(fenced) if fenced else ""),
        )
    if failed and spec.workloads[name].spec.state is DesiredState.RUNNING:
        return Change(
            kind=ChangeKind.RESTORE,
            workload=name,
            destination=host,
            reason=f"no host runs it, and {', '.join(failed)} is declared failed",
            origin=spec.origin("Host", failed[0], "spec.state"),
        )
    return None


def _unproven(hosts: Collection[str], fenceable: Collection[str]) -> str:
    if all(host in fenceable for host in hosts):
        return "its fencing does not confirm that it is off"
    return "nothing says how that is known"


def _first_fenced(hosts: Collection[str], fenceable: Collection[str]) -> str:
    """What would be evidence, for the first that can be fenced."""
    first = next((host for host in hosts if host in fenceable), "")
    return f"cut it off: reconcile fence {first}; or " if first else ""
