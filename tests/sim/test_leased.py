"""Resume, resolve and forget need the hosts of what they end, and no other: beside another controller's work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from reconciler.commands.compose import Outside
from reconciler.commands.recover import Resume
from reconciler.commands.resolve import bury, decide
from reconciler.engine.lease import fleet_leases
from reconciler.errors import Locked
from reconciler.hosts.memory import MemoryFleet, run_virtual
from reconciler.model.event import Untidied
from reconciler.state.memory import MemoryStore
from tests.sim.shapes import Builder
from tests.sim.stage import Stage
from tests.state.leasing import Hosts

NAMES = ("h1", "h2", "h3", "h4")


class TwoMoves(Stage):
    """`a` on its way from h1 to h2 and `b` from h3 to h4, both held; another controller has leases on `theirs`."""

    def __init__(self, *theirs: str) -> None:
        builder = Builder()
        builder.hosts(*NAMES)
        builder.want("a", "h2")
        builder.want("b", "h4")
        builder.have("a", "h1")
        builder.have("b", "h3")
        super().__init__()
        self.scene = builder.scene()
        self.machines = self.scene.universe.machines
        self.fleet, self.journal = MemoryFleet(self.scene.universe), MemoryStore()
        self.said: list[Untidied] = []
        self.hosts: Any = Hosts()
        self.hosts.leases = dict.fromkeys(theirs, "ci@there/7-1-x")
        self.kept: list[str] = []

    @asynccontextmanager
    async def leased(self) -> AsyncIterator[Outside]:
        async with fleet_leases(self.hosts, NAMES, "me@here/1-1-y", partly=True) as leases:
            yield replace(self.outside, leases=leases, warn=self.said.append)
            self.kept = sorted(leases.hosts)

    def states(self, name: str) -> set[tuple[str, str]]:
        return {(m.name, c.state) for m, c in self.scene.universe.copies(name)}


def ours(stage: TwoMoves) -> list[str]:
    return sorted(host for host, who in stage.hosts.leases.items() if who.startswith("me@"))


@pytest.mark.parametrize("forget", [False, True])
def test_resume_leaves_alone_what_another_controller_works_on(forget: bool) -> None:
    async def course() -> None:
        s = TwoMoves("h1")
        await s.play()
        before = s.states("a")
        if forget:
            s.journal = MemoryStore()
        async with s.leased() as outside:
            done = await Resume(s.scene.spec, None).on(outside, s.journal)
        assert s.running("b") == ["h3"] and s.states("a") == before
        assert s.kept == ["h3", "h4"] and ours(s) == []
        assert [(one.code, one.host) for one in s.said] == [("S600", "h1")]
        assert "a was left alone: ci@there/7-1-x works on h1" in s.said[0].text
        assert "a" in done.left.open and done.exit_code != 0
        s.hosts.leases.clear()
        async with s.leased() as outside:
            done = await Resume(s.scene.spec, None).on(outside, s.journal)
        assert done.exit_code == 0 and s.running("a") == ["h1"]

    run_virtual(course())


def test_resume_is_locked_where_all_is_another_controllers() -> None:
    async def course() -> None:
        s = TwoMoves("h2", "h3")
        await s.play()
        before = s.states("a"), s.states("b")
        with pytest.raises(Locked, match="ci@there"):
            async with s.leased() as outside:
                await Resume(s.scene.spec, None).on(outside, s.journal)
        assert (s.states("a"), s.states("b")) == before and ours(s) == [] and not s.said

    run_virtual(course())


def test_resolve_needs_the_hosts_of_its_workload() -> None:
    async def course() -> None:
        s = TwoMoves("h1")
        await s.play()
        before = s.states("a")
        with pytest.raises(Locked, match="ci@there"):
            async with s.leased() as outside:
                await decide(s.scene.spec, "a", "h1", "seen", outside, s.journal)
        assert s.states("a") == before and ours(s) == []
        async with s.leased() as outside:
            await decide(s.scene.spec, "b", "h3", "seen", outside, s.journal)
        assert s.running("b") == ["h3"] and s.kept == ["h3", "h4"]

    run_virtual(course())


def test_forget_needs_the_other_side_of_what_it_ends() -> None:
    async def course() -> None:
        s = TwoMoves("h1")
        await s.play()
        s.machines["h4"].power_off(for_good=True)
        async with s.leased() as outside:
            done = await bury(s.scene.spec, "h4", "gone", outside, s.journal)
        assert [one.workload for one in done] == ["b"] and s.running("b") == ["h3"] and s.kept == ["h3"]

        s.machines["h2"].power_off(for_good=True)
        with pytest.raises(Locked, match="ci@there"):
            async with s.leased() as outside:
                await bury(s.scene.spec, "h2", "gone", outside, s.journal)

    run_virtual(course())
