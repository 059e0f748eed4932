"""The table of a migration's states against virt-controller's logic, through a real API server: every row.

What each row says is written by `carry` as the player does; what virt-controller makes of it is asked of `decide`,
which knows nothing of the table. What is written must be what KubeVirt's schemas take.
"""

from __future__ import annotations

import itertools

import pytest

from tests.kube import objects
from tests.kube.api import Api
from tests.kube.carry import Carrier, Stage
from tests.kube.coverage import walked
from tests.kube.decide import Condition, Phase, has, phase_of
from tests.kube.objects import Instance, Migration
from tests.kube.scripts import GOOD, SCRIPTS, Script
from tests.kube.table import EVENTS, TABLE, Row
from tests.kube.world import World

ON_HOSTS = [pytest.mark.lab, pytest.mark.kube]
MANY = 60
"""Looks at one migration; the longest way takes about twenty."""


@pytest.mark.parametrize(
    "row", [pytest.param(row, marks=ON_HOSTS, id=f"{row.phase}-{row.event}") for row in TABLE]
)
async def test_every_row(world: World, row: Row) -> None:
    async with Api(world.kubeconfig) as api:
        for name in ("db", "other"):
            vmi = await api.create(Instance, objects.instance(name, "node01"))
            await world.launch(api, vmi, "node01")
        other = {"metadata": {"name": "other", "namespace": "default"}, "spec": {"vmiName": "other"}}
        await api.create(Migration, other)
        made = {"metadata": {"name": "m", "namespace": "default"}, "spec": {"vmiName": "db"}}
        await api.create(Migration, made)
        stage = Stage(step=0, usual=Script(GOOD), holds={"db": row.phase})
        carrier = Carrier(api, stage, "default", "m")
        await _come_to(carrier, row.phase)
        stage.holds.clear()
        if row.first:
            await _happen(carrier, row.first)
        stage.seen.clear()
        await _happen(carrier, row.event)
        assert (row.phase, row.event, row.becomes) in stage.seen
        after = await api.get(Migration, "m", "default")
        assert after and phase_of(after) is row.becomes
        said = {str(c) for c in Condition if has(after, c)}
        assert said == ({str(row.condition)} if row.condition else set())
        assert ("deletionTimestamp" in after["metadata"]) is (row.gone or row.event == "deleted")
        walked(stage.seen)


async def _come_to(carrier: Carrier, phase: Phase) -> None:
    for _ in range(MANY):
        world = await carrier.look()
        assert world
        if not await carrier.think(world) and not await carrier.play_next(world):
            assert world.phase is phase
            return
    raise AssertionError(f"never in {phase}")


async def _happen(carrier: Carrier, event: str) -> None:
    """The event, and virt-controller's turns until it has made something of it."""
    known = len(carrier.stage.seen)
    world = await carrier.look()
    assert world
    if EVENTS[event].writes:
        await carrier.play(event, world)
    for _ in range(MANY):
        world = await carrier.look()
        assert world
        if not world.vmi:
            await carrier.forsake(world)
        else:
            await carrier.think(world)
        if len(carrier.stage.seen) > known:
            return
    raise AssertionError(f"nothing is made of {event}")


def test_scripts_name_what_the_table_has() -> None:
    rows = {(row.phase, row.event) for row in TABLE}
    for name, script in SCRIPTS.items():
        for phase, events in script.events.items():
            assert {(phase, event) for event in events} <= rows, name
        assert script.abort in ("aborted", "abort refused")
        assert set(script.after) <= EVENTS.keys()


def test_every_event_and_every_unfinished_phase_is_in_the_table() -> None:
    assert {row.event for row in TABLE} == EVENTS.keys()
    assert {row.phase for row in TABLE} == {phase for phase in Phase if not phase.final}
    assert len({(row.phase, row.event) for row in TABLE}) == len(TABLE)


def test_every_phase_is_left_for_every_phase_that_follows() -> None:
    """From each unfinished phase a migration can fail, and there is a way to success."""
    fails = {row.phase for row in TABLE if row.becomes is Phase.FAILED}
    assert fails == {phase for phase in Phase if not phase.final}
    order = [phase for phase in Phase if phase is not Phase.FAILED]
    ways = {(row.phase, row.becomes) for row in TABLE}
    assert ways >= set(itertools.pairwise(order))
