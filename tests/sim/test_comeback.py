"""A restore from a checkpoint whose controller dies at any boundary: how it stands is told, and the command that
is named ends it, with the journal and without it; never with two copies."""

import asyncio

import pytest

from reconciler.commands.recover import Resume, rows
from reconciler.core.saga import GroupState
from reconciler.engine.survey import take_survey
from reconciler.hosts.memory import MemoryFleet, run_virtual
from reconciler.model.plan import StepKind
from reconciler.model.record import Run
from reconciler.state.memory import MemoryStore
from reconciler.state.store import Awaited
from tests.sim.controller import Killed
from tests.sim.shapes import scene
from tests.sim.stage import Stage

RECORDS = 22
"""What a restore that goes through writes: two for each of its steps."""


class Dying(MemoryStore):
    """A journal whose controller dies right before, or right after, its record of that number."""

    def __init__(self, last: int, after: bool):
        super().__init__()
        self.left, self.after = last, after

    def append(self, *words, **more):
        self.left -= 1
        if self.left == 0 and not self.after:
            raise Killed
        record = super().append(*words, **more)
        if self.left == 0:
            raise Killed
        return record


class Back(Stage):
    """`web`, which comes back on h2 from a checkpoint on h3; its host h1 is off."""

    def __init__(self, journal=None):
        self.scene = scene("comeback")
        self.machines = self.scene.universe.machines
        self.fleet, self.journal = MemoryFleet(self.scene.universe), journal or MemoryStore()

    async def restore(self, run="run1", **hooks):
        plan = self.scene.plan(await self.look())
        self.journal.begin(Run(id=run, plan=plan, started_at=0.0, actor="sim"))
        return await self.outside.carry_out(self.outside.executor(plan, run, Awaited(self.journal), **hooks))


async def dead(last, after):
    s = Back(Dying(last, after))
    with pytest.raises(Killed):
        await s.restore()
    return s


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("last", range(1, RECORDS + 1))
def test_resume_finishes_it_wherever_its_controller_died(last, after):
    async def course():
        s = await dead(last, after)
        (told,) = rows(await s.survey()) or (None,)
        assert told and told.next == "reconcile resume" and told.run == "run1"
        assert (await s.resume()).exit_code == 0
        assert s.running() == ["h2"] and rows(await s.survey()) == []
        assert not s.scene.plan(await s.look()).steps

    run_virtual(course())


@pytest.mark.parametrize("last", range(2, RECORDS + 1, 2))
def test_without_its_journal_it_is_undone_or_goes_on(last):
    """Another machine knows only what the hosts say: what was not committed is undone, and may be given again."""

    async def course():
        s = await dead(last, True)
        s.journal = MemoryStore()
        found = await take_survey(s.fleet, s.outside.drivers, sorted(s.machines), s.journal)
        assert [row.next for row in rows(found)] in ([], ["reconcile resume"])
        await Resume(s.scene.spec, None).on(s.outside, s.journal)
        assert rows(await s.survey()) == [] and s.running() in ([], ["h2"])
        if not s.running():
            outcome = await s.restore("run2")
            assert outcome.groups == {"web": GroupState.DONE}, outcome.errors
        assert s.running() == ["h2"]

    run_virtual(course())


def test_a_host_that_was_given_up_and_answers_ends_it():
    async def course():
        s = Back()

        def begins(event):
            if event.step.kind is StepKind.COMMIT:
                s.machines["h1"].power_on()

        outcome = await s.restore(report=begins)
        assert outcome.groups == {"web": GroupState.PUT_BACK}
        assert [error.code for error in outcome.failures] == ["C378"]
        assert s.running() == [] and s.machines["h3"].kept
        assert (await s.restore("run2")).groups == {"web": GroupState.DONE}
        assert s.running() == ["h2"]

    run_virtual(course())


def test_a_copy_that_was_started_meanwhile_is_left_alone():
    async def course():
        s = Back()
        s.machines["h1"].power_on()

        def begins(event):
            if event.step.kind is StepKind.UNPACK:
                container = s.machines["h1"].containers["web"]
                if container.state != "running":
                    s.machines["h1"].begin(container, "started by hand")

        outcome = await s.restore(report=begins)
        assert outcome.groups == {"web": GroupState.PUT_BACK}
        assert [error.code for error in outcome.failures] == ["C377"]
        assert s.running() == ["h1"] and rows(await s.survey()) == []

    run_virtual(course())


def test_nothing_goes_on_beside_a_copy_that_runs_elsewhere():
    """The host that was given up runs its copy when the journal is taken up again: a person decides."""

    async def course():
        s = await dead(16, True)  # committed, and nothing restored yet
        s.machines["h1"].power_on()
        s.machines["h1"].begin(s.machines["h1"].containers["web"], "started at boot")
        (told,) = rows(await s.survey())
        assert told.next.startswith("reconcile resolve web --owner h1")
        await s.resume()
        assert s.running() == ["h1"]
        await s.decide("h1")
        assert s.running() == ["h1"] and rows(await s.survey()) == []

    run_virtual(course())


def test_two_restores_at_once_cannot_both_go_through():
    """Planned from the same state, to different hosts, by controllers without a common journal."""

    async def course():
        s, other = Back(), Back()
        other.scene, other.machines, other.fleet = s.scene, s.machines, s.fleet
        mine = s.scene.plan(await s.look())
        s.scene.wanted["web"] = "h3"
        theirs = s.scene.plan(await s.look())
        for store, plan, run in ((s.journal, mine, "run1"), (other.journal, theirs, "run2")):
            store.begin(Run(id=run, plan=plan, started_at=0.0, actor="sim"))
        ends = await asyncio.gather(
            s.outside.carry_out(s.outside.executor(mine, "run1", Awaited(s.journal))),
            other.outside.carry_out(other.outside.executor(theirs, "run2", Awaited(other.journal))),
        )
        states = [end.groups["web"] for end in ends]
        assert states.count(GroupState.DONE) <= 1 and len(s.running()) == states.count(GroupState.DONE)

    run_virtual(course())
