"""A watch rehearses checkpoints that are due, one at a time, beside its other work. Fake: what is restored."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from reconciler.commands.kept import Verified
from reconciler.commands.practising import RehearseKept
from reconciler.core.points import Point
from reconciler.core.rehearsing import practice
from reconciler.errors import CommandFailed, Locked, ReconcilerError
from reconciler.model.checkpoint import Kept, KeptRehearsal
from reconciler.model.checkpointing import RehearsalSpec
from reconciler.model.notes import Word
from reconciler.watch.loop import Watch
from reconciler.watch.metrics import Metrics
from reconciler.watch.told import News
from tests.cli.checkpoint_scene import kept
from tests.watch.scene import CLOCK, Scene, scene

__all__ = ["scene"]
DAY = 86400.0


class Hall:
    """Checkpoints of each workload that are kept, and how each was rehearsed. `fails`: why the next ones are not;
    `bad`: why they do not come up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, policy: RehearsalSpec) -> None:
        self.policy, self.now, self.fails, self.bad = policy, 0, list[ReconcilerError](), ""
        self.tried: list[tuple[str, str, float]] = []
        self.notes: dict[str, KeptRehearsal] = {}
        monkeypatch.setattr("reconciler.commands.app.recovery_points", self.points)
        monkeypatch.setattr(RehearseKept, "__call__", lambda job: self.rehearse(job))

    def kept(self, name: str) -> Kept:
        return replace(kept(), workload=name, rehearsed=self.notes.get(name))

    async def points(self, spec: Any, *_: Any) -> dict[str, Point]:
        now = CLOCK + asyncio.get_running_loop().time()
        found = {}
        for name in spec.workloads:
            at = practice(self.policy, (self.kept(name),), now)
            found[name] = Point(name, "p", 1.0, 7200.0, 1e9, rehearsal=at)
        return found

    async def rehearse(self, job: RehearseKept) -> Verified:
        self.now += 1
        assert self.now == 1, "one at a time"
        await asyncio.sleep(5)
        self.now -= 1
        if self.fails:
            raise self.fails.pop()
        name, now = job.reference.partition("@")[0], asyncio.get_running_loop().time()
        self.tried.append((name, job.on, now))
        self.notes[name] = KeptRehearsal(CLOCK + now, "h2", self.bad)
        return Verified(self.kept(name))


@pytest.fixture
def hall(monkeypatch: pytest.MonkeyPatch) -> Hall:
    return Hall(monkeypatch, RehearsalSpec(every="1m", on="h2"))


def test_what_is_due_is_rehearsed_and_when_it_is_due_again(scene: Scene, hall: Hall) -> None:
    scene.want(web="h1", db="h1")

    async def course(watch: Watch) -> None:
        await asyncio.sleep(200)
        assert watch.stand.converged

    scene.play(course)
    assert {(name, on) for name, on, _ in hall.tried} == {("web", "h2"), ("db", "h2")}
    times = [at for name, _, at in hall.tried if name == "web"]
    assert len(times) == 3 and all(60 <= b - a < 75 for a, b in pairwise(times))
    assert len(scene.heard(News.REHEARSED, "web")) == 3


def test_one_that_does_not_come_up_is_told_and_is_drift(scene: Scene, hall: Hall) -> None:
    hall.bad = "it is not healthy"

    async def course(watch: Watch) -> None:
        await asyncio.sleep(30)
        assert not watch.stand.converged and watch.stand.seen is not None
        metrics = Metrics()
        metrics.points(watch.stand.seen.points)
        assert b"reconciler_workloads_unrehearsed 1.0" in metrics.text(True)
        (said,) = [f.message for f in watch.stand.seen.plan.findings if f.rule == "rehearsal"]
        assert said.endswith("did not come up when it was rehearsed on h2: it is not healthy")
        hall.bad = ""
        await asyncio.sleep(100)
        assert watch.stand.converged

    scene.play(course)
    (told,) = scene.heard(News.TROUBLE, "web")
    assert "did not come up when it was rehearsed: it is not healthy" in told
    assert len(scene.heard(News.REHEARSED, "web")) >= 1


def test_what_keeps_it_from_being_tried_waits_and_is_said_once(scene: Scene, hall: Hall) -> None:
    hall.fails = [Locked("somebody works on h2", where="h2"), CommandFailed("there is no room", code="C382")]

    async def course(watch: Watch) -> None:
        await asyncio.sleep(100)

    scene.play(course)
    assert {name for name, _, _ in hall.tried} == {"web"}
    assert scene.heard(News.TROUBLE, "web") == [
        "its checkpoint could not be rehearsed: there is no room",
        "its checkpoint could not be rehearsed: h2: somebody works on h2",
    ]


def test_a_host_that_is_busy_is_left_alone(scene: Scene, hall: Hall) -> None:
    """What runs there is changed first; nothing is put back for a rehearsal, and none is begun while it stops."""
    hall.policy = RehearsalSpec(every="1d", on="h1")

    async def course(watch: Watch) -> None:
        for _ in range(500):
            if watch.work.hosts:
                break
            await asyncio.sleep(0.01)
        assert "h1" in watch.work.hosts and hall.now == 0
        await asyncio.sleep(60)
        assert [on for _, on, _ in hall.tried] == ["h1"]

    scene.play(course)


@pytest.mark.parametrize("target", ["host/h2", "workload/web", "all"])
def test_what_is_suspended_is_left_alone(scene: Scene, hall: Hall, target: str) -> None:
    async def course(watch: Watch) -> None:
        word = Word(reason="its memory is changed", by="anna", since=0.0)
        watch.notes.change(lambda notes: notes.model_copy(update={"suspended": {target: word}}))
        await asyncio.sleep(200)
        assert hall.tried == []
        watch.notes.change(lambda notes: notes.model_copy(update={"suspended": {}}))
        await asyncio.sleep(30)
        assert [name for name, *_ in hall.tried] == ["web"]

    scene.play(course)
