"""What the workload's runtime can do, wherever it is."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.rules.base import BY_ITSELF, Case, Said, rule
from reconciler.core.saving import goes_back, keeps_old, saved_before
from reconciler.model.base import DEFAULT_RUNTIME
from reconciler.model.plan import ChangeKind
from reconciler.model.spec import Strategy
from reconciler.model.world import HostFacts, World

NEEDS = {ChangeKind.MOVE: "moves", ChangeKind.RESTORE: "moves", ChangeKind.UPDATE: "updates"}
"""What a change needs first; all others make, start, stop or remove."""


def can(world: World, runtime: str, ability: str) -> bool:
    """Whether a runtime can; one that nobody asked is not said to lack anything."""
    known = world.abilities.get(runtime)
    return known is None or ability in known


@rule("runtime.ability")
def lacks(case: Case) -> Iterator[Said]:
    """The workload's runtime cannot do what the change needs: not every runtime moves what runs, has images,
    networks, volumes or health checks. `reconcile runtimes` shows what each can."""
    runtime = case.container.runtime if case.container else DEFAULT_RUNTIME
    if case.workload and case.change.kind is not ChangeKind.REMOVE:
        runtime = case.workload.spec.runtime
    for ability in _needed(case):
        if not can(case.world, runtime, ability):
            yield Said(f"the runtime {runtime} lacks the ability `{ability}`", _way_out(ability, case))
    if case.change.kind is ChangeKind.RECREATE and case.instance and case.instance.runtime != runtime:
        for ability in ("lifecycle", *(("volumes",) if case.workload and case.workload.spec.volumes else ())):
            if not can(case.world, case.instance.runtime, ability):
                fix = f"let {case.instance.runtime} remove it (state: absent), then give it the other runtime"
                yield Said(f"the runtime {case.instance.runtime} lacks the ability `{ability}`", fix)


def _way_out(ability: str, case: Case) -> str:
    if ability in ("captures", "moves") and goes_back(case.change, case.spec):
        return "leave out the `strategy` of its `update`"
    return {
        "captures": "name a CheckpointPolicy without `before`, or none",
        "secludes": "take `strategy: checkpoint-first`, which goes back as well and leaves no copy",
        "moves": "remove it (state: absent) and apply, then place it elsewhere: it starts anew there",
    }.get(ability, "see what it can: reconcile runtimes")


def _needed(case: Case) -> Iterator[str]:
    kind, wanted = case.change.kind, case.workload.spec if case.workload else None
    yield BY_ITSELF if case.by_itself else NEEDS.get(kind, "lifecycle")
    if case.workload and case.workload.spec.health and kind not in (ChangeKind.STOP, ChangeKind.REMOVE):
        yield "checks"
    if case.arrives and wanted:
        there = {network.name for network in case.destination.networks} if case.destination else set()
        if any(network.name not in there for network in wanted.networks):
            yield "networks"  # to make them
        if wanted.volumes:
            yield "volumes"
    if saved_before(case.change, case.spec):
        yield "captures"
    if goes_back(case.change, case.spec):
        yield "moves"
    if keeps_old(case.change, case.spec):
        yield "secludes"
    if case.moves and case.policy.strategy is Strategy.PRECOPY:
        yield "precopies"
    if case.moves and case.policy.strategy is Strategy.POSTCOPY:
        yield "postcopies"


def none_there(host: HostFacts) -> Iterator[Said]:
    """For `doctor`: nothing can be run there."""
    if not host.runtimes:
        yield Said(
            f"no runtime is installed on {host.name}",
            "apt-get install criu is enough for trees of processes; see also: reconcile runtimes",
        )


@rule("runtime.missing", alone=none_there)
def missing(case: Case) -> Iterator[Said]:
    """The workload's runtime must be installed where one is made. A host may lack it, as long as no workload that
    wants it goes there."""
    name = case.workload.spec.runtime if case.workload else DEFAULT_RUNTIME
    if case.arrives and case.destination and name not in case.destination.runtimes:
        host = case.destination.name
        yield Said(
            f"the runtime {name} is not installed on {host}", f"install it on {host}, or place it elsewhere"
        )
