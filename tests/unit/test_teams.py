"""Two applies at a time: apart where they touch nothing in common. Real: planning, leases, locks, SQLite; given:
one look at the hosts, their guards, and what a run does there."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from contextvars import ContextVar

import pytest

from reconciler.commands import app
from reconciler.core.saga import GroupState
from reconciler.engine.execute import Outcome
from reconciler.errors import Locked, StalePlan
from reconciler.model.record import Mark, RunState
from reconciler.state.journal import Journal
from tests.core.worlds import container, facts, host, spec, workload, world
from tests.state.leasing import Hosts

NAMES = ("h1", "h2", "h3", "h4")
WHO = ContextVar("WHO", default="")


class Team:
    """A controller that moves workloads; its runs wait at their first step until told to go on."""

    def __init__(self, name, web, db, journal, more=(), ask=False):
        self.name, self.at_work, self.go_on = name, asyncio.Event(), asyncio.Event()
        objects = (workload("web", on=web), workload("db", on=db), *(workload(n, on=h) for n, h in more))
        say_yes = self.agree if ask else None
        self.apply = app.Apply(spec(*map(host, NAMES), *objects), journal, ask=say_yes)
        self.apply._carry_out = self.carry_out
        self.task = None

    async def agree(self, seen):
        return True

    async def carry_out(self, plan, run, fleet, journal):
        self.at_work.set()
        await self.go_on.wait()
        journal.end(run, RunState.DONE, 1.0)
        return Outcome(dict.fromkeys(plan.groups, GroupState.DONE), {})

    async def start(self):
        async def alone():
            WHO.set(f"{self.name}@pc/1-1-{self.name}")
            return await self.apply()

        self.task = asyncio.create_task(alone())
        working = asyncio.create_task(self.at_work.wait())
        await asyncio.wait({self.task, working}, return_when=asyncio.FIRST_COMPLETED)
        working.cancel()
        if self.task.done():
            self.task.result()

    async def end(self):
        self.go_on.set()
        return await self.task


@pytest.fixture
def hosts(monkeypatch):
    """web runs on h1, db on h3."""
    hosts = Hosts()
    seen = world(
        facts("h1", container(workload("web"))), facts("h2"), facts("h3", container(workload("db"))), facts("h4")
    )

    @asynccontextmanager
    async def open_fleet(spec, warn):
        yield hosts

    async def observe(*_, **__):
        return seen

    async def look_closer(*_):
        return seen

    monkeypatch.setattr(app, "open_fleet", open_fleet)
    monkeypatch.setattr(app, "observe", observe)
    monkeypatch.setattr(app, "look_closer", look_closer)
    monkeypatch.setattr(app, "owner", WHO.get)
    return hosts


@pytest.mark.parametrize("ask", [False, True])
@pytest.mark.parametrize("shared", [False, True])
async def test_teams_that_touch_nothing_in_common_work_at_the_same_time(hosts, tmp_path, ask, shared):
    anna = Team("anna", "h2", "h3", tmp_path / "a.db", ask=ask)
    bert = Team("bert", "h1", "h4", tmp_path / ("a.db" if shared else "b.db"), ask=ask)
    await anna.start()
    assert sorted(hosts.leases) == ["h1", "h2"]
    await bert.start()
    assert {name: who.split("@")[0] for name, who in hosts.leases.items()} == {
        "h1": "anna", "h2": "anna", "h3": "bert", "h4": "bert",
    }  # fmt: skip
    assert (await bert.end()).plan.groups.keys() == {"db"}
    assert (await anna.end()).plan.groups.keys() == {"web"}
    assert hosts.leases == {}
    with Journal.open(tmp_path / "a.db") as journal:
        assert journal.locks.all() == ()


@pytest.mark.parametrize("ask", [False, True])
async def test_of_teams_that_need_the_same_host_the_second_is_told_of_the_first(hosts, tmp_path, ask):
    anna = Team("anna", "h2", "h3", tmp_path / "a.db")
    bert = Team("bert", "h1", "h2", tmp_path / "b.db", ask=ask)
    await anna.start()
    with pytest.raises(Locked, match=r"anna@pc.* works on h2") as caught:
        await bert.start()
    assert caught.value.exit_code == 6
    assert set(hosts.leases) == {"h1", "h2"}
    await anna.end()
    again = Team("bert", "h1", "h2", tmp_path / "b.db", ask=ask)
    await again.start()
    await again.end()


async def test_who_makes_something_needs_all_hosts(hosts, tmp_path):
    """Else two could make the same workload on two hosts."""
    anna = Team("anna", "h2", "h3", tmp_path / "a.db")
    bert = Team("bert", "h1", "h3", tmp_path / "b.db", more=[("new", "h4")])
    await anna.start()
    with pytest.raises(Locked, match=r"anna@pc.* works on h"):
        await bert.start()
    await anna.end()
    bert = Team("bert", "h1", "h3", tmp_path / "b.db", more=[("new", "h4")])
    await bert.start()
    assert set(hosts.leases) == set(NAMES)
    await bert.end()


async def test_a_workload_of_a_shared_journal_is_one_teams(hosts, tmp_path):
    bert = Team("bert", "h1", "h4", tmp_path / "a.db")
    with Journal.open(tmp_path / "a.db") as journal:
        journal.locks.take(["db"], "anna@elsewhere/1-1-x", app.time.time())
    with pytest.raises(Locked, match=r"anna@elsewhere.* works on db"):
        await bert.start()
    assert hosts.leases == {}


def test_what_another_run_began_before_the_lock_is_not_run_over(tmp_path):
    from tests.state.test_journal import a_run

    with Journal.open(tmp_path / "a.db") as journal:
        journal.begin(a_run())
        journal.append("r1", "s1", Mark.INTENT, 1.0)
        with pytest.raises(StalePlan, match="web"):
            app.refuse_begun(a_run().plan, journal)
        journal.end("r1", RunState.DONE, 2.0)
        app.refuse_begun(a_run().plan, journal)
