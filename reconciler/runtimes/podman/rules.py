"""What is about Podman alone: its releases."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.rules.base import Case, Said, rule
from reconciler.core.rules.floors import FLOORS, Floor
from reconciler.core.versions import version_tuple
from reconciler.model.base import DEFAULT_RUNTIME

FLOORS.extend(
    (
        Floor(
            "podman",
            "CVE-2025-11395",
            "crafted images and volumes overwrite files of the host on load and import",
            ("6.1.2",),
            since="6.0",
            series=1,
        ),
        Floor(
            "podman", "CVE-2025-9566", "kube play overwrites files of the host", ("5.6.1",), since="4.0", series=1
        ),
    )
)


@rule("podman.older", warns=True)
def podman_older(case: Case) -> Iterator[Said]:
    """The destination's Podman is an older series than the source's. It was not made to read what the newer one
    wrote; most things work."""
    if case.moves and case.source and case.destination:
        here, there = (host.runtimes.get(DEFAULT_RUNTIME, "") for host in (case.source, case.destination))
        if there and version_tuple(there)[:1] < version_tuple(here)[:1]:
            yield Said(
                f"Podman is {there} on {case.destination.name} and {here} on {case.source.name}",
                f"upgrade Podman on {case.destination.name}",
            )
