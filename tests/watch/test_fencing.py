"""A watch fences hosts by itself where their specs allow it, while it sees more than half of all. Fake: the
programs, and what they say."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from reconciler.commands import fencing
from reconciler.commands.fencing import Fenced
from reconciler.errors import CommandFailed, HostError
from reconciler.hosts.memory.fleet import MemoryHost
from reconciler.model.notes import Word
from reconciler.watch.loop import Watch
from reconciler.watch.told import News
from tests.cli.json_fences import declare
from tests.sim.test_example_runtime import HOST, Unasked
from tests.watch.scene import Scene, scene

__all__ = ["scene"]
ALONE = "fencing: {command: [cut], verify: [is-off], automatic: true, after: 2m}"
BY_LABEL = "placement: {labels: {rack: one}}"


class Power:
    """What cuts it. `fails`: how often it does not; `cut`: when it did."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.cut: list[tuple[str, float]] = []
        self.off: set[str] = set()
        self.fails = 0
        patch.setattr(Unasked, "hosts", frozenset(("h1", "h2", "h3")))
        patch.setattr("reconciler.watch.fencing.fence", self.fence)
        patch.setattr(fencing, "_is_off", self.is_off)

    async def fence(self, host: str, _: Any) -> Fenced:
        await asyncio.sleep(3)
        if self.fails:
            self.fails -= 1
            raise CommandFailed(f"{host} was not fenced: cut failed", code="C386", why="no route to the PDU")
        self.cut.append((host, asyncio.get_running_loop().time()))
        self.off.add(host)
        return Fenced(host, "off", 3.0)

    async def is_off(self, host: str, _: Any) -> str:
        return "its fencing confirms that it is off (is-off)" if host in self.off else ""


@pytest.fixture
def power(monkeypatch: pytest.MonkeyPatch) -> Power:
    return Power(monkeypatch)


def three(scene: Scene, folder: Path, said: str = ALONE) -> None:
    """h3 besides; `web` goes wherever one of the rack is, and runs on h1."""
    scene.hosts.add("h3").images["app"] = 2**20
    specs = folder / "specs" / "all.yaml"
    text = specs.read_text().replace("placement: {host: h1}", BY_LABEL) + "---" + HOST % ("h3", 3)
    for name in ("h1", "h2"):
        text = text.replace(f"metadata: {{name: {name}}}", f"metadata: {{name: {name}, labels: {{rack: one}}}}")
    specs.write_text(text)
    said_of(folder, said)


def said_of(folder: Path, said: str) -> None:
    specs = folder / "specs" / "all.yaml"
    specs.write_text(specs.read_text().replace("name: h1, labels: {rack: one}", "name: h1"))
    declare(folder, said)
    specs.write_text(
        specs.read_text().replace("metadata: {name: h1}", "metadata: {name: h1, labels: {rack: one}}")
    )


async def runs(scene: Scene, where: str, within: float) -> float:
    """When it does, in seconds of the loop."""
    loop = asyncio.get_running_loop()
    end = loop.time() + within
    while scene.states()[where].get("web") != "running":
        assert loop.time() < end, (scene.states(), [t.text for t in scene.told])
        await asyncio.sleep(1)
    return loop.time()


def test_a_dead_host_is_fenced_and_what_it_ran_comes_back(scene: Scene, power: Power, tmp_path: Path) -> None:
    three(scene, tmp_path)

    async def course(watch: Watch) -> None:
        began = await runs(scene, "h1", 60)
        scene.hosts.machines["h1"].up = False
        await runs(scene, "h2", 400)
        ((host, at),) = power.cut
        assert host == "h1" and at - began > 120
        assert watch.notes.read().fenced.keys() == {"h1"}
        await asyncio.sleep(300)
        assert len(power.cut) == 1  # it is off, and stays so
        scene.hosts.machines["h1"].containers.clear()
        scene.hosts.machines["h1"].up = True
        await asyncio.sleep(200)
        assert watch.notes.read().fenced == {} and scene.states()["h2"]["web"] == "running"

    scene.play(course)
    assert scene.heard(News.FENCED) == ["h1 is off, which is-off confirms: off"]


def test_a_host_that_only_refuses_us_is_not_fenced(
    scene: Scene, power: Power, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody has changed its keys: what it runs is well. Once it does not answer at all its time begins."""
    three(scene, tmp_path)
    reach, refuses = MemoryHost.reach, set[str]()

    async def reached(host: MemoryHost) -> None:
        await reach(host)
        if host.name in refuses:
            raise HostError("nobody is let in", code="H203", where=host.name)

    monkeypatch.setattr(MemoryHost, "reach", reached)

    async def course(watch: Watch) -> None:
        await runs(scene, "h1", 60)
        refuses.add("h1")
        await asyncio.sleep(600)
        assert power.cut == [] and scene.states()["h1"]["web"] == "running"
        began = asyncio.get_running_loop().time()
        scene.hosts.machines["h1"].up = False
        await runs(scene, "h2", 400)
        assert power.cut[0][1] - began > 120

    scene.play(course)
    assert any(
        "h1 is not fenced, for it may be well: nobody is let in" in said for said in scene.heard(News.TROUBLE)
    )


def test_who_sees_half_fences_nobody(scene: Scene, power: Power, tmp_path: Path) -> None:
    three(scene, tmp_path)

    async def course(watch: Watch) -> None:
        await runs(scene, "h1", 60)
        for name in ("h1", "h3"):
            scene.hosts.machines[name].up = False
        await asyncio.sleep(900)
        assert power.cut == [] and "web" not in scene.states()["h2"]
        scene.hosts.machines["h3"].up = True
        await runs(scene, "h2", 200)

    scene.play(course)
    (said,) = [text for text in scene.heard(News.TROUBLE) if "not fenced" in text]
    assert said.startswith("h1 is not fenced: 1 of 3 hosts are seen, and more than half are needed")


@pytest.mark.parametrize("said", ["schedulable: true", ALONE.replace("automatic: true, ", "")])
def test_where_the_spec_does_not_allow_it_a_person_does(
    scene: Scene, power: Power, tmp_path: Path, said: str
) -> None:
    three(scene, tmp_path, said)

    async def course(watch: Watch) -> None:
        await runs(scene, "h1", 60)
        scene.hosts.machines["h1"].up = False
        await asyncio.sleep(900)
        assert power.cut == [] and "web" not in scene.states()["h2"]

    scene.play(course)


def test_one_that_is_declared_failed_is_not_waited_for(scene: Scene, power: Power, tmp_path: Path) -> None:
    later = ALONE.replace("2m", "10h")
    three(scene, tmp_path, later)

    async def course(watch: Watch) -> None:
        await runs(scene, "h1", 60)
        scene.hosts.machines["h1"].up = False
        await asyncio.sleep(200)
        assert power.cut == []
        specs = tmp_path / "specs" / "all.yaml"
        specs.write_text(specs.read_text().replace(later, f"state: failed, {later}"))
        scene.edit(watch)
        await asyncio.sleep(100)
        assert [host for host, _ in power.cut] == ["h1"]
        await runs(scene, "h2", 60)

    scene.play(course)


def test_what_fails_is_tried_again_and_proves_nothing_until_then(
    scene: Scene, power: Power, tmp_path: Path
) -> None:
    three(scene, tmp_path)
    power.fails = 3

    async def course(watch: Watch) -> None:
        await runs(scene, "h1", 60)
        scene.hosts.machines["h1"].up = False
        while power.fails:
            assert "web" not in scene.states()["h2"]
            await asyncio.sleep(1)
        await runs(scene, "h2", 200)

    scene.play(course)
    (said,) = [text for text in scene.heard(News.TROUBLE) if "could not be fenced" in text]
    assert "no route to the PDU" in said


def test_one_that_is_on_again_and_silent_is_no_proof(scene: Scene, power: Power, tmp_path: Path) -> None:
    """Fenced, and switched on by somebody before anything came back: it may run what it had."""
    three(scene, tmp_path)

    async def course(watch: Watch) -> None:
        await runs(scene, "h1", 60)
        watch.notes.change(lambda notes: notes.model_copy(update={"fenced": {"h1": 1.0}}))
        scene.hosts.machines["h1"].up = False
        watch.stir()
        await asyncio.sleep(1)
        assert "web" not in scene.states()["h2"] and power.cut == []
        await runs(scene, "h2", 60)
        assert [host for host, _ in power.cut] == ["h1"]

    scene.play(course)


def test_one_that_is_suspended_keeps_its_power(scene: Scene, power: Power, tmp_path: Path) -> None:
    three(scene, tmp_path)

    async def course(watch: Watch) -> None:
        await runs(scene, "h1", 60)
        word = Word(reason="its memory is changed", by="anna", since=0.0)
        watch.notes.change(lambda notes: notes.model_copy(update={"suspended": {"host/h1": word}}))
        scene.hosts.machines["h1"].up = False
        await asyncio.sleep(900)
        assert power.cut == [] and "web" not in scene.states()["h2"]
        watch.notes.change(lambda notes: notes.model_copy(update={"suspended": {}}))
        await runs(scene, "h2", 200)

    scene.play(course)
    (said,) = [text for text in scene.heard(News.WAITS) if "not fenced" in text]
    assert said == "h1 is not fenced: host h1 is suspended by anna: its memory is changed"


def test_one_that_answers_again_is_not_emptied_for_what_was_noted(
    scene: Scene, power: Power, tmp_path: Path
) -> None:
    """It runs what it had; that look was made as if it had failed."""
    three(scene, tmp_path)

    async def course(watch: Watch) -> None:
        await runs(scene, "h1", 60)
        watch.notes.change(lambda notes: notes.model_copy(update={"fenced": {"h1": 1.0}}))
        watch.stir()
        await asyncio.sleep(100)
        assert watch.notes.read().fenced == {} and power.cut == []
        assert scene.states()["h1"]["web"] == "running" and "web" not in scene.states()["h2"]

    scene.play(course)
