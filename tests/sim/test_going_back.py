"""An update that goes back to its checkpoint, whose controller dies at any boundary: `resume` ends it with the
process that was captured, and with what its volume held then. Fake: hosts in memory."""

from dataclasses import replace

import pytest

from reconciler.commands.recover import rows
from reconciler.core.returning import run_back
from reconciler.core.saga import GroupState
from reconciler.core.unwanted import RULE, asked_again, put_back
from reconciler.hosts.memory import MemoryFleet, run_virtual
from reconciler.model.plan import StepKind
from reconciler.model.record import Run, RunState
from reconciler.state.memory import MemoryStore
from reconciler.state.store import Awaited
from tests.sim.controller import Killed
from tests.sim.shapes import scene
from tests.sim.stage import Stage
from tests.sim.test_comeback import Dying

RECORDS = 36
"""What an update that fails its health check writes, in its own run and in that of going back."""
BACK = run_back("run1", "web")


class Update(Stage):
    """`web` on h1, made anew there; its successor writes to its volume, and is not healthy."""

    def __init__(self, journal=None, unhealthy=1, shape="recreate-saved-first"):
        self.scene = scene(shape)
        self.machines = self.scene.universe.machines
        self.fleet, self.journal = MemoryFleet(self.scene.universe), journal or MemoryStore()
        for machine in self.machines.values():
            machine.armed["health"] = unhealthy
        self.was = self.machines["h1"].containers["web"].lineage

    def spoil(self, event):
        if event.step.kind is StepKind.CONFIRM and event.step.workload == "web" and not self.went_back:
            self.machines["h1"].volumes["data"].data = "spoiled"

    @property
    def went_back(self):
        return self.journal.knows(BACK)

    async def apply(self, **hooks):
        self.plan = self.scene.plan(await self.look())
        self.journal.begin(Run(id="run1", plan=self.plan, started_at=0.0, actor="sim"))
        report = {"report": lambda event: self.spoil(event)}
        self.executor = self.outside.executor(self.plan, "run1", Awaited(self.journal), **report, **hooks)
        return await self.outside.carry_out(self.executor)

    def as_captured(self):
        """It runs as the process that was captured, alone, and its volume is as it was."""
        (container,) = [c for m, c in self.scene.universe.copies("web")]
        data = self.machines["h1"].volumes["data"].data
        return (container.name, container.state, container.lineage, data) == (
            "web",
            "running",
            self.was,
            "data of web",
        )


def test_it_goes_back_to_memory_and_volume():
    async def course():
        s = Update()
        outcome = await s.apply()
        assert outcome.groups == {"web": GroupState.PUT_BACK} and s.as_captured()
        assert "it runs again as it was at web@run1" in outcome.became["web"]
        assert outcome.stopped["web"] > 0
        assert [s.journal.run(run).state for run in ("run1", BACK)] == [RunState.FAILED, RunState.DONE]
        again = s.scene.plan(await s.look())
        assert asked_again(again) == ("web",)
        (told,) = put_back(again, "web", s.journal.runs("web"))
        assert (told.rule, told.severity) == (RULE, "warn") and "run run1" in told.message

    run_virtual(course())


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("last", range(9, RECORDS + 1))
def test_resume_ends_it_wherever_its_controller_died(last, after):
    async def course():
        s = Update(Dying(last, after), unhealthy=9)
        with pytest.raises(Killed):
            await s.apply()
        resumed = await s.resume()
        assert rows(await s.survey()) == [] and resumed.exit_code == 0
        assert s.as_captured()
        assert not s.journal.open_runs()

    run_virtual(course())


def test_what_was_set_aside_starts_when_the_checkpoint_is_damaged():
    async def course():
        s = Update()

        def damage(event):
            s.spoil(event)
            if event.step.kind is StepKind.CONFIRM and not s.went_back:
                kept = s.machines["h1"].kept
                kept.update({folder: replace(found, damaged=True) for folder, found in kept.items()})

        s.plan = s.scene.plan(await s.look())
        s.journal.begin(Run(id="run1", plan=s.plan, started_at=0.0, actor="sim"))
        executor = s.outside.executor(s.plan, "run1", Awaited(s.journal), report=damage)
        outcome = await s.outside.carry_out(executor)
        assert outcome.groups == {"web": GroupState.PUT_BACK} and s.running() == ["h1"]
        assert "could not go back" in outcome.became["web"] and "started anew on h1" in outcome.became["web"]
        assert s.machines["h1"].volumes["data"].data == "spoiled"  # nothing of it was laid out
        assert rows(await s.survey()) == []

    run_virtual(course())


def test_without_a_checkpoint_nothing_is_made_anew():
    async def course():
        s = Update()
        s.machines["h1"].armed["full"] = 9
        outcome = await s.apply()
        assert outcome.groups == {"web": GroupState.PUT_BACK} and s.as_captured()
        assert outcome.became == {} and outcome.stopped == {} and not s.went_back

    run_virtual(course())
