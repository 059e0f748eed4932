"""What is wanted of a workload whose memory still follows: that waits, and is refused until then; what it does by
itself ends the drain. Over hosts in memory."""

import asyncio

import pytest

from reconciler.commands.checkpoint import running
from reconciler.core.planner import make_plan
from reconciler.errors import Refused
from reconciler.hosts.memory import run_virtual
from reconciler.model.plan import StepKind
from reconciler.model.spec import DesiredState
from tests.sim.stage import UPTO_COPY, Stage

RESTORED = (*UPTO_COPY, StepKind.COMMIT, StepKind.RESTORE)


def draining(shape="move-postcopy"):
    return Stage(shape=shape, kinds=RESTORED)


def changed(spec, **fields):
    """The same specs with something else of the workload."""
    web = spec.workloads["web"]
    section = web.spec.model_copy(update=fields)
    return spec.model_copy(update={"workloads": {"web": web.model_copy(update={"spec": section})}})


def wishes(spec):
    web = spec.workloads["web"].spec
    yield "as it is", spec
    yield "moved back", changed(spec, placement=web.placement.model_copy(update={"host": "h1"}))
    yield "stopped", changed(spec, state=DesiredState.STOPPED)
    yield "removed", changed(spec, state=DesiredState.ABSENT)
    yield "made anew", changed(spec, container=web.container.model_copy(update={"image": "localhost/new:1"}))
    yield "nothing of it", spec.model_copy(update={"workloads": {}})


def test_whatever_is_wanted_of_it_is_refused_until_all_has_arrived():
    async def course():
        s = draining()
        await s.play()
        s.scene.universe.cut_links = True
        await asyncio.sleep(30)
        seen = await s.look()
        for name, wanted in wishes(s.scene.spec):
            plan = make_plan(wanted, seen)
            assert not plan.steps, name
            assert name == "nothing of it" or "hand-over-unfinished" in {f.rule for f in plan.findings}, name
        with pytest.raises(Refused, match="cannot be saved now") as told:
            running("web", seen)
        assert "reconcile status" in told.value.fix
        assert s.running() == ["h2"]
        s.scene.universe.cut_links = False
        await s.resume()
        assert s.running() == ["h2"] and "web" not in (await s.survey()).open
        assert make_plan(changed(s.scene.spec, state=DesiredState.STOPPED), await s.look()).steps, "now it is"

    run_virtual(course())


@pytest.mark.parametrize("written", [True, False])
def test_a_source_that_loses_power_has_what_was_written_to_its_disk(written):
    async def course():
        s = draining("move-persisted" if written else "move-postcopy")
        await s.play()
        s.scene.universe.cut_links = True
        await asyncio.sleep(30)
        s.reboot("h1")
        s.scene.universe.cut_links = False
        assert (await s.way_out()) == "reconcile resume"
        await s.resume()
        left = (await s.survey()).open
        assert ("web" not in left) == written
        assert s.running() == ["h2"]
        assert s.machines["h2"].containers["web"].whole == written

    run_virtual(course())


def test_both_hosts_may_lose_power_once_all_is_written():
    async def course():
        s = draining("move-persisted")
        await s.play()
        s.scene.universe.cut_links = True
        await asyncio.sleep(30)
        for host in ("h1", "h2"):
            s.reboot(host)
        s.scene.universe.cut_links = False
        await s.resume()
        assert s.running() == ["h1"]
        assert s.machines["h1"].containers["web"].whole

    run_virtual(course())
