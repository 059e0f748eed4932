"""A watch removes copies of checkpoints whose time is over, beside its other work. Fake: until when each is kept,
which hosts in memory do not know."""

from __future__ import annotations

import asyncio
import json

import pytest

from reconciler.commands.discarding import Discard
from reconciler.errors import HostUnreachable
from reconciler.hosts.memory import MemoryContainer
from reconciler.hosts.memory.machine import Volume
from reconciler.model.copying import CopyLabels
from reconciler.model.notes import Word
from reconciler.watch.loop import Watch
from reconciler.watch.told import News
from tests.watch.scene import CLOCK, Scene, scene

__all__ = ["scene"]
COPY, OTHER = "then--copy", "now--copy"


@pytest.fixture
def until(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """In seconds of virtual time; changed by tests."""
    said = [100.0]
    read = classmethod(lambda cls, labels: cls("web@20261126-014639-8584", CLOCK + said[0]))
    monkeypatch.setattr(CopyLabels, "read", read)
    return said


def a_copy(scene: Scene, host: str = "h2", name: str = COPY) -> None:
    machine = scene.hosts.machines[host]
    spec = json.dumps({"volumes": [{"name": f"{name}.1", "target": "/data"}]})
    machine.containers[name] = MemoryContainer("ab" * 32, name, name, spec, "app", "running")
    machine.volumes[f"{name}.1"] = Volume(name, 1, "run")


def there(scene: Scene, host: str = "h2") -> set[str]:
    machine = scene.hosts.machines[host]
    return {name for name in (*machine.containers, *machine.volumes) if "--copy" in name}


def test_it_goes_when_its_time_is_over_and_the_workload_stays(scene: Scene, until: list[float]) -> None:

    async def course(watch: Watch) -> None:
        await asyncio.sleep(30)  # what is made first would tidy, too
        a_copy(scene)
        a_copy(scene, "h1", OTHER)
        watch.stir()
        await asyncio.sleep(65)
        assert there(scene) == {COPY, f"{COPY}.1"} and there(scene, "h1") == {OTHER, f"{OTHER}.1"}
        assert watch.stand.converged
        await asyncio.sleep(15)
        assert there(scene, "h1") == there(scene, "h2") == set()
        assert watch.stand.converged and scene.states()["h1"]["web"] == "running"

    scene.play(course)
    for name, host in ((COPY, "h2"), (OTHER, "h1")):
        assert scene.heard(News.ENDED, name) == [f"its time was over, and it is gone from {host}"]


@pytest.mark.parametrize("target", ["host/h2", f"workload/{COPY}", "all"])
def test_one_that_is_suspended_stays(scene: Scene, until: list[float], target: str) -> None:
    async def course(watch: Watch) -> None:
        await asyncio.sleep(30)  # what is made first would tidy, too
        word = Word(reason="it is looked at", by="anna", since=0.0)
        watch.notes.change(lambda notes: notes.model_copy(update={"suspended": {target: word}}))
        a_copy(scene)
        watch.stir()
        await asyncio.sleep(200)
        assert there(scene) == {COPY, f"{COPY}.1"}
        watch.notes.change(lambda notes: notes.model_copy(update={"suspended": {}}))
        await asyncio.sleep(15)
        assert there(scene) == set()

    scene.play(course)


def test_what_is_left_of_one_goes_too(scene: Scene, until: list[float]) -> None:
    """Volumes without a container say nothing of a time."""
    until[0] = 1e6
    scene.hosts.machines["h2"].volumes[f"{COPY}.1"] = Volume(COPY, 1, "run")

    async def course(watch: Watch) -> None:
        await asyncio.sleep(30)
        assert there(scene) == set()

    scene.play(course)


def test_one_that_cannot_go_is_told_once_and_tried_again(
    scene: Scene, until: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    until[0], fails, really = 0.0, [3], Discard.__call__

    async def discard(job: Discard) -> object:
        if fails[0]:
            fails[0] -= 1
            raise HostUnreachable("cannot connect", where="h2")
        return await really(job)

    monkeypatch.setattr(Discard, "__call__", discard)

    async def course(watch: Watch) -> None:
        await asyncio.sleep(30)  # what is made first would tidy, too
        a_copy(scene)
        watch.stir()
        await asyncio.sleep(5)
        assert there(scene) and fails[0] < 3
        await asyncio.sleep(300)
        assert not there(scene)

    scene.play(course)
    assert scene.heard(News.TROUBLE, COPY) == ["its time is over, and it stays: h2: cannot connect"]


def test_another_host_that_is_busy_keeps_none(scene: Scene, until: list[float]) -> None:
    """A workload that comes to the copy's host is made first."""
    a_copy(scene, "h1")
    until[0] = 0.0

    async def course(watch: Watch) -> None:
        await asyncio.sleep(60)
        assert there(scene, "h1") == set() and scene.states()["h1"]["web"] == "running"

    scene.play(course)
