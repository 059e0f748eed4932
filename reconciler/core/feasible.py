"""Could it go there? Verdicts for moves that nobody has asked for yet."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.core.index import Index
from reconciler.core.rules import MoveVerdict, check_change
from reconciler.model.plan import Change, ChangeKind
from reconciler.model.spec import Spec
from reconciler.model.world import World


def possible_moves(spec: Spec, world: World) -> tuple[Change, ...]:
    """Each workload of the specs that runs, to each other host that was seen and takes workloads."""
    index = Index.of(world)
    hosts = [name for name in sorted(world.seen()) if name in spec.hosts and spec.hosts[name].spec.schedulable]
    return tuple(
        Change(
            kind=ChangeKind.MOVE,
            workload=name,
            source=copy.host,
            destination=host,
            reason="asked by doctor",
        )
        for name in sorted(spec.workloads)
        for copy in index.copies.get(name, ())
        if copy.instance.state.has_processes
        for host in hosts
        if host != copy.host
    )


def verdicts(changes: Iterable[Change], spec: Spec, world: World) -> tuple[MoveVerdict, ...]:
    """What the rules say about each of these changes: all findings at once."""
    index = Index.of(world)
    return tuple(
        MoveVerdict(change.workload, change.destination or "", tuple(check_change(change, spec, world, index)))
        for change in changes
    )
