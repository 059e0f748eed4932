"""The player over a real API server: what a driver of KubeVirt would see of each script."""

from __future__ import annotations

import json

import pytest

from tests.kube.decide import Condition, Phase, has, phase_of
from tests.kube.objects import Object
from tests.kube.player import playing
from tests.kube.table import ABORTED, LIBVIRT_SAYS, UNSCHEDULABLE
from tests.kube.world import World

pytestmark = [pytest.mark.lab, pytest.mark.kube]

WAY = ["Pending", "Scheduling", "Scheduled", "PreparingTarget", "TargetReady", "Running"]


def passed(migration: Object) -> list[str]:
    return [stamp["phase"] for stamp in migration["status"]["phaseTransitionTimestamps"]]


def active(world: World, vmi: Object) -> list[str]:
    """Nodes of the launcher pods that run."""
    return sorted(p["spec"]["nodeName"] for p in world.pods(vmi) if p["status"]["phase"] == "Running")


def finished(world: World, made: Object) -> None:
    """Nothing is left to be done with it."""
    world.wait(lambda: not (world.migration(made) or {})["metadata"].get("finalizers"), "no finalizer")


def test_a_good_one(world: World) -> None:
    vmi = world.machine("db", "node01")
    with playing(world.cluster, "succeed"):
        made = world.migrate("db", to="node03")
        done = world.wait_phase(made, Phase.SUCCEEDED)
        finished(world, made)
    assert passed(done) == [*WAY, "Succeeded"]
    after = world.vmi("db")
    assert after and after["status"]["nodeName"] == "node03"
    assert after["metadata"]["labels"]["kubevirt.io/nodeName"] == "node03"
    assert "kubevirt.io/migrationTargetNodeName" not in after["metadata"]["labels"]
    assert active(world, vmi) == ["node03"]
    done = world.migration(made) or {}
    assert done["status"]["migrationState"]["completed"] is True
    assert done["status"]["migrationState"]["targetNode"] == "node03"


def test_one_that_fails_leaves_the_vmi_where_it_was(world: World) -> None:
    vmi = world.machine("db", "node01")
    with playing(world.cluster, "fail"):
        made = world.migrate("db", to="node02")
        done = world.wait_phase(made, Phase.FAILED)
        world.wait(lambda: active(world, vmi) == ["node01"], "target pod down")
    assert passed(done) == [*WAY, "Failed"]
    after = world.vmi("db") or {}
    assert after["status"]["nodeName"] == "node01"
    assert after["status"]["migrationState"]["failureReason"] == LIBVIRT_SAYS


@pytest.mark.parametrize("phase", [Phase.PENDING, Phase.SCHEDULING, Phase.SCHEDULED])
def test_deleted_before_the_hand_off(world: World, phase: Phase) -> None:
    vmi = world.machine("db", "node01")
    with playing(world.cluster) as player:
        player.hold("db", phase)
        made = world.migrate("db", to="node02")
        world.wait_phase(made, phase)
        world.delete(made)
        world.wait(lambda: world.migration(made) is None, "gone")
    assert (world.vmi("db") or {})["status"].get("migrationState") is None
    assert active(world, vmi) == ["node01"]


def test_deleted_while_it_runs(world: World) -> None:
    world.machine("db", "node01")
    with playing(world.cluster) as player:
        player.hold("db", Phase.RUNNING)
        made = world.migrate("db", to="node02")
        world.wait_phase(made, Phase.RUNNING)
        world.delete(made)
        world.wait(lambda: world.migration(made) is None, "gone")
    state = (world.vmi("db") or {})["status"]["migrationState"]
    assert state["abortRequested"] and state["abortStatus"] == "Succeeded" and state["failed"]
    assert state["failureReason"] == ABORTED


def test_an_abort_that_is_refused_goes_on(world: World) -> None:
    world.machine("db", "node01")
    with playing(world.cluster, "abort refused") as player:
        player.hold("db", Phase.RUNNING)
        made = world.migrate("db", to="node02")
        world.wait_phase(made, Phase.RUNNING)
        world.delete(made)

        def refused() -> bool:
            state = (world.vmi("db") or {})["status"]["migrationState"]
            return bool(state.get("abortStatus") == "Failed")

        world.wait(refused, "abort refused")
        still = world.migration(made)
        assert still and has(still, Condition.ABORT_REQUESTED) and phase_of(still) is Phase.RUNNING
        player.release("db")
        world.wait(lambda: world.migration(made) is None, "gone")
    assert (world.vmi("db") or {})["status"]["nodeName"] == "node02"


def test_no_node_fits(world: World) -> None:
    """The migration itself shows nothing: only its pod says why."""
    vmi = world.machine("db", "node01")
    world.cluster.kubectl("cordon", "node02")
    with playing(world.cluster):
        made = world.migrate("db", to="node02")
        world.wait_phase(made, Phase.SCHEDULING)

        def reason() -> str:
            conditions = [c for p in world.pods(vmi) for c in p["status"].get("conditions", [])]
            return next((str(c["message"]) for c in conditions if c.get("reason") == "Unschedulable"), "")

        assert world.wait(reason, "unschedulable") == UNSCHEDULABLE
        world.cluster.kubectl("uncordon", "node02")
        world.wait_phase(made, Phase.SUCCEEDED)


def test_the_time_out_that_a_driver_asked_for(world: World) -> None:
    world.machine("db", "node01")
    notes = {"kubevirt.io/migrationUnschedulablePodTimeoutSeconds": "0"}
    with playing(world.cluster, "unschedulable"):
        done = world.wait_phase(world.migrate("db", annotations=notes), Phase.FAILED)
    assert passed(done) == ["Pending", "Scheduling", "Failed"]
    assert (world.vmi("db") or {})["status"].get("migrationState") is None


def test_at_the_limits_one_stays_pending_without_a_word(world: World) -> None:
    for number in range(3):
        world.machine(f"vm{number}", "node01")
    with playing(world.cluster) as player:
        for number in range(2):
            player.hold(f"vm{number}", Phase.RUNNING)
            world.wait_phase(world.migrate(f"vm{number}"), Phase.RUNNING)
        third = world.migrate("vm2")
        waiting = world.wait_phase(third, Phase.PENDING)
        assert not waiting["status"].get("conditions")
        player.release("vm0")
        world.wait_phase(third, Phase.SUCCEEDED)


def test_the_source_lives_on_after_success(world: World) -> None:
    vmi = world.machine("db", "node01")
    with playing(world.cluster, "source lives on"):
        world.wait_phase(world.migrate("db", to="node02"), Phase.SUCCEEDED)
        assert active(world, vmi) == ["node01", "node02"]
        second = world.migrate("db", to="node03")
        world.wait_phase(second, Phase.PENDING)
        assert active(world, vmi) == ["node01", "node02"]
        world.delete(second)
        world.wait(lambda: world.migration(second) is None, "gone")


def test_only_five_finished_ones_are_kept(world: World) -> None:
    world.machine("db", "node01")
    with playing(world.cluster, "fail", step=0):
        for _ in range(6):
            finished(world, world.migrate("db"))
        world.wait(lambda: world.cluster.kubectl("get", "vmim", "-o", "name").count("\n") == 5, "five")


def test_a_vmi_that_is_gone_leaves_its_migration_to_be_deleted(world: World) -> None:
    world.machine("db", "node01")
    with playing(world.cluster, "vmi gone"):
        made = world.migrate("db")
        world.wait(lambda: "deletionTimestamp" in (world.migration(made) or {})["metadata"], "deleted")
    found = world.migration(made)
    assert found and phase_of(found) is Phase.RUNNING


def test_a_drain_by_others_makes_migrations_until_all_left(world: World) -> None:
    vmi = world.machine("db", "node01")
    with playing(world.cluster) as player:
        player.hold("db", Phase.RUNNING)
        world.drain("node01")

        def foreign() -> Object | None:
            listed = json.loads(world.cluster.kubectl("get", "vmim", "-o", "json"))["items"]
            return next(
                (m for m in listed if not phase_of(m).final and "deletionTimestamp" not in m["metadata"]), None
            )

        first = world.wait(foreign, "an evacuation")
        assert first["metadata"]["annotations"]["kubevirt.io/evacuationMigration"] == "node01"
        assert first["spec"]["priority"] == "system-critical"
        world.wait_phase(first, Phase.RUNNING)
        world.delete(first)
        world.wait(lambda: world.migration(first) is None, "cancelled")
        second = world.wait(foreign, "the next evacuation")
        assert second["metadata"]["uid"] != first["metadata"]["uid"]
        player.release("db")
        finished(world, second)
    assert "evacuationNodeName" not in (world.vmi("db") or {})["status"]
    assert active(world, vmi) in (["node02"], ["node03"])


def test_the_policy_that_fits_best_is_in_force(world: World) -> None:
    def policy(name: str, labels: dict[str, str], **spec: object) -> Object:
        selectors = {"virtualMachineInstanceSelector": labels}
        kind = {"apiVersion": "migrations.kubevirt.io/v1alpha1", "kind": "MigrationPolicy"}
        return {**kind, "metadata": {"name": name}, "spec": {"selectors": selectors, **spec}}

    world.machine("db", "node01", labels={"tier": "data", "speed": "slow"})
    world.cluster.create(
        policy("a-less", {"tier": "data"}, maxDowntimeMs=1),
        policy("c-same", {"tier": "data", "speed": "slow"}, maxDowntimeMs=2),
        policy("b-first", {"tier": "data", "speed": "slow"}, allowPostCopy=True, bandwidthPerMigration="64Mi"),
        policy("d-other", {"tier": "data", "speed": "fast", "kubevirt.io/vm": "db"}, maxDowntimeMs=3),
    )
    with playing(world.cluster):
        world.wait_phase(world.migrate("db"), Phase.SUCCEEDED)
    state = (world.vmi("db") or {})["status"]["migrationState"]
    assert state["migrationPolicyName"] == "b-first"
    config = state["migrationConfiguration"]
    assert config["allowPostCopy"] and config["allowWorkloadDisruption"]
    assert (config["bandwidthPerMigration"], config["maxDowntimeMs"]) == ("64Mi", 900)
