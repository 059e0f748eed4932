"""May a checkpoint be restored, and where: pure decisions. Never while its workload runs or may run anywhere."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from reconciler.core.index import Copy, Index
from reconciler.core.made_from import changed_fields
from reconciler.core.rules.kernel import X86_INSTRUCTIONS
from reconciler.core.versions import version_tuple
from reconciler.model.checkpoint import Manifest
from reconciler.model.plan import Phase
from reconciler.model.spec import Workload
from reconciler.model.world import HostFacts

STEP = 2
"""Between the last epoch and a restore's: going back has the one in between."""
UNSEEN = 1000
"""The same where a host was not seen: nobody knows how far the workload's epochs have come there."""
LATEST = "latest"


@dataclass(frozen=True)
class Obstacle:
    """Why a restore must not be. `fix`: the way out."""

    text: str
    fix: str


def parse_reference(text: str) -> tuple[str, str]:
    """`WORKLOAD`, `WORKLOAD@latest` or `WORKLOAD@ID` as name and ID or `latest`."""
    name, _, found = text.partition("@")
    return name, found or LATEST


def next_epoch(workload: str, index: Index, manifest: Manifest, earlier: Iterable[int]) -> int:
    """Above every one that anybody knows of."""
    known = max((index.epoch(workload), manifest.epoch, *earlier))
    return known + (UNSEEN if index.unknown else STEP)


def may_run(workload: str, index: Index, gone: Collection[str]) -> Iterator[Obstacle]:
    """Where it runs, or may. `gone`: hosts of which somebody says, with evidence, that they are off."""
    for copy in index.copies.get(workload, ()):
        if copy.instance.state.has_processes:
            yield Obstacle(
                f"it is {copy.instance.state.value} on {copy.host}",
                "stop it there first, or leave it running",
            )
    for unseen in sorted(index.unknown.keys() - set(gone)):
        yield Obstacle(
            f"it may run on {unseen}, which was not seen: {index.unknown[unseen]}",
            f"make {unseen} reachable; or, once it is surely off: --gone {unseen} --evidence TEXT",
        )
    for answers in sorted(set(gone) & index.seen.keys()):
        yield Obstacle(f"{answers} is said to be gone, and answers", f"leave out --gone {answers}")
    for refuses in sorted(set(gone) & index.unknown.keys() - index.silent):
        yield Obstacle(
            f"{refuses} is said to be gone, but it was not found silent: {index.unknown[refuses]}",
            f"mend that first: reconcile doctor {refuses}",
        )
    for place, marker in index.markers.get(workload, ()):
        if marker.broken:
            yield Obstacle(f"its marker on {place} cannot be trusted: {marker.broken}", "see: reconcile status")
    for place, marker in index.unsettled(workload).items():
        yield Obstacle(
            f"a hand-over is unfinished ({marker.phase} on {place})", "see what ends it: reconcile status"
        )


def others(workload: str, index: Index, host: str) -> list[str]:
    """Hosts that have something of it, or were told that it was theirs."""
    named = {copy.host for copy in index.copies.get(workload, ())}
    named |= {place for place, marker in index.markers.get(workload, ()) if marker.phase != Phase.FENCED}
    return sorted(named - {host})


def misfits(manifest: Manifest, workload: Workload, facts: HostFacts) -> Iterator[Obstacle]:
    """What of a host, or of the specs of now, does not go with a checkpoint."""
    name, source = facts.name, manifest.came_from
    another = "choose another host: --on HOST"
    if source.runtime != workload.spec.runtime:
        yield Obstacle(
            f"it was taken with {source.runtime}, its spec says {workload.spec.runtime}", "change the spec"
        )
    if workload.spec.runtime not in facts.runtimes:
        yield Obstacle(f"{workload.spec.runtime} is not installed on {name}", another)
    if source.arch and facts.arch and source.arch != facts.arch:
        yield Obstacle(f"it was taken on {source.arch}, {name} is {facts.arch}", another)
    lacking = set(source.cpu_flags) - set(facts.cpu_flags) if facts.cpu_flags else set()
    if source.arch in ("x86_64", "i686"):
        lacking &= X86_INSTRUCTIONS
    if lacking:
        yield Obstacle(f"the CPU of {name} lacks {', '.join(sorted(lacking)[:6])}", another)
    here, there = source.versions.get("criu", ""), facts.version("criu")
    if there and version_tuple(there) < version_tuple(here):
        yield Obstacle(f"CRIU is {there} on {name}, and {here} took it", f"upgrade criu on {name}, or {another}")
    if source.cgroup_version and facts.cgroup_version and source.cgroup_version != facts.cgroup_version:
        yield Obstacle(
            f"it was taken under control groups v{source.cgroup_version}, {name} has v{facts.cgroup_version}",
            another,
        )
    if changed := spec_changes(manifest, workload):
        yield Obstacle(
            f"its spec is another one by now: {', '.join(changed)} changed",
            f"take the specs of then{_at(manifest)}, or let it start anew",
        )


def spec_changes(manifest: Manifest, workload: Workload) -> list[str]:
    """Fields of what runs that differ from when the checkpoint was taken: its memory is of those. Of one that
    others have taken nobody knows."""
    if manifest.imported:
        return []
    then = manifest.spec.get("spec")
    section = then.get(workload.spec.section) if isinstance(then, dict) else None
    found = changed_fields(workload.spec.payload, json.dumps(section))
    return [field or workload.spec.section for field in found]


def kept_volumes(workload: Workload, facts: HostFacts) -> list[str]:
    """Its volumes that are on the host already: what they hold may be newer than any checkpoint."""
    wanted = {volume.name for volume in workload.spec.volumes}
    return sorted(volume.name for volume in facts.volumes if volume.name in wanted)


def old_copy(workload: str, index: Index, host: str) -> Copy | None:
    """What is left of it where it is to be restored."""
    return next((copy for copy in index.copies.get(workload, ()) if copy.host == host), None)


def _at(manifest: Manifest) -> str:
    return f" ({manifest.commit[:12]})" if manifest.commit else ""
