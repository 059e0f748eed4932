"""The commands against a real API server with KubeVirt's own definitions; a player is KubeVirt, the scheduler and
the kubelets (`tests.kube`)."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.commands import app
from reconciler.commands.recover import Resume
from reconciler.core.saga import GroupState
from reconciler.load import load
from reconciler.model.spec import Spec
from reconciler.runtimes.base import Underway
from reconciler.runtimes.kubevirt import moving
from tests.kube.carry import Carrier
from tests.kube.decide import Phase, Verdict
from tests.kube.decide import World as Seen
from tests.kube.player import Player, playing
from tests.kube.world import World

pytestmark = [pytest.mark.lab, pytest.mark.kube]

API = "reconciler/v1alpha1"
MOST_LATE = 0.5


class Ground:
    """Specs of a machine in that cluster, and the commands on them."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.folder = world, folder
        self.journal = folder / "journal.db"

    def write(self, node: str, **section: Any) -> Path:
        cluster = {"kubeconfig": str(self.world.kubeconfig)}
        spec = {
            "runtime": "kubevirt",
            "virtualMachine": {"name": "db", **section},
            "placement": {"cluster": "lab", "node": node},
        }
        both = [
            {"apiVersion": API, "kind": "Cluster", "metadata": {"name": "lab"}, "spec": cluster},
            {"apiVersion": API, "kind": "Workload", "metadata": {"name": "db"}, "spec": spec},
        ]
        file = self.folder / "specs.yaml"
        file.write_text(yaml.safe_dump_all(both))
        return file

    def specs(self, node: str, **section: Any) -> Spec:
        return load([self.write(node, **section)])

    def apply(self, node: str, **section: Any) -> app.Applied:
        return asyncio.run(app.Apply(self.specs(node, **section), self.journal)())

    def plan(self, node: str, **section: Any) -> app.Seen:
        return asyncio.run(app.plan(self.specs(node, **section), self.journal, lambda said: None))

    def where(self) -> str:
        found = self.world.vmi("db") or {"status": {}}
        return str(found["status"].get("nodeName", ""))

    def left(self) -> str:
        """Our migrations that nobody has deleted; of deleted ones virt-controller lets go in its own time."""
        words = ("get", "vmim", "-A", "-l", "io.reconciler.workload", "-o", "json")
        found = json.loads(self.world.cluster.kubectl(*words))["items"]
        return ", ".join(one["metadata"]["name"] for one in found if "deletionTimestamp" not in one["metadata"])

    def reconcile(self, *words: str) -> subprocess.Popen[str]:
        env = {**os.environ, "XDG_STATE_HOME": str(self.folder), "NO_COLOR": "1"}
        argv = [str(Path(sys.executable).parent / "reconcile"), *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(argv, cwd=self.folder, env=env, stdout=pipe, stderr=pipe, text=True)

    def wait_running(self) -> None:
        """Until its migration is in the phase that the player holds it in."""
        self.world.wait(lambda: "Running" in self.phases(), "a migration that runs")

    def phases(self) -> str:
        return self.world.cluster.kubectl("get", "vmim", "-A", "-o", "jsonpath={.items[*].status.phase}")


@pytest.fixture
def ground(world: World, tmp_path: Path) -> Ground:
    world.machine("db", "node01")
    return Ground(world, tmp_path)


@pytest.fixture
def player(ground: Ground) -> Iterator[Player]:
    with playing(ground.world.cluster) as made:
        yield made


def test_moved_there_and_back_and_nothing_left(ground: Ground, player: Player) -> None:
    for node in ("node03", "node01"):
        done = ground.apply(node)
        assert done.outcome and done.outcome.groups == {"db": GroupState.DONE}, done.outcome
        assert ground.where() == node and ground.left() == ""
        assert not ground.plan(node).plan.changes


def test_its_end_is_seen_at_once(
    ground: Ground, player: Player, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From when virt-controller has written `Succeeded`; the best of several, for the machine may be busy."""
    written: list[float] = []
    seen: list[float] = []
    write, standing = Carrier._write, moving.standing

    async def writes(self: Carrier, verdict: Verdict, world: Seen) -> bool:
        done = await write(self, verdict, world)
        if verdict.phase is Phase.SUCCEEDED and len(written) == len(seen):
            written.append(time.monotonic())
        return done

    def stands(*told: Any) -> Underway:
        found = standing(*told)
        if not found.moving and found.phase == "Succeeded":
            seen.append(time.monotonic())
        return found

    monkeypatch.setattr(Carrier, "_write", writes)
    monkeypatch.setattr(moving, "standing", stands)
    for node in ("node02", "node01", "node02"):
        assert (done := ground.apply(node).outcome) and done.groups == {"db": GroupState.DONE}
    late = [round(there - here, 2) for here, there in zip(written, seen, strict=True)]
    with capsys.disabled():
        print(f"\nan end is seen after {late} s; load {os.getloadavg()[0]:.1f}")
    assert min(late) <= MOST_LATE


def test_no_node_takes_it(ground: Ground, player: Player) -> None:
    player.script("db", "unschedulable")
    began = time.monotonic()
    done = ground.apply("node02")
    assert done.outcome and done.outcome.groups == {"db": GroupState.PUT_BACK}
    assert "nodes are available" in str(done.outcome.errors)
    assert ground.where() == "node01" and ground.left() == ""
    assert time.monotonic() - began < 60, "KubeVirt itself would have waited for five minutes"


def test_two_pods_after_succeeded(ground: Ground, player: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.runtimes.kubevirt.looking.SETTLES", 1.0)
    player.script("db", "source lives on")
    done = ground.apply("node02")
    assert done.outcome and done.outcome.groups == {"db": GroupState.INCOMPLETE}
    assert "runs on lab/node02 and lab/node01" in str(done.outcome.errors)


def test_ctrl_c_in_mid_move(ground: Ground, player: Player) -> None:
    player.hold("db", Phase.RUNNING)
    running = ground.reconcile("apply", "--yes", str(ground.write("node02")))
    ground.wait_running()
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130, (out, err)
    assert ground.where() == "node01" and ground.left() == ""


def test_killed_in_mid_move_and_resumed_without_its_journal(ground: Ground, player: Player) -> None:
    player.hold("db", Phase.RUNNING)
    running = ground.reconcile("apply", "--yes", str(ground.write("node02")))
    ground.wait_running()
    running.kill()
    running.communicate(timeout=60)
    player.release("db")
    leases = ("delete", "configmap", "-n", "default", "reconciler-leases")
    ground.world.cluster.kubectl(*leases)
    asyncio.run(Resume(ground.specs("node02"), ground.folder / "another.db")())
    assert ground.where() == "node02" and ground.left() == ""
    assert not ground.plan("node02").plan.changes


def test_made_from_a_manifest_by_server_side_apply(ground: Ground) -> None:
    template = {"spec": {"domain": {"devices": {}, "memory": {"guest": "128Mi"}}}}
    manifest = {"spec": {"template": template}}
    spec = ground.specs("node01", name="new", manifest=manifest)
    seen = asyncio.run(app.plan(spec, ground.journal, lambda said: None))
    assert [change.kind.value for change in seen.plan.changes] == ["create"]
    wrong = {"spec": {"template": template, "nonsense": 1}}
    done = ground.apply("node01", name="new", manifest=wrong)
    assert done.outcome and done.outcome.groups == {"db": GroupState.PUT_BACK}
    assert "nonsense" in str(done.outcome.errors)
