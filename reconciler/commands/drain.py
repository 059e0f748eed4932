"""`reconcile drain`: a node of a cluster is emptied by moves of ours, and given back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from reconciler.commands.app import Applied, Apply, Seen, look
from reconciler.commands.compose import drivers, open_fleet, open_store
from reconciler.core.draining import Draining, drained
from reconciler.core.schedule import Slots
from reconciler.core.tending import narrowed
from reconciler.engine.cordon import cordon, uncordon
from reconciler.engine.lenient import Warn
from reconciler.engine.observe import observe
from reconciler.errors import HostError, InputError, Interrupted
from reconciler.hosts.base import Fleet, pump
from reconciler.model.ending import Ending
from reconciler.model.event import Reporter, ignore
from reconciler.model.place import cluster_of, node_of, seat
from reconciler.model.plan import Plan
from reconciler.model.spec import Spec
from reconciler.model.world import HostUnknown
from reconciler.state.identity import actor


@dataclass(frozen=True)
class Drained:
    """What became of it. `cordoned`: the node takes nothing new now; `theirs`: somebody else saw to that, who
    gives it back. `applied` None: somebody said no."""

    place: str
    cordoned: bool
    theirs: bool
    draining: Draining
    applied: Applied | None = None

    @property
    def left(self) -> bool:
        """Whether workloads of ours have to stay."""
        return bool(self.draining.nowhere)

    def ending(self, interrupted: bool = False) -> Ending:
        """As of `apply`; done in part where workloads have to stay."""
        if self.applied is None:
            return Ending.INTERRUPTED if interrupted else Ending.DECLINED
        ending = self.applied.ending(interrupted)
        return Ending.PARTLY if ending is Ending.DONE and self.left else ending


@dataclass
class Drain:
    """One node is emptied: cordoned, then its workloads are moved to nodes that fit, as many at once as KubeVirt
    lets go. It can be repeated, and goes on then. What no spec names is left to whoever runs it.

    `show` gets the plan before anything is changed; then `ask` is asked, where there is somebody to ask."""

    spec: Spec
    place: str
    journal_path: Path | None
    show: Callable[[Seen, Draining], None] = lambda seen, draining: None
    ask: Callable[[Seen], Awaitable[bool]] | None = None
    report: Reporter = ignore
    warn: Warn = lambda left: None
    _apply: Apply | None = field(default=None, init=False)

    def cancel(self) -> None:
        """Ctrl-C: as for apply. The node stays cordoned."""
        if self._apply is None:
            raise asyncio.CancelledError
        self._apply.cancel()

    async def __call__(self) -> Drained:
        refuse_no_node(self.spec, self.place)
        async with open_fleet(self.spec, self.warn) as fleet:
            draining = await self._draining(fleet)
            with open_store(self.journal_path, write=False) as journal:
                seen = await look(draining.spec, fleet, journal)
            part: Callable[[Plan], Plan] = partial(narrowed, workloads=draining.workloads)
            seen = Seen(seen.world, part(seen.plan), seen.points)
            self.show(seen, draining)
            if self.ask and not await self.ask(seen):
                return Drained(self.place, False, False, draining)
            try:
                ours = await pump(cordon(node_of(self.place), _note()), fleet.host(self.place))
                self._apply = Apply(
                    draining.spec,
                    self.journal_path,
                    report=self.report,
                    agreed=seen,
                    narrow=part,
                    limits=Slots(actions_per_host=draining.at_once),
                )
                return Drained(self.place, True, not ours, draining, await self._apply())
            except asyncio.CancelledError as error:
                what = f"stopped as you asked; nothing was moved, and {self.place} may be cordoned"
                raise Interrupted(what, fix=f"to give it back: reconcile drain {self.place} --undo") from error

    async def _draining(self, fleet: Fleet) -> Draining:
        own = seat(cluster_of(self.place))
        world = await observe(fleet, drivers(), [own])
        found = world.hosts[own]
        if isinstance(found, HostUnknown):
            raise HostError(found.reason, code=found.code, where=own, fix=f"reconcile doctor {own.rstrip('/')}")
        if self.place not in world.seen():
            nodes = ", ".join(sorted(node_of(name) for name in world.seen() if node_of(name)))
            what = f"{cluster_of(self.place)} has no node {node_of(self.place)}"
            raise InputError(what, code="E146", fix=f"one of: {nodes or 'it has none'}")
        return drained(self.spec, world.seen(), self.place)


def _note() -> str:
    return f"{actor()}, {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}"


async def give_back(spec: Spec, place: str, warn: Warn) -> tuple[bool, bool]:
    """`reconcile drain --undo`: as `uncordon` answers."""
    refuse_no_node(spec, place)
    async with open_fleet(spec, warn) as fleet:
        return await pump(uncordon(node_of(place)), fleet.host(place))


def refuse_no_node(spec: Spec, place: str) -> None:
    """InputError unless it is a node of a cluster of the specs, by its name."""
    if cluster_of(place) not in spec.clusters or not node_of(place):
        known = ", ".join(sorted(spec.clusters)) or "none; give the inventory with --specs"
        why = "what is on hosts goes where its spec places it" if place in spec.hosts else ""
        fix = f"CLUSTER/NODE; known clusters: {known}"
        raise InputError(f"`{place}` is no node of a cluster", code="E146", why=why, fix=fix)
