"""The old version beside the new one: made, or told why not, and never a reason to take the update back. Whoever
dies in the middle, `resume` ends it. Fake: hosts in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from reconciler.commands.recover import rows
from reconciler.core.returning import run_beside
from reconciler.core.saga import GroupState
from reconciler.hosts.memory import run_virtual
from reconciler.model.copying import before_name, copy_name
from reconciler.model.event import Event, Untidied
from reconciler.model.plan import StepKind
from reconciler.model.record import RunState
from tests.sim.controller import Killed
from tests.sim.test_comeback import Dying
from tests.sim.test_going_back import Update

COPY = copy_name(before_name("web"))
RUN = run_beside("run1", "web")
RECORDS = 30
"""What the update and its copy write."""


class Beside(Update):
    """`web` on h1, made anew there and well. `told`: warnings."""

    def __init__(self, journal: Dying | None = None, unhealthy: int = 0, shape: str = "side-by-side") -> None:
        super().__init__(journal, unhealthy, shape)
        self.told: list[Untidied] = []
        self.hook: Callable[[Event], None] = lambda event: None

    @property
    def outside(self):
        return replace(super().outside, warn=self.told.append)

    def spoil(self, event):
        self.hook(event)

    def as_it_was(self) -> bool:
        """The copy is the process that was captured, with the volume of then; the workload is another one."""
        (web,) = [c for _, c in self.scene.universe.copies("web")]
        (copy,) = [c for _, c in self.scene.universe.copies(COPY)]
        volumes = [v.data for m in self.machines.values() for n, v in m.volumes.items() if v.workload == COPY]
        return (web.state, copy.state, copy.lineage, volumes) == (
            "running",
            "running",
            self.was,
            ["data of web"],
        ) and web.lineage != self.was


@pytest.mark.parametrize("shape", ["side-by-side", "side-by-side-elsewhere"])
def test_it_is_made_when_the_new_one_is_well(shape):
    async def course():
        s = Beside(shape=shape)
        outcome = await s.apply()
        assert outcome.groups == {"web": GroupState.DONE} and s.as_it_was() and s.told == []
        made = outcome.beside["web"]
        assert (made.name, made.checkpoint, made.failure) == (COPY, "web@run1", None) and made.until > 3600
        assert [s.journal.run(run).state for run in ("run1", RUN)] == [RunState.DONE, RunState.DONE]
        assert s.scene.plan(await s.look()).changes == ()

    run_virtual(course())


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("last", range(13, RECORDS + 1))
def test_resume_makes_it_wherever_its_controller_died(last, after):
    async def course():
        s = Beside(Dying(last, after))
        with pytest.raises(Killed):
            await s.apply()
        resumed = await s.resume()
        assert rows(await s.survey()) == [] and resumed.exit_code == 0
        assert s.as_it_was() and not s.journal.open_runs()

    run_virtual(course())


def test_what_keeps_it_from_being_made_is_a_warning_and_leaves_nothing():
    async def course():
        s = Beside()

        def damage(event):
            if event.step.kind is StepKind.CONFIRM and event.step.workload == "web":
                kept = s.machines["h1"].kept
                kept.update({folder: replace(found, damaged=True) for folder, found in kept.items()})

        s.hook = damage
        outcome = await s.apply()
        assert outcome.groups == {"web": GroupState.DONE} and s.running() == ["h1"]
        (told,) = s.told
        assert told.code == "C387" and "damaged" in told.text
        assert f"reconcile restore web@run1 --as {before_name('web')} --to h1 --ttl 1h" in told.text
        assert s.running(COPY) == [] and not [v for v in s.machines["h1"].volumes.values() if v.workload == COPY]
        assert outcome.beside["web"].failure and rows(await s.survey()) == [] and not s.journal.open_runs()

    run_virtual(course())


def test_who_asks_to_stop_gets_none():
    async def course():
        s = Beside()
        seen: list[Event] = []

        def stop(event):
            if event.step.workload == COPY and event.step.kind is StepKind.RESERVE and not seen:
                seen.append(event)
                s.executor.cancel()

        s.hook = stop
        outcome = await s.apply()
        assert seen and outcome.groups == {"web": GroupState.DONE} and s.running() == ["h1"]
        assert s.running(COPY) == [] and s.told[0].code == "C387" and not s.journal.open_runs()

    run_virtual(course())


def test_one_that_is_put_back_has_none():
    async def course():
        s = Beside(unhealthy=1)
        outcome = await s.apply()
        assert outcome.groups == {"web": GroupState.PUT_BACK} and s.as_captured()
        assert outcome.beside == {} and not s.journal.knows(RUN) and s.running(COPY) == []

    run_virtual(course())
