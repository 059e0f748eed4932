"""What every runtime must do, by ability: subclass the classes of those it has, and give them a fixture `scene`.

Each step is done twice, or cut short at every command, by another object of the runtime each time
(`tests/drivers/scene.py`).
"""

from __future__ import annotations

from typing import ClassVar

import pytest

from reconciler.errors import CommandFailed, GuardRefused, Refused
from reconciler.facts.host import look
from reconciler.guard import guard
from reconciler.model.command import Fence
from reconciler.model.container import RestartPolicy
from reconciler.model.labels import LABEL_SPEC
from reconciler.model.network import NetworkDefinition
from reconciler.model.plan import Phase
from reconciler.model.question import Question
from reconciler.model.spec import Cutover, Strategy
from reconciler.runtimes.base import Handover
from tests.drivers.following import FollowsContract
from tests.drivers.scene import NAME, RUN, How, Scene

CUTOVERS = pytest.mark.parametrize("cutover", [Cutover.TRANSACTIONAL, Cutover.RESTORE_BACK])
HOWS = pytest.mark.parametrize("how", [How.TWICE, How.CUT])


class RuntimeContract:
    """For every runtime with the ability `lifecycle`. Give it a fixture `scene`, of hosts without instances and
    markers."""

    runtime: ClassVar[str]

    @HOWS
    async def test_life(self, scene: Scene, how: How) -> None:
        scene.how = how
        await scene.run_it()
        first = scene.count()
        copy = await scene.copy(scene.source)
        assert copy is not None
        assert copy.state.has_processes
        assert LABEL_SPEC in copy.labels
        assert await scene.running_on() == [scene.source]
        assert scene.count() > first

        await scene.do(scene.source, lambda d: d.stop(NAME, Fence(NAME, 0)))
        stopped = await scene.copy(scene.source)
        assert stopped is not None
        assert not stopped.state.has_processes
        await scene.do(scene.source, lambda d: d.remove(NAME, Fence(NAME, 0)))
        assert await scene.copy(scene.source) is None
        assert not (await scene.on(scene.source, scene.driver.alive(NAME))).exists

    async def test_observing_changes_nothing_and_sees_the_same(self, scene: Scene) -> None:
        await scene.run_it()
        itself = await scene.on(scene.source, look(scene.source))
        first = await scene.do(scene.source, lambda d: d.observe(itself))
        second = await scene.on(scene.source, scene.driver.observe(itself))
        same = {"disk_free_bytes", "instances"}
        assert first.model_dump(exclude=same) == second.model_dump(exclude=same)
        assert [c.id for c in first.instances] == [c.id for c in second.instances]
        assert (await scene.do(scene.source, lambda d: d.alive(NAME))).running

    async def test_an_older_epoch_is_refused(self, scene: Scene) -> None:
        await scene.run_it(epoch=5)
        with pytest.raises(GuardRefused):
            await scene.on(scene.source, scene.driver.stop(NAME, Fence(NAME, 4)))
        assert await scene.running_on() == [scene.source]

    @HOWS
    async def test_set_aside_and_brought_back(self, scene: Scene, how: How) -> None:
        scene.how = how
        await scene.run_it()
        fence = Fence(NAME, 0)
        await scene.do(scene.source, lambda d: d.set_aside(NAME, fence))
        assert await scene.running_on() == []
        await scene.on(scene.source, scene.driver.create(scene.workload, fence, oci_runtime="", secrets={}))
        await scene.do(scene.source, lambda d: d.bring_back(NAME, fence))
        await scene.healthy(scene.source)
        assert await scene.running_on() == [scene.source]

    @HOWS
    async def test_set_aside_and_replaced(self, scene: Scene, how: How) -> None:
        scene.how = how
        await scene.run_it()
        fence = Fence(NAME, 0)
        await scene.on(scene.source, scene.driver.set_aside(NAME, fence))
        await scene.on(scene.source, scene.driver.create(scene.workload, fence, oci_runtime="", secrets={}))
        await scene.on(scene.source, scene.driver.start(scene.workload, fence))
        await scene.do(scene.source, lambda d: d.remove_aside(NAME, fence))
        instances = (await scene.facts(scene.source)).instances
        assert [c.name for c in instances] == [NAME]


class UpdatesContract:
    """For runtimes that change values of what runs."""

    @HOWS
    async def test_changed_while_it_runs_and_changed_back(self, scene: Scene, how: How) -> None:
        scene.how = how
        await scene.run_it()
        before, fence = scene.count(), Fence(NAME, 0)
        container = scene.workload.container.model_copy(update={"restart": RestartPolicy.ALWAYS})
        spec = scene.workload.spec.model_copy(update={"container": container})
        other = scene.workload.model_copy(update={"spec": spec})
        was = await scene.spec_of(scene.source)
        await scene.do(scene.source, lambda d: d.update(other, fence, RUN))
        assert '"restart":"always"' in await scene.spec_of(scene.source)
        await scene.do(scene.source, lambda d: d.update_back(NAME, fence, RUN))
        assert await scene.spec_of(scene.source) == was
        assert scene.count() > before


class VolumesContract:
    """For runtimes with volumes."""

    @HOWS
    async def test_volumes_of_others_are_left_alone(self, scene: Scene, how: How) -> None:
        scene.how = how
        await scene.prepare()
        other = Fence("somebody", 0)
        await scene.do(scene.source, lambda d: d.create_volume("contract-data", other, RUN))
        with pytest.raises(Refused):
            await scene.on(scene.source, scene.driver.create_volume("contract-data", Fence(NAME, 0), RUN))
        with pytest.raises(Refused):
            await scene.on(scene.source, scene.driver.remove_volume("contract-data", Fence(NAME, 0)))
        await scene.do(scene.source, lambda d: d.remove_volume("contract-data", other))
        assert "contract-data" not in [v.name for v in (await scene.facts(scene.source)).volumes]

    @HOWS
    async def test_a_volume_of_another_run_is_neither_taken_nor_undone(self, scene: Scene, how: How) -> None:
        scene.how = how
        await scene.prepare()
        fence = Fence(NAME, 0)
        await scene.do(scene.source, lambda d: d.create_volume("contract-data", fence, "earlier"))
        with pytest.raises(Refused):
            await scene.on(scene.source, scene.driver.create_volume("contract-data", fence, RUN))
        await scene.on(scene.source, scene.driver.remove_volume("contract-data", fence, made_by=RUN))
        tree = await scene.do(scene.source, lambda d: d.locate_volume("contract-data", NAME))
        assert tree.name == "contract-data"
        await scene.do(scene.source, lambda d: d.keep_volume(tree))


class StoresContract(VolumesContract):
    """For runtimes with images, networks and volumes."""

    @HOWS
    async def test_images_and_networks_are_made_present(self, scene: Scene, how: How) -> None:
        scene.how = how
        await scene.prepare()
        image = await scene.do(scene.source, lambda d: d.pull_image(scene.workload.container.image))
        assert image in [found.id for found in (await scene.facts(scene.source)).images]
        archive = await scene.do(scene.source, lambda d: d.pack_image(image))
        assert await scene.do(scene.source, lambda d: d.has_image(archive.id))
        await scene.do(scene.destination, lambda d: d.take_image(archive, scene.workload.container.image))
        network = NetworkDefinition(driver="bridge")
        await scene.do(scene.source, lambda d: d.create_network("contract-net", network))
        assert "contract-net" in [found.name for found in (await scene.facts(scene.source)).networks]


class LooksContract:
    """For runtimes that can look closer."""

    async def test_a_closer_look_changes_nothing(self, scene: Scene) -> None:
        await scene.run_it()
        facts = await scene.facts(scene.source)
        (copy,) = facts.containers
        question = Question(addresses=(scene.address,), names=(NAME,), containers=((copy.id, copy.pid),))
        looked = await scene.do(scene.source, lambda d: scene.looking(d).preflight(facts, question))
        assert looked.preflight is not None
        assert looked.containers[0].held is not None
        assert (await scene.facts(scene.source)).markers == facts.markers


class MovesContract:
    """For runtimes that move what runs."""

    @pytest.mark.parametrize(
        ("cutover", "strategy", "how"),
        [
            (Cutover.TRANSACTIONAL, Strategy.COLD, How.TWICE),
            (Cutover.TRANSACTIONAL, Strategy.LAZY, How.TWICE),
            (Cutover.RESTORE_BACK, Strategy.COLD, How.TWICE),
            (Cutover.RESTORE_BACK, Strategy.LAZY, How.TWICE),
            (Cutover.TRANSACTIONAL, Strategy.LAZY, How.CUT),
            (Cutover.RESTORE_BACK, Strategy.COLD, How.CUT),
        ],
    )
    async def test_move_there_and_back(self, scene: Scene, cutover: Cutover, strategy: Strategy, how: How) -> None:
        scene.how = how
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
            assert copy.processes >= 1
            assert copy.memory_bytes > 0
            markers = {m.workload: m for m in (await scene.facts(h.move.destination)).markers}
            assert (markers[NAME].phase, markers[NAME].role) == (Phase.RUNNING, "owner")

    @HOWS
    async def test_put_back_before_the_hold(self, scene: Scene, how: How) -> None:
        scene.how = how
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
        await scene.do(scene.destination, lambda d: d.fence_off(h, epoch))
        await scene.put_back(h, epoch)
        assert scene.count() > before
        assert await scene.running_on() == [scene.source]
        with pytest.raises((GuardRefused, CommandFailed)):
            await scene.on(scene.destination, scene.driver.restore(h))
        assert await scene.running_on() == [scene.source]

    @HOWS
    async def test_back_from_a_copy_that_ran(self, scene: Scene, how: How) -> None:
        scene.how = how
        await scene.run_it()
        before = scene.count()
        h = await scene.handover()
        await scene.to_commit(h)
        await scene.do(scene.destination, lambda d: d.restore(h))
        assert await scene.running_on() == [scene.destination]
        await scene.do(scene.destination, lambda d: d.fence_off(h, h.move.epoch + 1))
        assert await scene.running_on() == []
        await scene.do(scene.source, lambda d: d.hang_up(h))
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

    @HOWS
    async def test_rounds_of_a_precopy_and_back(self, scene: Scene, how: How) -> None:
        scene.how = how
        await scene.run_it()
        if "mem_dirty_track" not in (await scene.facts(scene.source)).features:
            pytest.skip("this kernel does not track changed memory: no rounds")
        before = scene.count()
        h = await scene.handover(strategy=Strategy.PRECOPY)
        await scene.reserve(h)
        first = await scene.do(h.move.source, lambda d: d.pre_dump(h, 1))
        assert first.image_bytes > 0
        await scene.do(h.move.destination, lambda d: d.take_round(h, 1))
        await scene.do(h.move.source, lambda d: d.build_on(h, 1))
        await scene.hold(h)
        await scene.put_back(h)
        assert scene.count() > before
        assert await scene.running_on() == [scene.source]


class CapturesContract:
    """For runtimes that save what runs on, each into a folder that is empty before."""

    @HOWS
    async def test_saved_while_it_runs(self, scene: Scene, how: How) -> None:
        scene.how = how
        await scene.run_it()
        before, folder = scene.count(), f"/var/lib/reconciler/checkpoints/{NAME}/.{RUN}.part"
        h = await scene.handover()
        located = await scene.do(scene.source, lambda d: d.shadow(h, folder))
        assert located.trees[0].kind == "images"
        held = await scene.do(scene.source, lambda d: d.capture(h, folder))
        assert held.image_bytes > 0
        await scene.do(scene.source, lambda d: d.resume(h, h.fence))
        assert scene.count() > before, "it was started anew"
        assert await scene.running_on() == [scene.source]


class SelfMovesContract:
    """For runtimes that move by themselves."""

    @HOWS
    async def test_moved_by_itself_there_and_back(self, scene: Scene, how: How) -> None:
        scene.how = how
        await scene.run_it()
        before = scene.count()
        for back in (False, True):
            h = await scene.announced(back=back)
            await self._moved(scene, h)
            after = scene.count()
            assert after > before, "it was started anew instead of moved"
            before = after
            assert not (await scene.on(h.move.source, scene.driver.alive(NAME))).exists

    async def _moved(self, scene: Scene, h: Handover) -> None:
        here, there = h.move.source, h.move.destination
        await scene.do(there, lambda d: d.receive(h))
        assert await scene.running_on() == [here]
        await scene.do(here, lambda d: d.begin(h))
        assert (await scene.ended(h)).why == ""
        assert await scene.running_on() == [there]
        await scene.on(there, guard.mark(h.after, Phase.RUNNING, "owner", run=RUN))
        await scene.do(there, lambda d: d.keep(h, h.after))
        await scene.on(here, guard.mark(h.after, Phase.RETIRED, "source", run=RUN))
        await scene.do(here, lambda d: d.drop(h, h.after))
        await scene.healthy(there)

    @HOWS
    async def test_cancelled_it_stays_and_a_late_begin_moves_nothing(self, scene: Scene, how: How) -> None:
        scene.how = how
        await scene.run_it()
        before = scene.count()
        h = await scene.announced(slowly=True)
        await scene.do(scene.destination, lambda d: d.receive(h))
        await scene.do(scene.source, lambda d: d.begin(h))
        assert (await scene.do(scene.source, lambda d: d.progress(h))).moving
        await scene.on(scene.source, guard.mark(h.after, Phase.RESERVED, "source", run=RUN))
        await scene.do(scene.source, lambda d: d.cancel(h))
        assert (await scene.ended(h)).why
        with pytest.raises(GuardRefused):
            await scene.on(scene.source, scene.driver.begin(h))
        assert not (await scene.on(scene.source, scene.driver.progress(h))).moving
        await scene.on(scene.destination, guard.mark(h.after, Phase.FENCED, "destination", run=RUN))
        await scene.do(scene.destination, lambda d: d.drop(h, h.after))
        await scene.on(scene.source, guard.mark(h.after, Phase.RUNNING, "owner", run=RUN))
        await scene.do(scene.source, lambda d: d.keep(h, h.after))
        assert await scene.running_on() == [scene.source]
        assert not (await scene.on(scene.destination, scene.driver.alive(NAME))).exists
        assert scene.count() > before

    async def test_what_runs_is_not_dropped(self, scene: Scene) -> None:
        await scene.run_it()
        h = await scene.announced()
        await scene.on(scene.source, guard.mark(h.after, Phase.RETIRED, "source", run=RUN))
        with pytest.raises(CommandFailed, match="runs"):
            await scene.on(scene.source, scene.driver.drop(h, h.after))
        assert await scene.running_on() == [scene.source]


class DriverContract(RuntimeContract, UpdatesContract, StoresContract, MovesContract, FollowsContract):
    """All that plans may ask for."""
