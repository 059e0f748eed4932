"""Two hosts and a workload, on which a runtime is asked for everything it promises (`tests/drivers/contract.py`).

Each operation is done twice, or cut short at every command that changes something: by another object of the
runtime each time, for a lost reply and another controller look like that.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from typing import Any, Protocol, TypeVar, cast

from reconciler.errors import ReplyLost
from reconciler.facts.adding import with_runtime
from reconciler.facts.host import look
from reconciler.guard import guard
from reconciler.hosts.base import Fleet, Host, pump
from reconciler.model.command import Command, Fence, Program, Result
from reconciler.model.labels import LABEL_SPEC, LABEL_WORKLOAD
from reconciler.model.live import LiveMigration
from reconciler.model.plan import Move, Phase
from reconciler.model.spec import Cutover, MigrationPolicySpec, Strategy, TcpHandling, Workload
from reconciler.model.world import ContainerFacts, HostFacts, Instance
from reconciler.runtimes.base import (
    CapturingDriver,
    Checks,
    Driver,
    Handover,
    Located,
    LooksCloser,
    Runtime,
    SelfMoving,
    Underway,
    Volumes,
)

T = TypeVar("T")

NAME = "contract"
RUN = "run-1"


class All(CapturingDriver, SelfMoving, Protocol):
    """Whatever any runtime can be asked for."""


class How(StrEnum):
    """How an operation is asked for. Each value is what build/contract.json adds to its name."""

    TWICE = "twice"
    CUT = "cut short"
    UNDONE = "undone"


UNDOES: Mapping[str, tuple[str, ...]] = {
    "remove": ("create",),
    "stop": ("start",),
    "bring_back": ("set_aside",),
    "update_back": ("update",),
    "remove_volume": ("create_volume",),
    "unstage": ("stage", "take_round"),
    "resume": ("locate", "pre_dump", "build_on", "hold", "commit_source"),
    "fence_off": ("commit_destination", "restore"),
}
"""By what takes them back. The others only read, are taken back by nothing (what is shared stays: images and
networks; what was proven: `confirm`, `retire`, `finish`), or are themselves ways back."""


class Losing:
    """A host whose reply to one of the commands that change something is lost: it ran, and nobody heard."""

    def __init__(self, inner: Host, lost: int) -> None:
        self.name, self._inner, self._left = inner.name, inner, lost

    async def run(self, command: Command) -> Result:
        result = await self._inner.run(command)
        if command.changes:
            self._left -= 1
            if self._left == -1:
                raise ReplyLost("the reply is lost", where=self.name)
        return result


class Noting:
    """A runtime that notes what it is asked for."""

    def __init__(self, runtime: Runtime, note: Callable[[str], None]) -> None:
        self._runtime, self._note = runtime, note

    def __getattr__(self, name: str) -> Any:
        self._note(name)
        return getattr(self._runtime, name)


@dataclass
class Asked:
    """Which operations were asked for, and how."""

    rows: set[tuple[str, How]] = field(default_factory=set)
    names: set[str] = field(default_factory=set)

    def note(self, operation: str, how: How) -> None:
        self.names.add(operation)
        self.rows.add((operation, how))
        self.rows |= {(done, How.UNDONE) for done in UNDOES.get(operation, ()) if done in self.names}


@dataclass
class Scene:
    """Two hosts, a runtime, and a workload that keeps its count in memory. `count` asks the running copy. What a
    runtime lacks is not asked for."""

    fleet: Fleet
    new_driver: Callable[[], Runtime]
    workload: Workload
    count: Callable[[], int]
    address: str
    source: str = "h1"
    destination: str = "h2"
    how: How = How.TWICE
    live: LiveMigration = field(default_factory=LiveMigration)
    stall: Callable[[], None] = lambda: None
    addresses: Mapping[str, str] = field(default_factory=dict)
    asked: Asked = field(default_factory=Asked)

    @property
    def driver(self) -> All:
        """Another one each time."""
        return cast(All, self.new_driver())

    def can(self, ability: type) -> bool:
        return isinstance(self.new_driver(), ability)

    async def on(self, host: str, program: Program[T]) -> T:
        return await pump(program, self.fleet.host(host))

    async def do(self, host: str, make: Callable[[All], Program[T]]) -> T:
        """Do a step as `how` says; answers the first outcome."""
        names: list[str] = []

        def program() -> Program[T]:
            return make(cast(All, Noting(self.new_driver(), names.append)))

        if self.how is How.CUT:
            outcome = await self._cut_short(host, program)
        else:
            outcome = await self.on(host, program())
            await self.on(host, program())
        self.asked.note(names[0], self.how)
        return outcome

    async def _cut_short(self, host: str, program: Callable[[], Program[T]]) -> T:
        """The reply to the first command that changes something is lost, then that to the second, and so on, until
        there are no more."""
        for lost in itertools.count():
            try:
                return await pump(program(), Losing(self.fleet.host(host), lost))
            except ReplyLost:
                continue
        raise AssertionError

    async def facts(self, host: str) -> HostFacts:
        """As plans have it: the host itself, and what the runtime has there."""
        itself = await self.on(host, look(host))
        return with_runtime(itself, self.driver.NAME, await self.on(host, self.driver.observe(itself)))

    async def copy(self, host: str) -> Instance | None:
        """The workload's copy on a host, as observed."""
        facts = await self.facts(host)
        return next((c for c in facts.instances if c.labels.get(LABEL_WORKLOAD) == NAME), None)

    async def spec_of(self, host: str) -> str:
        """The spec that the running copy has."""
        copy = await self.copy(host)
        assert copy is not None
        return copy.labels[LABEL_SPEC]

    async def healthy(self, host: str) -> None:
        """Its check passes, where the runtime can ask."""
        if self.can(Checks):
            check = self.workload.spec.health
            assert check is not None
            await self.do(host, lambda d: d.health(NAME, check, self.address))

    def looking(self, driver: Driver) -> LooksCloser:
        return cast(LooksCloser, driver)

    async def running_on(self) -> list[str]:
        found = [await self.on(h, self.driver.alive(NAME)) for h in (self.source, self.destination)]
        return [h for h, a in zip((self.source, self.destination), found, strict=True) if a.running]

    async def prepare(self) -> None:
        for host in (self.source, self.destination):
            await self.do(host, lambda d: d.prepare_host())

    async def run_it(self, epoch: int = 0, secrets: Mapping[str, bytes] | None = None) -> None:
        """Create and start the workload on the source."""
        fence = Fence(NAME, epoch)
        values = secrets or {}
        await self.prepare()
        for volume in self.workload.spec.volumes if self.can(Volumes) else ():
            await self.do(self.source, partial(_create_volume, volume.name))
        await self.do(self.source, lambda d: d.create(self.workload, fence, oci_runtime="", secrets=values))
        await self.do(self.source, lambda d: d.start(self.workload, fence))
        await self.healthy(self.source)

    async def handover(
        self,
        *,
        cutover: Cutover = Cutover.TRANSACTIONAL,
        strategy: Strategy = Strategy.COLD,
        back: bool = False,
        tcp: TcpHandling = TcpHandling.ESTABLISHED,
    ) -> Handover:
        """The next move of the workload, as a plan would have it."""
        source, destination = (self.destination, self.source) if back else (self.source, self.destination)
        views = [await self.facts(h) for h in (source, destination)]
        copy = next(c for c in views[0].instances if c.name == NAME)
        known = [m.epoch for v in views for m in v.markers if m.workload == NAME]
        move = Move(
            workload=NAME,
            source=source,
            destination=destination,
            container_id=copy.id,
            image_id=copy.image_id,
            epoch=max(known, default=0) + 1,
            cutover=cutover,
            strategy=strategy,
            oci_runtime=copy.oci_runtime if isinstance(copy, ContainerFacts) else "",
            memory_bytes=copy.memory_bytes,
        )
        return Handover(self.workload, move, MigrationPolicySpec(tcp=tcp), RUN)

    async def announced(self, *, back: bool = False, slowly: bool = False) -> Handover:
        """A move that the runtime makes by itself, of which both hosts know. `slowly`: one that takes its time."""
        h = await self.handover(back=back)
        if slowly:
            self.stall()
        live = self.live.model_copy(update={"bandwidth": "1MiB"} if slowly else {})
        h = replace(
            h,
            move=h.move.model_copy(update={"cutover": None, "strategy": None}),
            policy=h.policy.model_copy(update={"live": live}),
            address=self.addresses.get(h.move.destination, ""),
        )
        for host, role in ((h.move.source, "source"), (h.move.destination, "destination")):
            await self.on(host, guard.mark(h.fence, Phase.RESERVED, cast(guard.Role, role), run=RUN))
        return h

    async def ended(self, h: Handover) -> Underway:
        """How a move ended that its runtime made."""
        for _ in range(600):
            stands = await self.on(h.move.source, self.driver.progress(h))
            if not stands.moving:
                return stands
            await asyncio.sleep(0.1)
        raise AssertionError("it does not end")

    async def reserve(self, h: Handover) -> tuple[Located, Located]:
        there = await self.do(h.move.destination, lambda d: d.stage(h, secrets={}))
        here = await self.do(h.move.source, lambda d: d.locate(h))
        await self.fleet.open_link(h.move.source, h.move.destination, f"{RUN}-{NAME}")
        return here, there

    async def hold(self, h: Handover) -> None:
        held = await self.do(h.move.source, lambda d: d.hold(h))
        assert held.image_bytes > 0

    async def transfer(self, h: Handover, here: Located, there: Located) -> None:
        pairs = tuple(zip(here.trees, there.trees, strict=True))
        key = f"{RUN}-{NAME}"
        await self.fleet.copy_trees(h.move.source, h.move.destination, key, pairs, lambda done: None)

    async def feed(self, h: Handover, here: Located) -> None:
        await self.fleet.feed(h.move.source, h.move.destination, f"{RUN}-{NAME}", here.trees[0])

    async def commit(self, h: Handover) -> None:
        await self.do(h.move.source, lambda d: d.commit_source(h))
        await self.do(h.move.destination, lambda d: d.commit_destination(h))

    async def to_commit(self, h: Handover) -> None:
        here, there = await self.reserve(h)
        await self.hold(h)
        await self.transfer(h, here, there)
        await self.commit(h)

    async def finish(self, h: Handover) -> None:
        """From a committed hand-over to its end."""
        await self.do(h.move.destination, lambda d: d.restore(h))
        await self.do(h.move.destination, lambda d: d.verify(h))
        await self.healthy(h.move.destination)
        await self.do(h.move.destination, lambda d: d.confirm(h))
        await self.do(h.move.source, lambda d: d.retire(h))
        await self.do(h.move.destination, lambda d: d.finish(h))
        await self.fleet.close_link(h.move.source, h.move.destination, f"{RUN}-{NAME}")

    async def put_back(self, h: Handover, epoch: int | None = None) -> None:
        """Undo a move: the source runs, nothing of it is left on the destination."""
        fence = Fence(NAME, epoch or h.move.epoch)
        if epoch:  # a committed source is claimed first
            await self.on(h.move.source, guard.mark(fence, Phase.VERIFIED, "source", run=h.run))
        await self.do(h.move.source, lambda d: d.resume(h, fence))
        await self.do(h.move.destination, lambda d: d.unstage(h))
        await self.fleet.close_link(h.move.source, h.move.destination, f"{RUN}-{NAME}")


def _create_volume(name: str, driver: Driver) -> Program[None]:
    return driver.create_volume(name, Fence(NAME, 0), RUN)
