"""Checkpoints whose controller dies: the next one ends what was begun. Fake: hosts in memory, leases."""

import pytest

from reconciler.commands import checkpoint
from reconciler.commands.checkpoint import Take
from reconciler.commands.recover import rows
from reconciler.errors import CommandFailed, Refused
from reconciler.hosts.memory import MemoryFleet, run_virtual
from reconciler.model.record import Run, RunState
from reconciler.state.memory import MemoryStore
from reconciler.state.store import Awaited
from tests.cli.memory_fleet import no_leases
from tests.sim.controller import Killed
from tests.sim.savings import whole
from tests.sim.shapes import scene
from tests.sim.stage import Stage
from tests.sim.test_comeback import Dying


class Shop(Stage):
    """`web`, which runs on h1, and is saved on h2."""

    def __init__(self, journal=None):
        self.scene = scene("checkpoint-elsewhere")
        self.machines = self.scene.universe.machines
        self.fleet, self.journal = MemoryFleet(self.scene.universe), journal or MemoryStore()

    async def take(self):
        return await Take(self.scene.spec, "web", "h2").on(
            self.scene.spec.workloads["web"], self.outside, self.journal
        )

    def halves(self):
        listed = {folder for _, folder in whole(self.scene)}
        return [folder for m in self.machines.values() for folder in m.kept if folder not in listed]


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    monkeypatch.setattr(checkpoint, "fleet_leases", no_leases)


async def dead(last, after):
    s = Shop(Dying(last, after))
    plan = s.scene.plan(await s.look())
    s.journal.begin(Run(id="run1", plan=plan, started_at=0.0, actor="sim"))
    with pytest.raises(Killed):
        await s.outside.carry_out(s.outside.executor(plan, "run1", Awaited(s.journal)))
    return s


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("last", [1, 2])
def test_the_next_one_ends_what_a_dead_controller_began(last, after):
    async def course():
        s = await dead(last, after)
        (told,) = rows(await s.survey()) or (None,)
        assert told and told.next == "reconcile resume"
        taken = await s.take()
        assert taken.kept.manifest.id != "run1" and s.running() == ["h1"]
        assert s.journal.run("run1").state in (RunState.DONE, RunState.FAILED)
        assert rows(await s.survey()) == [] and s.halves() == []
        assert len(whole(s.scene)) == (2 if last == 2 else 1)

    run_virtual(course())


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("last", [1, 2])
def test_so_does_resume(last, after):
    async def course():
        s = await dead(last, after)
        assert (await s.resume()).exit_code == 0
        assert s.running() == ["h1"] and rows(await s.survey()) == [] and s.halves() == []

    run_virtual(course())


def test_a_store_that_does_not_answer_leaves_it_where_it_was_taken():
    async def course():
        s = Shop()
        s.machines["h2"].power_off(for_good=False)
        with pytest.raises(CommandFailed, match="did not take the checkpoint") as caught:
            await s.take()
        assert caught.value.code == "C372" and "kept on h1" in caught.value.fix
        assert [host for host, _ in whole(s.scene)] == ["h1"] and s.running() == ["h1"]
        assert rows(await s.survey()) == [] and s.halves() == []

    run_virtual(course())


def test_one_that_another_run_changes_is_left_alone():
    async def course():
        s = Shop()
        s.scene.spec = scene("move-states").spec
        s.plan = s.scene.plan(await s.look())
        s.journal.begin(Run(id="run1", plan=s.plan, started_at=0.0, actor="sim"))
        with pytest.raises(Refused, match="has not ended"):
            await s.take()

    run_virtual(course())
