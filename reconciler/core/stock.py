"""What is on the hosts, beside what the specs want there: `reconcile get`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from reconciler.core.copying import SeenCopy, copies
from reconciler.core.diff import current_copy
from reconciler.core.index import Copy, Index
from reconciler.core.placement import Placed, place
from reconciler.core.points import Point
from reconciler.core.selecting import Term, selects
from reconciler.core.volumes import is_void
from reconciler.model.command import Bytes, Seconds
from reconciler.model.copying import is_copy
from reconciler.model.labels import LABEL_WORKLOAD
from reconciler.model.spec import DesiredState, Spec
from reconciler.model.world import World

NO_POINTS: Mapping[str, Point] = MappingProxyType({})


@dataclass(frozen=True)
class Item:
    """One workload of the specs. `belongs`: the host, empty when none fits; `on`: where its copy that counts is.
    `as_wanted` None: some host was not seen, and it may be there."""

    workload: str
    state: str
    belongs: str
    on: str = ""
    found: str = ""
    memory_bytes: Bytes = 0
    up_s: Seconds = 0.0
    connections: int = 0
    as_wanted: bool | None = False
    runtime: str = ""
    image: str = ""
    addresses: tuple[str, ...] = ()
    point: Point | None = None
    """Its recovery point, where it is saved by policy."""


@dataclass(frozen=True)
class Orphan:
    """An instance or volume with our label that no workload of the specs uses where it is."""

    kind: str
    name: str
    host: str
    workload: str
    why: str


@dataclass(frozen=True)
class Stock:
    """What is there: workloads of the specs, and what is left over."""

    items: tuple[Item, ...]
    orphans: tuple[Orphan, ...]
    copies: tuple[SeenCopy, ...] = ()
    """Copies of checkpoints beside their workloads."""

    @property
    def settled(self) -> object:
        """What does not change by itself, such as for how long something has run."""
        return (
            [
                (i.workload, i.state, i.belongs, i.on, i.found, i.as_wanted, i.point and i.point.wanting)
                for i in self.items
            ],
            self.orphans,
            [(one.name, one.host, one.state, one.until) for one in self.copies],
        )


def stock(
    spec: Spec,
    world: World,
    terms: Sequence[Term] = (),
    host: str = "",
    points: Mapping[str, Point] = NO_POINTS,
) -> Stock:
    """All of it, or the workloads whose labels are selected, and what is on one host or belongs there. What is
    left over has no labels of a spec: it is there unless some are asked for."""
    index = Index.of(world)
    names = [name for name in sorted(spec.workloads) if selects(terms, spec.workloads[name].metadata.labels)]
    found = [_item(name, spec, index, points.get(name)) for name in names]
    left = [] if terms else _orphans(spec, index)
    return Stock(
        tuple(item for item in found if not host or host in (item.on, item.belongs)),
        tuple(orphan for orphan in left if not host or host == orphan.host),
        tuple(one for one in copies(index) if not terms and host in ("", one.host)),
    )


def _item(name: str, spec: Spec, index: Index, point: Point | None) -> Item:
    workload, copy = spec.workloads[name], current_copy(name, index)
    placed = place(workload, spec.hosts, index.seen, copy.host if copy else None)
    belongs = placed.host if isinstance(placed, Placed) else ""
    state = workload.spec.state
    spoken = {address for network in workload.spec.networks for address in (network.ip, network.ip6) if address}
    said = partial(
        Item,
        workload=name,
        state=state.value,
        belongs=belongs,
        runtime=workload.spec.runtime,
        image=workload.spec.image,
        addresses=tuple(sorted(spoken)),
        point=point,
    )
    if copy is None:
        return said(as_wanted=None if index.unknown else state is DesiredState.ABSENT)
    instance, runs = copy.instance, copy.instance.state.has_processes
    clock = index.seen[copy.host].clock_s
    return said(
        on=copy.host,
        found=instance.state.value,
        memory_bytes=instance.memory_bytes,
        up_s=max(0.0, clock - instance.started_at) if runs and instance.started_at and clock else 0.0,
        connections=len(instance.tcp_established),
        as_wanted=copy.host == belongs and runs == (state is DesiredState.RUNNING),
    )


def _orphans(spec: Spec, index: Index) -> list[Orphan]:
    """What is left on hosts: nothing removes it by itself, and volumes hold data."""
    found = [*_instances(spec, index), *_volumes(spec, index)]
    return sorted(found, key=lambda orphan: (orphan.workload, orphan.kind, orphan.host, orphan.name))


def _instances(spec: Spec, index: Index) -> Iterator[Orphan]:
    for name, found in index.copies.items():
        current = current_copy(name, index)
        for copy in found if not is_copy(name) else ():
            if name not in spec.workloads:
                yield Orphan(copy.instance.KIND, copy.instance.name, copy.host, name, "no spec defines it")
            elif current is not None and copy is not current:
                why = f"the one that counts is on {current.host}"
                yield Orphan(copy.instance.KIND, copy.instance.name, copy.host, name, why)


def _volumes(spec: Spec, index: Index) -> Iterator[Orphan]:
    for name, volumes in index.kept.items():
        workload, current = spec.workloads.get(name), current_copy(name, index)
        named = {volume.name for volume in workload.spec.volumes} if workload else set()
        for host, facts in volumes if not is_copy(name) else ():
            if any(_uses(copy, name) for copy in index.volumes.get((host, facts.name), ())):
                continue
            if workload is None:
                why = "no spec defines its workload"
            elif facts.name not in named:
                why = "its workload's spec does not name it"
            elif is_void(host, facts, name, index):
                why = "an undone hand-over has left it"
            elif current is not None and current.host != host:
                why = f"its workload is on {current.host}"
            else:
                continue
            yield Orphan("volume", facts.name, host, name, why)


def _uses(copy: Copy, workload: str) -> bool:
    """Whether that instance is one of the workload's which still counts for something: it runs."""
    return copy.instance.labels.get(LABEL_WORKLOAD) == workload and copy.instance.state.has_processes
