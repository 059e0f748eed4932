"""Hand-overs that only a person can decide, over hosts in memory; and what a lost journal is rebuilt to."""

import pytest

from reconciler.core.planner import make_plan
from reconciler.drivers.base import Handover
from reconciler.errors import GuardRefused, Refused
from reconciler.hosts.base import pump
from reconciler.hosts.memory import MemoryFleet, run_virtual
from reconciler.model.plan import StepKind
from reconciler.model.record import Mark, Run, RunState
from reconciler.observe import observe
from reconciler.recover import note_settled, rebuilt_runs, way_out
from reconciler.resolve import Decision
from reconciler.state.journal import Journal
from reconciler.steps import Steps
from tests.sim.driver import SimDriver
from tests.sim.shapes import scene

UPTO_COPY = (StepKind.COPY_IMAGE, StepKind.RESERVE, StepKind.STAGE, StepKind.HOLD, StepKind.TRANSFER)


class Stage:
    """A move that got as far as `kinds`, in memory."""

    def __init__(self, shape="move-restore-back", kinds=UPTO_COPY):
        self.scene, self.kinds = scene(shape), kinds
        self.machines = self.scene.universe.machines
        self.fleet, self.journal = MemoryFleet(self.scene.universe), Journal.open(":memory:")

    async def look(self):
        return await observe(self.fleet, {"podman": SimDriver()}, sorted(self.scene.spec.hosts))

    async def play(self):
        self.plan = make_plan(self.scene.spec, await self.look())
        self.journal.begin(Run(id="run1", plan=self.plan, started_at=0.0, actor="sim"))
        steps = Steps(self.plan, "run1", self.fleet, {"podman": SimDriver()}, lambda _: {})
        for step in self.plan.steps:
            if step.kind in self.kinds:
                self.journal.append("run1", step.id, Mark.INTENT, 0.0)
                steps.data[step.id] = await steps.do(step, lambda _: None)
                self.journal.append("run1", step.id, Mark.DONE, 0.0)

    def handover(self, name="web"):
        return Handover(self.plan.workloads[name], self.plan.moves[name], self.plan.policy_of(name), "run1")

    async def decision(self, name="web"):
        return Decision(self.handover(name), SimDriver(), self.fleet, await self.look(), self.journal, "seen")

    async def way_out(self, name="web"):
        world = await self.look()
        markers = {h: m for h, f in world.seen().items() for m in f.markers if m.workload == name}
        left = {h: await pump(SimDriver().alive(name), self.fleet.host(h)) for h in self.machines}
        return way_out(name, left, markers)

    def reboot(self, name):
        self.machines[name].power_off(for_good=False)
        self.machines[name].power_on()

    def running(self, name="web"):
        return [m.name for m, c in self.scene.universe.copies(name) if c.state == "running"]


def test_a_rebooted_source_whose_images_are_at_the_destination():
    async def course():
        s = Stage()
        await s.play()
        s.reboot("h1")
        assert await s.way_out() == "reconcile resolve web --owner h2 --evidence TEXT"
        with pytest.raises(Refused, match="can be brought back on h2"):
            await (await s.decision()).give_up()
        assert "belongs to h2" in await (await s.decision()).give_to("h2")
        assert s.running() == ["h2"]
        assert s.journal.run("run1").state is RunState.DONE
        epochs = {m.markers["web"].epoch for m in s.machines.values()}
        assert len(epochs) == 1, "both sides are under the new epoch"
        assert not make_plan(s.scene.spec, await s.look()).steps

    run_virtual(course())


def test_a_fenced_destination_can_be_given_the_workload():
    async def course():
        s = Stage(shape="move")
        await s.play()
        move = s.plan.moves["web"]
        decision = await s.decision()
        await pump(SimDriver().fence_off(decision.handover, move.epoch + 1), s.fleet.host("h2"))
        await (await s.decision()).give_to("h2")
        assert s.running() == ["h2"]
        assert [m.name for m, _ in s.scene.universe.copies("web")] == ["h2"]

    run_virtual(course())


def test_what_is_lost_everywhere_is_made_anew():
    async def course():
        s = Stage()
        await s.play()
        s.reboot("h1")
        s.reboot("h2")
        assert await s.way_out() == "reconcile resolve web --lost --evidence TEXT"
        assert "given up on h1 and h2" in await (await s.decision()).give_up()
        assert [m.name for m, _ in s.scene.universe.copies("web")] == ["h1"], "what was staged is gone"
        notes = [r.note for r in s.journal.run("run1").records]
        assert any("it is lost; evidence: seen" in note for note in notes)
        plan = make_plan(s.scene.spec, await s.look())
        assert not plan.errored
        assert [c.kind for c in plan.changes] == ["create"]
        assert plan.changes[0].destination == "h2"

    run_virtual(course())


def test_a_workload_that_runs_is_not_lost():
    async def course():
        s = Stage(kinds=UPTO_COPY[:3])
        await s.play()
        with pytest.raises(Refused, match="runs there"):
            await (await s.decision()).give_up()

    run_virtual(course())


def test_two_moves_of_one_lost_run_are_one_run_again():
    async def course():
        s = Stage(shape="swap")
        await s.play()
        runs = await rebuilt_runs(s.fleet, await s.look())
        assert [run.id for run in runs] == ["run1"]
        assert set(runs[0].plan.moves) == {"a", "b"}
        assert {r.step for r in runs[0].records} <= {step.id for step in runs[0].plan.steps}
        with Journal.open(":memory:") as journal:
            for run in runs:
                journal.begin(run)
                for record in run.records:
                    journal.append(run.id, record.step, record.mark, record.at)

    run_virtual(course())


def test_going_back_does_not_touch_what_another_controller_has_committed_meanwhile():
    """Both have the same run, and who goes back knows nothing of the commit."""

    async def course():
        s = Stage(shape="move", kinds=UPTO_COPY)
        await s.play()
        steps = Steps(s.plan, "run1", s.fleet, {"podman": SimDriver()}, lambda _: {})
        by_kind = {step.kind: step for step in s.plan.steps}
        await steps.do(by_kind[StepKind.COMMIT], lambda _: None)
        for kind in (StepKind.HOLD, StepKind.STAGE):
            with pytest.raises(GuardRefused):
                await steps.undo(by_kind[kind])
        await steps.do(by_kind[StepKind.RESTORE], lambda _: None)
        assert s.running() == ["h2"]
        note_settled(s.journal.run("run1"), await s.look(), s.journal)
        assert s.journal.run("run1").records[-1].step == by_kind[StepKind.COMMIT].id

    run_virtual(course())


def test_a_source_that_is_taken_back_is_not_let_go_by_another_controller():
    async def course():
        s = Stage(shape="move", kinds=(*UPTO_COPY, StepKind.COMMIT, StepKind.RESTORE))
        await s.play()
        steps = Steps(s.plan, "run1", s.fleet, {"podman": SimDriver()}, lambda _: {})
        by_kind = {step.kind: step for step in s.plan.steps}
        await steps.undo(by_kind[StepKind.COMMIT])
        with pytest.raises(GuardRefused):
            await pump(SimDriver().retire(s.handover()), s.fleet.host("h1"))
        await steps.undo(by_kind[StepKind.HOLD])
        assert s.running() == ["h1"]

    run_virtual(course())
