"""What every driver must do, whatever the runtime: subclass `DriverContract` and give it a `stage_set`.

Each step is done twice, by another driver object each time: a lost reply and another controller look like that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, TypeVar

import pytest

from reconciler.errors import CommandFailed, GuardRefused, Refused
from reconciler.guard import guard
from reconciler.hosts.base import Fleet, pump
from reconciler.model.command import Fence, Program
from reconciler.model.labels import LABEL_SPEC, LABEL_WORKLOAD
from reconciler.model.plan import Move, Phase
from reconciler.model.spec import Cutover, MigrationPolicySpec, Strategy, TcpHandling, Workload
from reconciler.model.world import ContainerFacts, HostFacts
from reconciler.runtimes.base import Driver, Handover, Located

T = TypeVar("T")

NAME = "contract"
RUN = "run-1"


@dataclass
class Scene:
    """Two hosts, a driver, and a workload that keeps its count in memory. `count` asks the running copy."""

    fleet: Fleet
    new_driver: Callable[[], Driver]
    workload: Workload
    count: Callable[[], int]
    address: str
    source: str = "h1"
    destination: str = "h2"

    @property
    def driver(self) -> Driver:
        """Another one each time."""
        return self.new_driver()

    async def on(self, host: str, program: Program[T]) -> T:
        return await pump(program, self.fleet.host(host))

    async def twice(self, host: str, make: Callable[[Driver], Program[T]]) -> T:
        """Do a step, and again as another controller would; answers the first outcome."""
        first = await self.on(host, make(self.driver))
        await self.on(host, make(self.driver))
        return first

    async def facts(self, host: str) -> HostFacts:
        return await self.on(host, self.driver.observe(host))

    async def copy(self, host: str) -> ContainerFacts | None:
        """The workload's container on a host, as observed."""
        facts = await self.facts(host)
        return next((c for c in facts.containers if c.labels.get(LABEL_WORKLOAD) == NAME), None)

    async def running_on(self) -> list[str]:
        found = [await self.on(h, self.driver.alive(NAME)) for h in (self.source, self.destination)]
        return [h for h, a in zip((self.source, self.destination), found, strict=True) if a.running]

    async def prepare(self) -> None:
        for host in (self.source, self.destination):
            await self.twice(host, lambda d: d.prepare_host())

    async def run_it(self, epoch: int = 0, secrets: Mapping[str, bytes] | None = None) -> None:
        """Create and start the workload on the source."""
        fence = Fence(NAME, epoch)
        values = secrets or {}
        await self.prepare()
        for volume in self.workload.container.volumes:
            await self.twice(self.source, partial(_create_volume, volume.name))
        await self.twice(self.source, lambda d: d.create(self.workload, fence, oci_runtime="", secrets=values))
        await self.twice(self.source, lambda d: d.start(self.workload, fence))
        await self.healthy(self.source)

    async def healthy(self, host: str) -> None:
        check = self.workload.spec.health
        assert check is not None
        await self.on(host, self.driver.health(NAME, check, self.address))

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
        container = next(c for c in views[0].containers if c.name == NAME)
        known = [m.epoch for v in views for m in v.markers if m.workload == NAME]
        move = Move(
            workload=NAME,
            source=source,
            destination=destination,
            container_id=container.id,
            image_id=container.image_id,
            epoch=max(known, default=0) + 1,
            cutover=cutover,
            strategy=strategy,
            oci_runtime=container.oci_runtime,
            memory_bytes=container.memory_bytes,
        )
        return Handover(self.workload, move, MigrationPolicySpec(tcp=tcp), RUN)

    async def reserve(self, h: Handover) -> tuple[Located, Located]:
        there = await self.twice(h.move.destination, lambda d: d.stage(h, secrets={}))
        here = await self.twice(h.move.source, lambda d: d.locate(h))
        await self.fleet.open_link(h.move.source, h.move.destination, f"{RUN}-{NAME}")
        return here, there

    async def hold(self, h: Handover) -> None:
        held = await self.twice(h.move.source, lambda d: d.hold(h))
        assert held.image_bytes > 0

    async def transfer(self, h: Handover, here: Located, there: Located) -> None:
        pairs = tuple(zip(here.trees, there.trees, strict=True))
        key = f"{RUN}-{NAME}"
        await self.fleet.copy_trees(h.move.source, h.move.destination, key, pairs, lambda done: None)

    async def commit(self, h: Handover) -> None:
        await self.twice(h.move.source, lambda d: d.commit_source(h))
        await self.twice(h.move.destination, lambda d: d.commit_destination(h))

    async def to_commit(self, h: Handover) -> None:
        here, there = await self.reserve(h)
        await self.hold(h)
        await self.transfer(h, here, there)
        await self.commit(h)

    async def finish(self, h: Handover) -> None:
        """From a committed hand-over to its end."""
        await self.twice(h.move.destination, lambda d: d.restore(h))
        await self.twice(h.move.destination, lambda d: d.verify(h))
        await self.healthy(h.move.destination)
        await self.twice(h.move.destination, lambda d: d.confirm(h))
        await self.twice(h.move.source, lambda d: d.retire(h))
        await self.twice(h.move.destination, lambda d: d.finish(h))
        await self.fleet.close_link(h.move.source, h.move.destination, f"{RUN}-{NAME}")

    async def put_back(self, h: Handover, epoch: int | None = None) -> None:
        """Undo a move: the source runs, nothing of it is left on the destination."""
        fence = Fence(NAME, epoch or h.move.epoch)
        if epoch:  # a committed source is claimed first
            await self.on(h.move.source, guard.mark(fence, Phase.VERIFIED, "source", run=h.run))
        await self.twice(h.move.source, lambda d: d.resume(h, fence))
        await self.twice(h.move.destination, lambda d: d.unstage(h))
        await self.fleet.close_link(h.move.source, h.move.destination, f"{RUN}-{NAME}")


def _create_volume(name: str, driver: Driver) -> Program[None]:
    return driver.create_volume(name, Fence(NAME, 0), RUN)


CUTOVERS = pytest.mark.parametrize("cutover", [Cutover.TRANSACTIONAL, Cutover.RESTORE_BACK])


class DriverContract:
    """The suite. Give it a fixture `scene`, of hosts without containers and markers."""

    runtime: ClassVar[str]

    async def test_life(self, scene: Scene) -> None:
        await scene.run_it()
        first = scene.count()
        copy = await scene.copy(scene.source)
        assert copy is not None
        assert copy.state.has_processes
        assert copy.processes >= 1
        assert copy.memory_bytes > 0
        assert LABEL_SPEC in copy.labels
        assert await scene.running_on() == [scene.source]
        assert scene.count() > first

        await scene.twice(scene.source, lambda d: d.stop(NAME, Fence(NAME, 0)))
        stopped = await scene.copy(scene.source)
        assert stopped is not None
        assert not stopped.state.has_processes
        await scene.twice(scene.source, lambda d: d.remove(NAME, Fence(NAME, 0)))
        assert await scene.copy(scene.source) is None
        assert not (await scene.on(scene.source, scene.driver.alive(NAME))).exists

    async def test_observing_changes_nothing_and_sees_the_same(self, scene: Scene) -> None:
        await scene.run_it()
        first, second = await scene.facts(scene.source), await scene.facts(scene.source)
        same = {"memory_free_bytes", "disk_free_bytes", "clock_s", "instances"}
        assert first.model_dump(exclude=same) == second.model_dump(exclude=same)
        assert [c.id for c in first.containers] == [c.id for c in second.containers]

    async def test_an_older_epoch_is_refused(self, scene: Scene) -> None:
        await scene.run_it(epoch=5)
        with pytest.raises(GuardRefused):
            await scene.on(scene.source, scene.driver.stop(NAME, Fence(NAME, 4)))
        assert await scene.running_on() == [scene.source]

    async def test_set_aside_and_brought_back(self, scene: Scene) -> None:
        await scene.run_it()
        fence = Fence(NAME, 0)
        await scene.twice(scene.source, lambda d: d.set_aside(NAME, fence))
        assert await scene.running_on() == []
        await scene.on(scene.source, scene.driver.create(scene.workload, fence, oci_runtime="", secrets={}))
        await scene.twice(scene.source, lambda d: d.bring_back(NAME, fence))
        await scene.healthy(scene.source)
        assert await scene.running_on() == [scene.source]

    async def test_set_aside_and_replaced(self, scene: Scene) -> None:
        await scene.run_it()
        fence = Fence(NAME, 0)
        await scene.on(scene.source, scene.driver.set_aside(NAME, fence))
        await scene.on(scene.source, scene.driver.create(scene.workload, fence, oci_runtime="", secrets={}))
        await scene.on(scene.source, scene.driver.start(scene.workload, fence))
        await scene.twice(scene.source, lambda d: d.remove_aside(NAME, fence))
        containers = (await scene.facts(scene.source)).containers
        assert [c.name for c in containers] == [NAME]

    async def test_volumes_of_others_are_left_alone(self, scene: Scene) -> None:
        await scene.prepare()
        other = Fence("somebody", 0)
        await scene.twice(scene.source, lambda d: d.create_volume("contract-data", other, RUN))
        with pytest.raises(Refused):
            await scene.on(scene.source, scene.driver.create_volume("contract-data", Fence(NAME, 0), RUN))
        with pytest.raises(Refused):
            await scene.on(scene.source, scene.driver.remove_volume("contract-data", Fence(NAME, 0)))
        await scene.twice(scene.source, lambda d: d.remove_volume("contract-data", other))

    async def test_a_volume_of_another_run_is_neither_taken_nor_undone(self, scene: Scene) -> None:
        await scene.prepare()
        fence = Fence(NAME, 0)
        await scene.twice(scene.source, lambda d: d.create_volume("contract-data", fence, "earlier"))
        with pytest.raises(Refused):
            await scene.on(scene.source, scene.driver.create_volume("contract-data", fence, RUN))
        await scene.on(scene.source, scene.driver.remove_volume("contract-data", fence, made_by=RUN))
        tree = await scene.on(scene.source, scene.driver.locate_volume("contract-data", NAME))
        assert tree.name == "contract-data"

    @CUTOVERS
    @pytest.mark.parametrize("strategy", [Strategy.COLD, Strategy.LAZY])
    async def test_move_there_and_back(self, scene: Scene, cutover: Cutover, strategy: Strategy) -> None:
        await scene.run_it()
        before = scene.count()
        for back in (False, True):
            h = await scene.handover(cutover=cutover, strategy=strategy, back=back)
            await scene.to_commit(h)
            await scene.finish(h)
            assert await scene.running_on() == [h.move.destination]
            after = scene.count()
            assert after > before, "it was started anew instead of moved"
            before = after
            assert not (await scene.on(h.move.source, scene.driver.alive(NAME))).exists
            copy = await scene.copy(h.move.destination)
            assert copy is not None
            assert copy.started_at > 0
            markers = {m.workload: m for m in (await scene.facts(h.move.destination)).markers}
            assert (markers[NAME].phase, markers[NAME].role) == (Phase.RUNNING, "owner")

    async def test_put_back_before_the_hold(self, scene: Scene) -> None:
        await scene.run_it()
        before = scene.count()
        h = await scene.handover()
        await scene.reserve(h)
        await scene.put_back(h)
        assert scene.count() > before
        assert await scene.running_on() == [scene.source]
        assert not (await scene.on(scene.destination, scene.driver.alive(NAME))).exists

    @CUTOVERS
    async def test_put_back_after_the_copy(self, scene: Scene, cutover: Cutover) -> None:
        await scene.run_it()
        before = scene.count()
        h = await scene.handover(cutover=cutover)
        here, there = await scene.reserve(h)
        await scene.hold(h)
        assert await scene.running_on() == []
        await scene.transfer(h, here, there)
        await scene.put_back(h)
        assert scene.count() > before
        assert await scene.running_on() == [scene.source]
        with pytest.raises((GuardRefused, CommandFailed)):
            await scene.on(scene.source, scene.driver.commit_source(h))

    @CUTOVERS
    async def test_after_the_commit_only_a_fence_brings_it_back(self, scene: Scene, cutover: Cutover) -> None:
        await scene.run_it()
        before = scene.count()
        h = await scene.handover(cutover=cutover)
        await scene.to_commit(h)
        with pytest.raises(GuardRefused):
            await scene.on(scene.source, scene.driver.resume(h, h.fence))
        assert await scene.running_on() == []
        epoch = h.move.epoch + 1
        await scene.twice(scene.destination, lambda d: d.fence_off(h, epoch))
        await scene.put_back(h, epoch)
        assert scene.count() > before
        assert await scene.running_on() == [scene.source]
        with pytest.raises((GuardRefused, CommandFailed)):
            await scene.on(scene.destination, scene.driver.restore(h))
        assert await scene.running_on() == [scene.source]

    async def test_back_from_a_copy_that_ran(self, scene: Scene) -> None:
        await scene.run_it()
        before = scene.count()
        h = await scene.handover()
        await scene.to_commit(h)
        await scene.on(scene.destination, scene.driver.restore(h))
        assert await scene.running_on() == [scene.destination]
        await scene.twice(scene.destination, lambda d: d.fence_off(h, h.move.epoch + 1))
        assert await scene.running_on() == []
        await scene.put_back(h, h.move.epoch + 1)
        assert scene.count() > before
        assert await scene.running_on() == [scene.source]
        again = await scene.handover()
        await scene.to_commit(again)
        await scene.finish(again)
        assert await scene.running_on() == [scene.destination]

    async def test_nothing_is_staged_over_a_running_copy(self, scene: Scene) -> None:
        await scene.run_it()
        h = await scene.handover()
        wrong = Handover(h.workload, h.move.model_copy(update={"destination": scene.source}), h.policy, h.run)
        with pytest.raises(Refused):
            await scene.on(scene.source, scene.driver.stage(wrong, secrets={}))
        assert await scene.running_on() == [scene.source]

    async def test_what_the_spec_does_not_say_is_found(self, scene: Scene) -> None:
        await scene.run_it()
        h = await scene.handover()
        await scene.to_commit(h)
        await scene.on(scene.destination, scene.driver.restore(h))
        other = Handover(h.workload, h.move.model_copy(update={"image_id": "0" * 64}), h.policy, h.run)
        with pytest.raises(CommandFailed, match="spec"):
            await scene.on(scene.destination, scene.driver.verify(other))
        await scene.finish(h)
