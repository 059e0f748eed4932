"""Whether a workload may be changed now: what people and the specs have suspended, and windows. Denying wins."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from reconciler.core.tending import Cause
from reconciler.load.cron import open_until, opens_at
from reconciler.model.copying import is_copy
from reconciler.model.notes import ALL, Notes, Word
from reconciler.model.place import cluster_of
from reconciler.model.spec import Spec
from reconciler.model.sync import SyncPolicySpec
from reconciler.model.units import TIME_ENDS


@dataclass(frozen=True)
class Barred:
    """Why not; `until`: on the wall's clock, when it is worth another look."""

    cause: Cause
    why: str
    until: float | None = None


def barred(workload: str, hosts: Collection[str], spec: Spec, notes: Notes, now: float) -> Barred | None:
    """Whether something keeps a watch from changing a workload; `hosts`: those that the change is about."""
    if found := suspended(workload, hosts, spec, notes, now):
        return found
    if any((word := notes.opened.get(target)) and word.holds(now) for target in _targets(workload, hosts, spec)):
        return None
    return _windows(list(_policies(workload, hosts, spec)), now)


def suspended(workload: str, hosts: Collection[str], spec: Spec, notes: Notes, now: float) -> Barred | None:
    """Whether it is to be left alone, in windows and outside of them."""
    for target in _targets(workload, hosts, spec):
        word = notes.suspended.get(target)
        if word and word.holds(now):
            return Barred(
                Cause.SUSPENDED, f"{_named(target)} by {word.by}: {word.reason}{_until(word)}", word.until
            )
    for name, policy in _policies(workload, hosts, spec):
        if policy.suspend is not None:
            return Barred(Cause.SUSPENDED, f"suspended by SyncPolicy {name}: {policy.suspend}")
    return None


def _targets(workload: str, hosts: Collection[str], spec: Spec) -> list[str]:
    called = spec.called.get(workload, workload)
    clusters = {cluster for name in hosts if (cluster := cluster_of(name))}
    return [ALL, f"workload/{called}", *(f"host/{name}" for name in sorted({*hosts, *clusters}))]


def strange(spec: Spec, notes: Notes, now: float) -> list[str]:
    """What people named that the specs do not have: most likely a slip, and what was meant is not left alone.
    Nodes of a cluster are not in specs, and copies are nowhere."""
    workloads = {f"workload/{spec.called.get(name, name)}" for name in spec.workloads}
    hosts = {f"host/{name}" for name in (*spec.hosts, *spec.clusters)}
    said = {
        target for words in (notes.suspended, notes.opened) for target, word in words.items() if word.holds(now)
    }
    return sorted(
        target
        for target in said - workloads - hosts - {ALL}
        if not (target.startswith("host/") and f"host/{cluster_of(target.removeprefix('host/'))}" in hosts)
        and not is_copy(target.removeprefix("workload/"))
    )


def _windows(policies: list[tuple[str, SyncPolicySpec]], now: float) -> Barred | None:
    opening: list[float] = []
    allowed = True
    for name, policy in policies:
        closed = [end for w in policy.windows if w.kind == "deny" and (end := open_until(w, now)) is not None]
        if closed:
            return Barred(Cause.WINDOW, f"SyncPolicy {name} denies changes until {at(max(closed))}", max(closed))
        allowing = [w for w in policy.windows if w.kind == "allow"]
        if allowing and not any(open_until(w, now) for w in allowing):
            allowed = False
            opening += [start for w in allowing if (start := opens_at(w, now)) is not None]
    if allowed:
        return None
    start = min(opening, default=None)
    return Barred(Cause.WINDOW, f"no window is open; the next opens at {at(start) if start else 'no time'}", start)


def _policies(workload: str, hosts: Collection[str], spec: Spec) -> Iterator[tuple[str, SyncPolicySpec]]:
    found = spec.workloads.get(workload)
    labels = found.metadata.labels if found else {}
    for name, policy in sorted(spec.sync.items()):
        wanted = policy.spec
        fits = not wanted.labels or wanted.labels.items() <= labels.items()
        if fits and (wanted.hosts is None or set(wanted.hosts) & set(hosts)):
            yield name, wanted


def _named(target: str) -> str:
    kind, _, name = target.partition("/")
    return "everything is suspended" if not name else f"{kind} {name} is suspended"


def _until(word: Word) -> str:
    return f" (until {at(word.until)})" if word.until else ""


def at(seconds: float) -> str:
    """A time for people, in this machine's zone."""
    if not 0 <= seconds < TIME_ENDS:
        return "a time that no calendar has"
    return datetime.fromtimestamp(seconds).astimezone().isoformat(sep=" ", timespec="minutes")
