"""Where a workload belongs: a named host, or the first suitable one by a rule everybody can repeat."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from reconciler.model.spec import Host, Workload


@dataclass(frozen=True)
class Placed:
    host: str


@dataclass(frozen=True)
class NotPlaced:
    """No host is left. `removed` says which rule removed which host."""

    removed: dict[str, str]

    def __str__(self) -> str:
        return "; ".join(f"{host}: {reason}" for host, reason in sorted(self.removed.items())) or "no hosts"


def place(
    workload: Workload, hosts: Mapping[str, Host], seen: Collection[str], current: str | None
) -> Placed | NotPlaced:
    """The host a workload belongs on; `seen` names the hosts that answered.

    A named host is taken as it is. With labels: the current host when it still fits, else the first by name
    among hosts that carry the labels, are schedulable and were seen.
    """
    placement = workload.spec.placement
    if placement.host is not None:
        return Placed(placement.host)
    removed: dict[str, str] = {}
    fitting: list[str] = []
    for name in sorted(hosts):
        reason = _why_not(name, hosts[name], placement.labels or {}, seen, current)
        if reason:
            removed[name] = reason
        else:
            fitting.append(name)
    if not fitting:
        return NotPlaced(removed)
    return Placed(current if current in fitting else fitting[0])


def _why_not(
    name: str, host: Host, wanted: Mapping[str, str], seen: Collection[str], current: str | None
) -> str | None:
    for key, value in sorted(wanted.items()):
        have = host.metadata.labels.get(key)
        if have != value:
            return f"label {key} is {have!r}, not {value!r}" if have else f"has no label {key}"
    if not host.spec.schedulable and name != current:
        return "not schedulable"
    if name not in seen:
        return "not seen"
    return None
