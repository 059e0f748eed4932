"""`reconcile logs` and `exec`: what is asked of which host, and when nothing is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reconciler.cli import main
from reconciler.commands import compose
from reconciler.model.spec import Spec
from reconciler.runtimes import registry
from reconciler.runtimes.podman.driver import PodmanDriver
from tests.cli.memory_fleet import two_hosts, want
from tests.sim.driver import SimDriver


class Shown(SimDriver):
    """The simulated runtime, which shows what it has as Podman does."""

    logs = staticmethod(PodmanDriver().logs)
    enter = staticmethod(PodmanDriver().enter)


class Scene:
    """What hosts were given to run with our streams; it ended with status 3."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.universe = two_hosts(folder, patch)
        self.patch, self.capsys = patch, capsys
        self.told: list[Any] = []
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        patch.setattr(registry, "BUILT_IN", {"podman": Shown})
        patch.setattr(compose, "attached", self._attached)
        want(folder, web="h1")

    async def _attached(self, spec: Spec, host: str, argv: tuple[str, ...], **how: bool) -> int:
        self.told.append((host, " ".join(argv), how))
        return 3

    def run(self, words: str) -> int:
        return main.run(words.split())

    def refused(self, words: str, status: int, *parts: str) -> None:
        assert self.run(words) == status
        said = self.capsys.readouterr().err
        assert [part for part in parts if part not in said] == [], said
        assert self.told == []


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Scene:
    return Scene(tmp_path, monkeypatch, capsys)


def test_a_log_comes_from_where_the_workload_is(scene: Scene, tmp_path: Path) -> None:
    assert scene.run("apply --yes") == 0
    assert scene.run("logs web") == 3
    want(tmp_path, web="h2")
    assert scene.run("apply --yes") == 0
    assert scene.run("logs web -f --tail 5 --since 5m --timestamps") == 3
    streams = {"stdin": False, "terminal": False}
    assert scene.told == [
        ("h1", "podman container logs -- web", streams),
        ("h2", "podman container logs --tail 5 --since 5m --follow --timestamps -- web", streams),
    ]


def test_a_command_has_its_own_options(scene: Scene) -> None:
    assert scene.run("apply --yes") == 0
    assert scene.run("exec -i --user app web ls -i --json") == 3
    words = "podman container exec --interactive --user app -- web ls -i --json"
    assert scene.told == [("h1", words, {"stdin": True, "terminal": False})]


def test_nothing_is_run_where_it_is_not(scene: Scene) -> None:
    scene.refused("logs web", 1, "web is on no host", "reconcile apply")
    scene.refused("logs other", 4, "no spec defines the workload other", "one of: web")
    scene.refused("exec web", 4, "COMMAND")
    scene.refused("exec -t web sh", 4, "--tty needs a terminal")
    assert scene.run("apply --yes") == 0
    for machine in scene.universe.machines.values():
        machine.reachable = False
    scene.refused("logs web", 7, "could not be seen")
    scene.refused("logs wbe", 4, "no spec defines the workload wbe", "not seen: h1, h2", "one of: web")
    scene.refused("exec wbe ls", 4, "no spec defines the workload wbe")
    scene.refused("checkpoint web", 7, "these were not: h1, h2")
    scene.refused("restore web --to h1", 7, "cannot be restored on h1")
    scene.refused("restore web", 7, "cannot be restored")


def test_nothing_is_begun_beside_what_does_not_run(scene: Scene) -> None:
    assert scene.run("apply --yes") == 0
    (container,) = scene.universe.machines["h1"].containers.values()
    container.state = "exited"
    scene.refused("exec web ls", 1, "web does not run: it is exited", "reconcile logs web")


def test_nothing_is_begun_in_a_hand_over(scene: Scene) -> None:
    """It would be frozen with the rest, and be no part of the images."""
    assert scene.run("apply --yes") == 0
    marker = scene.universe.machines["h1"].markers["web"]
    marker.phase, marker.epoch = "held", 9
    scene.refused("exec web ls", 1, "a hand-over of web has not ended", "reconcile status")
    assert scene.run("logs web") == 3


def test_a_runtime_that_shows_nothing_is_named(scene: Scene) -> None:
    assert scene.run("apply --yes") == 0
    scene.patch.setattr(registry, "BUILT_IN", {"podman": SimDriver})
    scene.refused("logs web", 1, "podman", "attends")
