"""What a watch does about commits, drift, failures and outages, in virtual time (see scene.py)."""

from __future__ import annotations

import asyncio
import shutil

import pytest

from reconciler.hosts.memory.machine import EXITED, FROZEN
from reconciler.state.notebook import Notebook
from reconciler.watch.loop import Watch
from reconciler.watch.told import News
from tests.watch.scene import Scene

HOUR = 3600.0


def test_it_makes_what_is_missing_and_moves_what_belongs_elsewhere(scene: Scene) -> None:
    async def course(watch: Watch) -> None:
        await asyncio.sleep(10)
        assert scene.states() == {"h1": {"web": "running"}, "h2": {}}
        assert watch.stand.converged and watch.leads
        process = next(iter(scene.hosts.machines["h1"].containers.values())).lineage
        scene.want(web="h2")
        scene.edit(watch)
        await asyncio.sleep(30)
        assert scene.states() == {"h1": {}, "h2": {"web": "running"}}
        assert next(iter(scene.hosts.machines["h2"].containers.values())).lineage == process
        assert watch.stand.converged

    scene.play(course)
    assert [t.news for t in scene.told if t.news is News.TROUBLE] == []


def test_what_drifts_is_mended_within_a_period(scene: Scene) -> None:
    async def course(watch: Watch) -> None:
        await asyncio.sleep(10)
        web = next(iter(scene.hosts.machines["h1"].containers.values()))
        web.state = EXITED
        await asyncio.sleep(80)
        assert scene.states()["h1"] == {"web": "running"}

    scene.play(course)


def test_specs_that_are_gone_or_bad_remove_nothing(scene: Scene) -> None:
    async def course(watch: Watch) -> None:
        await asyncio.sleep(10)
        (scene.folder / "specs" / "all.yaml").write_text("kind: Nothing\n")
        scene.edit(watch)
        await asyncio.sleep(200)
        shutil.rmtree(scene.folder / "specs")
        scene.edit(watch)
        await asyncio.sleep(200)
        assert scene.states()["h1"] == {"web": "running"}
        web = next(iter(scene.hosts.machines["h1"].containers.values()))
        web.state = EXITED  # the last specs that could be read hold
        await asyncio.sleep(100)
        assert scene.states()["h1"] == {"web": "running"}
        scene.want(web="h2")
        scene.edit(watch)
        await asyncio.sleep(60)
        assert scene.states()["h2"] == {"web": "running"}

    scene.play(course)
    assert len(scene.heard(News.UNREADABLE)) == 2


def test_removing_the_last_copy_waits_for_a_person(scene: Scene) -> None:
    scene.want(web="h1", db="h2")

    async def course(watch: Watch) -> None:
        await asyncio.sleep(10)
        scene.want(web="h2")
        scene.edit(watch)
        await asyncio.sleep(100)
        assert scene.states() == {"h1": {}, "h2": {"db": "running", "web": "running"}}
        assert [(w.workload, w.cause.value) for w in watch.stand.waits] == [("db", "consent")]

    scene.play(course)
    [why] = scene.heard(News.WAITS, "db")
    assert "reconcile apply --allow-removals" in why


def test_a_bad_commit_is_put_back_once_and_left_alone_until_it_changes(scene: Scene) -> None:
    async def course(watch: Watch) -> None:
        await asyncio.sleep(10)
        scene.hosts.machines["h2"].armed["restore"] = 10
        scene.want(web="h2", other="h1")
        scene.edit(watch)
        await asyncio.sleep(HOUR / 2)
        assert scene.states() == {"h1": {"web": "running", "other": "running"}, "h2": {}}
        assert scene.heard(News.ENDED, "web").count("done") == 1
        again = scene.watch("later")  # a watch that is started later knows it, too
        assert "web" in again.notes.read().put_back
        scene.want(web="h1", other="h1")
        scene.edit(watch)
        await asyncio.sleep(100)
        scene.hosts.machines["h2"].armed.clear()
        assert again.notes.read().put_back == {} and watch.stand.converged
        scene.want(web="h2", other="h1")
        scene.edit(watch)
        await asyncio.sleep(100)
        assert scene.states() == {"h1": {"other": "running"}, "h2": {"web": "running"}}

    scene.play(course)
    put_back = [text for text in scene.heard(News.ENDED, "web") if text.startswith("put-back")]
    assert len(put_back) == 1


def test_a_host_that_is_gone_is_waited_for(scene: Scene) -> None:
    scene.want(web="h1", db="h2")

    async def course(watch: Watch) -> None:
        await asyncio.sleep(10)
        machine = scene.hosts.machines["h2"]
        machine.reachable = False
        next(iter(scene.hosts.machines["h1"].containers.values())).state = EXITED
        await asyncio.sleep(200)
        assert scene.states()["h1"] == {"web": "running"}
        assert not watch.stand.converged and "h2" in watch.stand.unknown
        machine.reachable = True
        await asyncio.sleep(100)
        assert watch.stand.converged

    scene.play(course)
    told = [t.text for t in scene.told if "h2 is unknown" in t.text]
    assert len(told) == 1


def test_what_keeps_failing_is_tried_ever_more_rarely(scene: Scene) -> None:
    async def course(watch: Watch) -> None:
        await asyncio.sleep(10)
        machine = scene.hosts.machines["h1"]
        machine.containers.clear()  # it was reached once, so the specs are not to blame
        machine.armed["full"] = 1
        await asyncio.sleep(1.5 * HOUR)
        machine.armed.clear()
        await watch.reload()
        await asyncio.sleep(10)
        assert scene.states()["h1"] == {"web": "running"}

    scene.play(course)
    failed = [text for text in scene.heard(News.ENDED, "web") if not text.startswith("done")]
    assert 7 <= len(failed) <= 14, failed
    assert Notebook.beside(scene.folder / "journal").read().put_back == {}


async def until_frozen(scene: Scene) -> None:
    """In the middle of the move of `web` from h1."""
    for _ in range(1000):
        await asyncio.sleep(0.01)
        if scene.states()["h1"] == {"web": FROZEN}:
            return
    raise AssertionError("nothing was ever frozen")


def test_what_a_crash_left_is_ended_first(scene: Scene) -> None:
    async def course(second: Watch) -> None:
        first = scene.watch("dies")
        job = asyncio.create_task(first())
        while not first.leads:  # noqa: ASYNC110  virtual time: the other one may have tried first
            await asyncio.sleep(1)
        await asyncio.sleep(10)
        scene.want(web="h2")
        scene.edit(first)
        await until_frozen(scene)
        for task in (*first.work._runs, job):
            task.cancel()
        await asyncio.gather(job, return_exceptions=True)
        scene.holder.clear()
        scene.edit(second)
        await asyncio.sleep(200)
        assert scene.states() == {"h1": {}, "h2": {"web": "running"}}
        assert second.leads and second.stand.converged

    scene.holder.append("dies@here/dies")  # it leads first
    scene.play(course)
    assert any("web" in text for text in scene.heard(News.BEGINS))


def test_of_two_one_leads_and_the_other_takes_over(scene: Scene) -> None:
    async def course(first: Watch) -> None:
        await asyncio.sleep(10)
        second = scene.watch("two")
        asked: list[float] = []
        second.chance = lambda: asked.append(0.5) or asked[-1]
        job = asyncio.create_task(second())
        await asyncio.sleep(100)
        assert first.leads and not second.leads
        assert 5 <= len(asked) <= 10  # each time it asks
        first.stop()
        await asyncio.sleep(30)
        assert second.leads
        second.stop()
        await job

    scene.play(course)
    assert len(scene.heard(News.FOLLOWS)) == 1


def test_one_that_is_stopped_in_the_middle_of_a_move_leaves_nothing_in_doubt(scene: Scene) -> None:
    """SIGTERM: before the commit it is put back, and the next watch does it."""

    async def course(watch: Watch) -> None:
        await asyncio.sleep(10)
        scene.want(web="h2")
        scene.edit(watch)
        await until_frozen(scene)  # it is stopped now

    scene.play(course)
    assert scene.states() == {"h1": {"web": "running"}, "h2": {}}
    assert len(scene.heard(News.STOPS)) == 1

    async def again(watch: Watch) -> None:
        await asyncio.sleep(30)
        assert scene.states() == {"h1": {}, "h2": {"web": "running"}} and watch.stand.converged

    scene.play(again)


def test_once_ends_when_there_is_nothing_more_to_begin(scene: Scene) -> None:
    async def course(watch: Watch) -> None:
        await asyncio.sleep(60)
        assert watch.stand.converged

    scene.play(course, once=True)


def test_a_clock_that_jumps_changes_nothing(scene: Scene) -> None:
    async def course(watch: Watch) -> None:
        await asyncio.sleep(10)
        for jump in (HOUR, -2 * HOUR):
            scene.offset += jump
            next(iter(scene.hosts.machines["h1"].containers.values())).state = EXITED
            await asyncio.sleep(100)
            assert scene.states()["h1"] == {"web": "running"}

    scene.play(course)


def test_lines_of_the_log_about_a_host_carry_it(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "reconciler.watch")

    async def course(watch: Watch) -> None:
        await asyncio.sleep(10)
        scene.hosts.machines["h2"].reachable = False
        await asyncio.sleep(100)

    scene.play(course)
    about = [record for record in caplog.records if "h2 is unknown" in record.getMessage()]
    assert about and all(record.__dict__["host"] == "h2" for record in about)
    assert {told.host for told in scene.told if told.news is News.TROUBLE} == {"h2"}
