"""Virtual machines: what must be on a host that they come to. What libvirt itself compares before anything stops
(CPUs, machine types, whether disks are safe to share) is left to it."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.questions import bridge_path
from reconciler.core.rules.base import Case, Said, rule, together


@rule("machine.files")
def files(case: Case) -> Iterator[Said]:
    """Disks, kernel and firmware that the domain names must be on its new host, under the same paths: they are
    shared between hosts, none is copied."""
    wanted = case.workload.spec.virtual_machine if case.workload else None
    if wanted is None or case.ahead is None or not case.arrives:
        return
    missing = [path for path in wanted.files if case.ahead.paths.get(path, "?") == ""]
    if missing:
        fix = f"make them reachable there under the same paths, or choose another host than {case.where}"
        yield Said(f"not on {case.where}: {together(missing)}", fix)


@rule("machine.bridge")
def bridge(case: Case) -> Iterator[Said]:
    """The bridges that the domain's cards join must be on its new host, and lead to the same segment."""
    wanted = case.workload.spec.virtual_machine if case.workload else None
    if wanted is None or case.ahead is None or not case.arrives:
        return
    for name in wanted.bridges:
        if case.ahead.paths.get(bridge_path(name), "?") == "":
            yield Said(f"{case.where} has no bridge {name}", f"make one there: ip link add {name} type bridge")
