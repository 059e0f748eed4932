"""Paths that are too long to be copied are found by plans whatever copies them: a move (rule_pairs/container.py),
a folder that goes along, volumes that come to where a container is made, a checkpoint before an update. Real: the
script, on folders; made up: the rest of the hosts."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from reconciler.core.planner import make_plan
from reconciler.core.questions import parts, questions, smaller, unseen
from reconciler.model.question import Question
from reconciler.model.spec import Spec
from reconciler.model.updating import Update
from reconciler.model.world import VolumeFacts, World
from reconciler.resources import host_script
from reconciler.runtimes.podman import probes
from tests.core.worlds import container, facts, host, spec, unknown, volume, workload, world

FOLDER = "/var/lib/containers/storage/volumes/data/_data"
DEEP = ("4220 bytes in /data: ddd...",)
VOLUMES = {"volumes": [{"name": "data", "target": "/data"}]}


def kept() -> VolumeFacts:
    return volume("data").model_copy(update={"mountpoint": FOLDER})


def elsewhere(runs: bool) -> tuple[Spec, World]:
    """It runs, or has run, on h1 and is to be made on h2."""
    before, after = workload(on="h1", **VOLUMES), workload(on="h2", **VOLUMES, env={"A": "2"})
    there = (container(before),) if runs else ()
    return spec(host("h1"), host("h2"), after), world(facts("h1", *there, volumes=(kept(),)), facts("h2"))


def saved_first() -> tuple[Spec, World]:
    """It is made anew where it runs, after a checkpoint."""
    before, after = workload(on="h1"), workload(on="h1", env={"A": "2"})
    update = Update.model_validate({"strategy": "checkpoint-first"})
    after = after.model_copy(update={"spec": after.spec.model_copy(update={"update": update})})
    there = world(facts("h1", container(before, pid=4711)), facts("h2"))
    can = {"podman": frozenset(("captures", "moves", "lifecycle", "images"))}
    return spec(host("h1"), host("h2"), after), there.model_copy(update={"abilities": can})


def folder_along() -> tuple[Spec, World]:
    """It moves with a folder of its host."""
    along = {"mounts": [{"source": "/srv/web", "target": "/data", "move": True}]}
    before, after = workload(on="h1", **along), workload(on="h2", **along)
    there = world(facts("h1", container(before, mounts=())), facts("h2"))
    return spec(host("h1"), host("h2"), after), there


CASES = {
    "a folder that goes along": (*folder_along(), "/srv/web"),
    "made anew elsewhere": (*elsewhere(True), FOLDER),
    "made where its data is not": (*elsewhere(False), FOLDER),
    "saved before an update": (*saved_first(), "4711"),
}


def looked(there: World, what: str, found: tuple[str, ...] | None) -> World:
    h1 = there.seen()["h1"].model_copy(update={"deep": {what: found}})
    return there.model_copy(update={"hosts": {**there.hosts, "h1": h1}})


@pytest.mark.parametrize(("specs", "there", "what"), CASES.values(), ids=CASES)
def test_what_is_copied_is_asked_about_and_refused(specs: Spec, there: World, what: str) -> None:
    assert questions(specs, there)["h1"].deep == (what,)
    for found, rule in ((DEEP, "container.long-paths"), (None, "preflight.incomplete"), ((), "")):
        plan = make_plan(specs, looked(there, what, found))
        refusals = [f for f in plan.findings if f.severity == "refuse" and f.host == "h1"]
        assert [f.rule for f in refusals] == ([rule] if rule else []), refusals
        assert bool(plan.steps) == (not rule)
        assert not found or found[0] in refusals[0].message


def test_a_host_that_is_not_seen_is_not_asked() -> None:
    specs, _ = elsewhere(True)
    assert "h1" not in questions(specs, world(unknown("h1"), facts("h2")))


def test_a_busy_host_is_asked_in_parts_and_what_it_does_not_answer_is_known() -> None:
    asked = Question(deep=tuple(f"/v{n}" for n in range(6)), paths=("/srv",))
    first, *then = parts(asked)
    assert first.host and first.paths == ("/srv",) and not first.deep
    assert [one.deep for one in then] == [asked.deep[:4], asked.deep[4:]] and not any(one.host for one in then)
    assert [one.deep for one in smaller(then[1])] == [("/v4",), ("/v5",)]
    left = unseen(facts("h1"), then[1], "late")
    assert left.deep == {"/v4": None, "/v5": None} and not left.preflight_error


def test_the_script_finds_them_below_a_folder(tmp_path: Path) -> None:
    for name, levels in (("deep", 22), ("fine", 18)):
        (tmp_path / name).mkdir()
        at = os.open(tmp_path / name, os.O_RDONLY)
        for _ in range(levels):
            os.mkdir("d" * 200, dir_fd=at)
            inner = os.open("d" * 200, os.O_RDONLY, dir_fd=at)
            os.close(at)
            at = inner
        os.close(at)
    asked = Question(host=False, deep=(str(tmp_path / "deep"), str(tmp_path / "fine")))
    argv = ["sh", "-c", host_script("podman", "preflight"), "preflight", *probes.arguments(asked)]
    said = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout
    reply = probes.parse.sections(said)
    assert "end" in reply
    found, fine = (probes._deep(reply[f"deep {folder}"]) for folder in asked.deep)
    assert found and found[0].startswith("4220 bytes in ") and fine == ()
    subprocess.run(["rm", "-rf", str(tmp_path / "deep"), str(tmp_path / "fine")], check=True)
