"""The product against every way a migration of KubeVirt can go, over the real API: what it says and leaves."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from reconciler.commands.recover import Resume
from reconciler.core.saga import GroupState
from tests.kube.decide import Phase
from tests.kube.objects import Object
from tests.kube.player import playing
from tests.kube.proxy import Fault, Kind, standing_before
from tests.kube.table import LIBVIRT_SAYS, UNSCHEDULABLE
from tests.kube.test_moves import Ground
from tests.kube.world import World

pytestmark = [pytest.mark.lab, pytest.mark.kube]

DONE, BACK = GroupState.DONE, GroupState.PUT_BACK
COLUMNS = "custom-columns=NAME:.metadata.name,NODE:.spec.nodeName,PHASE:.status.phase"
UNFINISHED = [phase for phase in Phase if not phase.final and phase is not Phase.UNSET]
INTERRUPTED = 130


@pytest.fixture
def ground(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ground:
    monkeypatch.setattr("reconciler.runtimes.kubevirt.looking.SETTLES", 2.0)
    return Ground(world, tmp_path)


def active(world: World, vmi: Object) -> list[str]:
    return sorted(p["spec"]["nodeName"] for p in world.pods(vmi) if p["status"].get("phase") == "Running")


@pytest.mark.parametrize(
    ("script", "state", "why"),
    [
        ("succeed", DONE, ""),
        ("post-copy", DONE, ""),
        ("paused", DONE, ""),
        ("fail", BACK, LIBVIRT_SAYS),
        ("fail at once", BACK, LIBVIRT_SAYS),
        ("unschedulable", BACK, UNSCHEDULABLE[:30]),
        ("target pod down in Scheduling", BACK, ""),
        ("target pod down in PreparingTarget", BACK, ""),
        ("target pod down in Running", BACK, ""),
        ("target pod gone in Scheduling", BACK, ""),
        ("target pod gone in PreparingTarget", BACK, ""),
        ("target pod gone in Running", BACK, ""),
        ("state cleared", BACK, ""),
        ("taken over", BACK, ""),
    ],
)
def test_how_it_ends(ground: Ground, script: str, state: GroupState, why: str) -> None:
    """One copy runs, where the outcome says, and no object of ours is left."""
    vmi = ground.world.machine("db", "node01")
    with playing(ground.world.cluster, script):
        done = ground.apply("node02")
    assert done.outcome and done.outcome.groups == {"db": state}, done.outcome
    assert why in str(done.outcome.errors)
    where = "node02" if state is DONE else "node01"
    assert ground.where() == where and ground.left() == ""
    assert active(ground.world, vmi) == [where]


def test_a_target_on_the_sources_node_is_noticed(ground: Ground) -> None:
    vmi = ground.world.machine("db", "node01")
    with playing(ground.world.cluster, "on the source") as player:
        player.hold("db", Phase.PREPARING)
        done = ground.apply("node02")
    assert done.outcome and done.outcome.groups == {"db": BACK}
    assert "placed on node01 where it runs already" in str(done.outcome.errors)
    assert ground.left() == "" and active(ground.world, vmi) == ["node01"]


def test_a_machine_that_goes_meanwhile_is_not_waited_for(ground: Ground) -> None:
    """KubeVirt ends no migration whose machine is gone: its finalizer would keep it for ever."""
    ground.world.machine("db", "node01")
    with playing(ground.world.cluster, "vmi gone"):
        done = ground.apply("node02")
    assert done.outcome and done.outcome.groups["db"] is not DONE


@pytest.mark.parametrize("phase", UNFINISHED)
def test_ctrl_c_in_each_phase(ground: Ground, phase: Phase) -> None:
    vmi = ground.world.machine("db", "node01")
    with playing(ground.world.cluster) as player:
        player.hold("db", phase)
        running = ground.reconcile("apply", "--yes", str(ground.write("node02")))
        ground.world.wait(lambda: phase in ground.phases(), f"a migration in {phase}")
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=120)
    assert running.returncode == INTERRUPTED, (out, err)
    assert ground.where() == "node01" and ground.left() == ""
    assert active(ground.world, vmi) == ["node01"]


@pytest.mark.parametrize("phase", UNFINISHED)
def test_killed_in_each_phase_then_resumed(ground: Ground, phase: Phase) -> None:
    """The second controller has another journal: it knows the cluster's state alone."""
    vmi = ground.world.machine("db", "node01")
    with playing(ground.world.cluster) as player:
        player.hold("db", phase)
        running = ground.reconcile("apply", "--yes", str(ground.write("node02")))
        ground.world.wait(lambda: phase in ground.phases(), f"a migration in {phase}")
        running.kill()
        running.communicate(timeout=60)
        player.release("db")
        ground.world.cluster.kubectl("delete", "configmap", "reconciler-leases", "--ignore-not-found")
        asyncio.run(Resume(ground.specs("node02"), ground.folder / "another.db")())
        seen = ground.plan("node02")
    assert not seen.plan.changes
    assert ground.where() == "node02" and ground.left() == ""
    assert active(ground.world, vmi) == ["node02"]


def test_what_kubectl_shows_before_and_after(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    """A failed and a good run: no migrations are left, and no pods but the machine's and ended ones."""
    ground.world.machine("db", "node01")

    def shown() -> str:
        return ground.world.cluster.kubectl("get", "vmim,pods", "-A", "-o", COLUMNS)

    told = {"before": shown()}
    with playing(ground.world.cluster) as player:
        player.script("db", "fail")
        ground.apply("node02")
        told["after a failed run"] = shown()
        player.script("db", "succeed")
        ground.apply("node02")
        told["after a good run"] = shown()
    with capsys.disabled():
        print("\n" + "\n".join(f"{when}:\n{text}" for when, text in told.items()))
    assert all("reconciler-" not in text for text in told.values())
    rows = [line.split() for text in told.values() for line in text.splitlines()[1:]]
    assert {row[2] for row in rows} <= {"Running", "Failed", "Succeeded"}
    assert [sum(line.split()[2] == "Running" for line in text.splitlines()[1:]) for text in told.values()] == [
        1
    ] * 3


@pytest.mark.parametrize(
    "faults",
    [
        [Fault(Kind.TOO_MANY), Fault(Kind.BROKEN, "GET")],
        [Fault(Kind.LOST, "POST", "virtualmachineinstancemigrations")],
        [Fault(Kind.UNAVAILABLE, "GET", "virtualmachineinstancemigrations/", times=2)],
        [Fault(Kind.CUT, "GET", "virtualmachineinstances/", times=2)],
        [Fault(Kind.TORN, "GET", "virtualmachineinstances/", times=1)],
        [Fault(Kind.LOST, "PATCH", times=2)],
        [Fault(Kind.BROKEN, "GET", "configmaps", times=1)],
    ],
    ids=["429 and 500", "POST lost", "503", "cut", "torn", "changes lost", "500 for the lease"],
)
def test_an_api_that_stumbles_does_not_end_a_move(ground: Ground, faults: list[Fault]) -> None:
    """It arrives, with one copy and nothing of ours left."""
    vmi = ground.world.machine("db", "node01")
    world = ground.world
    with playing(world.cluster), standing_before(world.cluster) as proxy:
        direct, world.kubeconfig = world.kubeconfig, world.cluster.kubeconfig(server=proxy.url)
        proxy.faults += [Fault(f.kind, f.method, f.path, f.times) for f in faults]
        done = ground.apply("node02")
        world.kubeconfig = direct
    assert done.outcome and done.outcome.groups["db"] is DONE, done.outcome
    assert not any(fault.times for fault in proxy.faults), "a fault that never came"
    assert ground.where() == "node02" and active(world, vmi) == ["node02"] and ground.left() == ""


def test_a_migration_of_others_is_left_alone(ground: Ground) -> None:
    ground.world.machine("db", "node01")
    with playing(ground.world.cluster) as player:
        player.hold("db", Phase.RUNNING)
        ground.world.drain("node01")
        ground.world.wait(lambda: "Running" in ground.phases(), "an evacuation")
        seen = ground.plan("node02")
        assert any(finding.rule == "kubevirt.migrating" for finding in seen.plan.findings)
        assert len(ground.phases().split()) == 1
        player.release("db")
        ground.world.wait(lambda: ground.phases() == "Succeeded", "the one evacuation's success")
    assert ground.where() != "node01"
