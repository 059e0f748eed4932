"""A watch takes the checkpoints that are due, one at a time, beside its other work. Fake: what is taken."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from reconciler.commands.due import Saving, TakeDue
from reconciler.core.points import Point
from reconciler.errors import CommandFailed
from reconciler.model.notes import Word
from reconciler.watch.loop import Watch
from reconciler.watch.told import News
from tests.cli.checkpoint_scene import kept
from tests.watch.scene import Scene, scene

__all__ = ["scene"]
SUSPENDS = """\
apiVersion: reconciler/v1alpha1
kind: SyncPolicy
metadata: {name: all}
spec: {suspend: moving house}
"""


class Shop:
    """What is saved: `taken` names each workload with the time; a checkpoint is due `every` seconds after."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, every: float) -> None:
        self.taken: list[tuple[str, float]] = []
        self.every, self.fails, self.now = every, 0, 0
        monkeypatch.setattr("reconciler.commands.app.recovery_points", self.points)
        monkeypatch.setattr(TakeDue, "__call__", lambda job: self._take(*job.only))

    def age(self, name: str) -> float | None:
        times = [at for taken, at in self.taken if taken == name]
        return asyncio.get_running_loop().time() - times[-1] if times else None

    async def points(self, spec: Any, *_: Any) -> dict[str, Point]:
        found = {}
        for name in spec.workloads:
            old = self.age(name)
            due_in = 0.0 if old is None else max(0.0, self.every - old)
            late = old is None or old > 2 * self.every
            found[name] = Point(name, "p", old, 2 * self.every, due_in, late)
        return found

    async def _take(self, name: str) -> list[Saving]:
        self.now += 1
        assert self.now == 1, "one at a time"
        await asyncio.sleep(2)
        self.now -= 1
        if self.fails:
            self.fails -= 1
            return [Saving(name, error=CommandFailed("there is no room", code="C371"))]
        self.taken.append((name, asyncio.get_running_loop().time()))
        return [Saving(name, kept())]


def test_what_is_due_is_taken_and_when_it_is_due_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.want(web="h1", db="h2")
    shop = Shop(monkeypatch, every=30.0)

    async def course(watch: Watch) -> None:
        await asyncio.sleep(100)
        assert watch.stand.converged

    scene.play(course)
    assert {name for name, _ in shop.taken} == {"web", "db"}
    times = [at for name, at in shop.taken if name == "web"]
    assert len(times) == 4 and all(30 <= b - a < 40 for a, b in pairwise(times))
    assert len(scene.heard(News.SAVED, "web")) == 4


@pytest.mark.parametrize("target", ["host/h1", "workload/web", "all", "in git"])
def test_what_is_suspended_is_not_frozen_for_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    shop = Shop(monkeypatch, every=30.0)
    policy = scene.folder / "specs" / "policy.yaml"

    async def course(watch: Watch) -> None:
        await asyncio.sleep(20)
        assert len(shop.taken) == 1
        word = Word(reason="its memory is changed", by="anna", since=0.0)
        if target == "in git":
            policy.write_text(SUSPENDS)
        else:
            watch.notes.change(lambda notes: notes.model_copy(update={"suspended": {target: word}}))
        scene.edit(watch)
        await asyncio.sleep(200)
        assert len(shop.taken) == 1
        watch.notes.change(lambda notes: notes.model_copy(update={"suspended": {}}))
        policy.unlink(missing_ok=True)
        scene.edit(watch)
        await asyncio.sleep(10)
        assert len(shop.taken) == 2

    scene.play(course)


def test_what_fails_waits_and_is_said_once(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop(monkeypatch, every=3600.0)
    shop.fails = 2

    async def course(watch: Watch) -> None:
        await asyncio.sleep(15)
        assert not watch.stand.converged and not shop.taken
        await asyncio.sleep(100)
        assert watch.stand.converged

    scene.play(course)
    assert [name for name, _ in shop.taken] == ["web"]
    assert scene.heard(News.TROUBLE, "web") == ["it could not be saved: there is no room"]
