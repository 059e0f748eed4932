"""Hand-overs that only a person can decide, over hosts in memory; and what a lost journal is rebuilt to."""

import asyncio
from contextlib import suppress

import pytest

from reconciler.commands.deciding import Deciding
from reconciler.commands.recover import note_settled, rebuilt_runs
from reconciler.commands.resolve import Decision, bury, decide
from reconciler.core.planner import make_plan
from reconciler.engine.steps import Steps
from reconciler.errors import GuardRefused, Interrupted, ReconcilerError, Refused
from reconciler.hosts.base import pump
from reconciler.hosts.memory import run_virtual
from reconciler.hosts.wrap import StoppableFleet
from reconciler.model.plan import StepKind
from reconciler.model.record import RunState
from reconciler.state.memory import MemoryStore
from reconciler.state.store import Awaited
from tests.sim.driver import SimDriver
from tests.sim.stage import UPTO_COPY, Stage


def test_a_rebooted_source_whose_images_are_at_the_destination():
    async def course():
        s = Stage()
        await s.play()
        s.reboot("h1")
        assert await s.way_out() == "reconcile resolve web --owner h2 --evidence TEXT"
        with pytest.raises(Refused, match="can be brought back on h2"):
            await s.decide(None)
        assert (await s.decide("h2")).owner == "h2"
        assert s.running() == ["h2"]
        assert s.journal.run("run1").state is RunState.DONE
        epochs = {m.markers["web"].epoch for m in s.machines.values()}
        assert len(epochs) == 1, "both sides are under the new epoch"
        assert not make_plan(s.scene.spec, await s.look()).steps

    run_virtual(course())


@pytest.mark.parametrize("cut", ["before", "after"])
@pytest.mark.parametrize("chosen", ["h1", "h2"])
def test_a_decision_that_was_interrupted_is_made_again(monkeypatch, chosen, cut):
    """Ctrl-C before or after any of its commands; the same words then end it, or nothing is in doubt any more."""
    on = Decision._on

    async def course(last):
        s, count = Stage(shape="move"), 0
        await s.play()

        async def interrupted(decision, host, program):
            nonlocal count
            count += 1
            if count == last and cut == "before":
                raise asyncio.CancelledError
            result = await on(decision, host, program)
            if count == last:
                raise asyncio.CancelledError
            return result

        monkeypatch.setattr(Decision, "_on", interrupted)
        whole = True
        try:
            await s.decide(chosen)
        except asyncio.CancelledError:
            whole = False
            monkeypatch.setattr(Decision, "_on", on)
            if "web" in (await s.survey()).open:
                await s.decide(chosen)
        assert s.running() == [chosen], last
        assert "web" not in (await s.survey()).open, last
        return whole

    assert next(last for last in range(1, 40) if run_virtual(course(last))) > 3


@pytest.mark.parametrize("gone", [True, False])
def test_who_gives_it_to_where_its_memory_has_not_arrived_is_told_so_at_once(gone):
    """The source is let go by nobody else's word, and one that is gone is not waited for."""

    async def course():
        s = Stage(shape="move-postcopy", kinds=(*UPTO_COPY, StepKind.COMMIT, StepKind.RESTORE))
        await s.play()
        if gone:
            s.machines["h1"].power_off(for_good=True)
        else:
            s.scene.universe.cut_links = True
        began = asyncio.get_running_loop().time()
        with pytest.raises(Refused, match="not all memory of web has arrived on h2") as told:
            await s.decide("h2")
        assert asyncio.get_running_loop().time() - began < 120
        assert ("--cold" in told.value.fix) == gone
        assert "h2" in s.running()
        assert s.machines["h2"].markers["web"].epoch == s.plan.moves["web"].epoch, "nothing was changed"

    run_virtual(course())


def test_a_fenced_destination_can_be_given_the_workload():
    async def course():
        s = Stage(shape="move")
        await s.play()
        move = s.plan.moves["web"]
        await pump(SimDriver().fence_off(s.handover(), move.epoch + 1), s.fleet.host("h2"))
        await s.decide("h2")
        assert s.running() == ["h2"]
        assert [m.name for m, _ in s.scene.universe.copies("web")] == ["h2"]

    run_virtual(course())


def test_after_both_hosts_rebooted_it_starts_anew_where_its_files_are():
    async def course():
        s = Stage()
        await s.play()
        s.reboot("h1")
        s.reboot("h2")
        assert await s.way_out() == "reconcile resolve web --owner h1 --cold --evidence TEXT"
        with pytest.raises(Refused) as refused:
            await s.decide("h1")
        assert "--cold" in refused.value.fix
        await s.decide("h1", cold=True)
        assert s.running() == ["h1"]
        assert [m.name for m, _ in s.scene.universe.copies("web")] == ["h1"], "what was staged is gone"
        plan = make_plan(s.scene.spec, await s.look())
        assert [c.kind for c in plan.changes] == ["move"]

    run_virtual(course())


def test_what_is_lost_everywhere_is_made_anew():
    async def course():
        s = Stage()
        await s.play()
        s.reboot("h1")
        s.reboot("h2")
        assert (await s.decide(None)).fenced == ("h1", "h2")
        assert [m.name for m, _ in s.scene.universe.copies("web")] == ["h1"], "what was staged is gone"
        notes = [r.note for r in s.journal.run("run1").records]
        assert any("it is lost; evidence: seen" in note for note in notes)
        plan = make_plan(s.scene.spec, await s.look())
        assert not plan.errored
        assert [c.kind for c in plan.changes] == ["create"]
        assert plan.changes[0].destination == "h2"

    run_virtual(course())


def test_two_specs_of_one_machine_are_told_from_two_copies():
    async def course():
        s = Stage()
        s.fleet._hosts["h2"] = s.fleet._hosts["h1"]
        world = await s.look()
        assert {host.code for host in world.unknown().values()} == {"H292"}
        assert "the same machine as h2" in world.unknown()["h1"].reason
        plan = make_plan(s.scene.spec, world)
        assert not plan.steps
        assert not any("copies run" in finding.message for finding in plan.findings)
        with pytest.raises(Refused, match="the same machine"):
            await bury(s.scene.spec, "h2", "gone", s.outside, s.journal)

    run_virtual(course())


def marks(s):
    return {name: machine.markers.get("web") for name, machine in s.machines.items()}


@pytest.mark.parametrize("owner", ["h1", "h2", None])
def test_a_workload_that_is_well_is_not_touched(owner):
    async def course():
        s = Stage(shape="move", kinds=(*UPTO_COPY, StepKind.COMMIT, StepKind.RESTORE, StepKind.CONFIRM))
        await s.play()
        assert (await s.resume()).exit_code == 0
        before = marks(s)
        with pytest.raises(Refused, match="nothing is in doubt") as refused:
            await s.decide(owner)
        assert refused.value.why == "it runs on h2"
        assert marks(s) == before

    run_virtual(course())


@pytest.mark.parametrize("trouble", ["restore", "marker"])
def test_a_decision_that_failed_half_way_is_made_again(trouble):
    async def course():
        s = Stage(shape="move")
        await s.play()
        s.machines["h2"].armed[trouble] = 1
        with pytest.raises(ReconcilerError):
            await s.decide("h2")
        assert s.running() == []
        assert await s.way_out() in (
            "reconcile resolve web --owner h1 --evidence TEXT",
            "reconcile resolve web --owner h2 --evidence TEXT",
            "reconcile resume",
        )
        await s.decide("h2")
        assert s.running() == ["h2"]
        assert [m.name for m, _ in s.scene.universe.copies("web")] == ["h2"]
        assert not (await s.survey()).open

    run_virtual(course())


def test_a_torn_marker_is_mended_by_a_decision():
    async def course():
        s = Stage(shape="move")
        await s.play()
        s.machines["h1"].markers["web"].broken = "torn"
        assert await s.way_out() == "reconcile resolve web --owner h1 --evidence TEXT"
        assert (await s.resume()).exit_code == 5
        await s.decide("h1")
        assert s.running() == ["h1"]
        assert not (await s.survey()).open

    run_virtual(course())


def test_a_marker_of_a_later_release_is_not_decided_about():
    async def course():
        s = Stage(shape="move")
        await s.play()
        s.machines["h1"].markers["web"].broken = "another release wrote it"
        s.machines["h1"].markers["web"].newer = "2"
        assert "a Reconciler as new as the release that wrote the marker on h1" in await s.way_out()
        with pytest.raises(Refused, match="cannot be replaced"):
            await s.decide("h2")

    run_virtual(course())


def test_a_source_that_is_off_after_the_hand_over_holds_nobody_up():
    async def course():
        s = Stage(shape="move", kinds=(*UPTO_COPY, StepKind.COMMIT, StepKind.RESTORE, StepKind.CONFIRM))
        await s.play()
        s.machines["h1"].power_off(for_good=False)
        began = asyncio.get_running_loop().time()
        resumed = await s.resume()
        assert asyncio.get_running_loop().time() - began < 40, "two looks at a host that is off, and no more"
        assert resumed.exit_code == 1
        standing = resumed.left.open["web"].verdict
        assert standing.owner == "h2"
        assert "reconcile forget h1" in standing.next
        assert (await bury(s.scene.spec, "h1", "gone", s.outside, s.journal))[0].owner == "h2"
        assert s.running() == ["h2"]
        assert not (await s.survey()).open
        assert s.journal.run("run1").state is RunState.DONE
        # Years later it comes back.
        s.machines["h1"].power_on()
        assert s.running() == ["h2"]
        assert await s.way_out() == "reconcile resolve web --owner h2 --evidence TEXT"
        await s.decide("h2")
        assert [m.name for m, _ in s.scene.universe.copies("web")] == ["h2"]

    run_virtual(course())


def test_a_workload_that_runs_is_not_lost():
    async def course():
        s = Stage(kinds=UPTO_COPY[:3])
        await s.play()
        with pytest.raises(Refused, match="runs there"):
            await s.decide(None)

    run_virtual(course())


def test_two_moves_of_one_lost_run_are_one_run_again():
    async def course():
        s = Stage(shape="swap")
        await s.play()
        runs = await rebuilt_runs(s.fleet, await s.look())
        assert [run.id for run in runs] == ["run1"]
        assert set(runs[0].plan.moves) == {"a", "b"}
        assert {r.step for r in runs[0].records} <= {step.id for step in runs[0].plan.steps}
        with MemoryStore() as journal:
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
        await note_settled(s.journal.run("run1"), await s.look(), Awaited(s.journal))
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


@pytest.mark.parametrize(("rebooted", "owner"), [(True, "h2"), (False, "h1")])
def test_a_decision_that_is_stopped_after_any_command_can_be_made_again(rebooted, owner):
    """Ctrl-C: the command under way ends, no other begins; nothing runs twice, and the same decision goes on."""

    async def course(after):
        s = Stage()
        await s.play()
        if rebooted:
            s.reboot("h1")

        async def decision(outside, journal):
            return await decide(s.scene.spec, "web", owner, "seen", outside, journal)

        class Counted(StoppableFleet):
            count = 0

            async def run_on(self, host, command):
                done = await super().run_on(host, command)
                self.count += self.changed
                if self.changed and self.count == after:
                    job.cancel()
                return done

        fleet, job = Counted(s.fleet), Deciding(s.scene.spec, None, decision)
        stopped = None
        try:
            await job.on(fleet, s.outside, s.journal)
        except Interrupted as error:
            stopped = error
        if stopped:
            assert "same command again" in stopped.fix and len(s.running()) <= 1
            with suppress(Refused):  # it had come so far that nothing is in doubt any more
                await decision(s.outside, s.journal)
        assert "web" not in (await s.survey()).open and s.running() == [owner]
        return bool(stopped)

    stopped = [run_virtual(course(after)) for after in range(1, 40)]
    assert stopped[0] and not stopped[-1] and sum(stopped) > 5


def test_ctrl_c_before_anything_was_changed_ends_at_once():
    async def decision(outside, journal):
        return None

    job = Deciding(Stage().scene.spec, None, decision)
    with pytest.raises(asyncio.CancelledError):
        job.cancel()
