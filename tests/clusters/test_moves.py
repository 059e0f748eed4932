"""Virtual machines moved between nodes by KubeVirt. Real: commands, engine, runtime, guard. Fake: the cluster."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from reconciler.commands import app
from reconciler.commands.recover import Resume
from reconciler.core.saga import GroupState
from reconciler.errors import HostError
from reconciler.hosts.kubernetes.api import HttpAnswer
from reconciler.model.plan import ChangeKind
from reconciler.model.spec import MigrationPolicy
from reconciler.runtimes.kubevirt import looking
from tests.clusters.kubevirt import API, JOBS, VMIS, VMS, KubeVirt, Lab, cluster, lab, launcher, machine, specs


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Lab]:
    monkeypatch.setattr("reconciler.engine.effects.selfmoving.POLL", 0.01)
    api = cluster("node01", "node02", "node03")
    machine(api)
    with lab(monkeypatch, tmp_path, api) as made:
        yield made


@asynccontextmanager
async def playing(there: Lab, script: str = "succeed", until: str = "Running") -> AsyncIterator[KubeVirt]:
    player = KubeVirt(there.api, script, until)
    task = asyncio.create_task(player.play())
    try:
        yield player
    finally:
        task.cancel()


async def test_a_machine_is_moved_once_and_nothing_is_left(there: Lab) -> None:
    async with playing(there) as player:
        applied = await there.apply(specs())
        assert applied.outcome and applied.outcome.groups == {"db": GroupState.DONE}, applied
        assert there.where() == "node02" and there.jobs() == []
        assert player.seen[-1] == "Succeeded"
        again = await there.apply(specs())
        assert again.run is None and not again.plan.changes and not again.plan.findings
        back = await there.apply(specs("node01"))
        assert back.outcome and back.outcome.groups == {"db": GroupState.DONE}
    assert there.where() == "node01"
    leases = there.api.get("configmaps", "reconciler-leases", "default")
    assert leases["data"] == {}


async def test_the_plan_tells_what_kubevirt_says(there: Lab) -> None:
    seen = await there.plan(specs())
    (change,) = seen.plan.changes
    assert (change.kind, change.source, change.destination) == (ChangeKind.MOVE, "lab/node01", "lab/node02")
    told = change.outlook.cluster_move
    assert told and told.migratable and told.method == "LiveMigration" and told.per_gib_s == 200
    assert seen.plan.moves["db"].memory_bytes == 2 * 2**30
    assert not seen.plan.findings
    assert len(there.api.asked) <= 8


async def test_placement_by_labels_and_by_nobody(there: Lab) -> None:
    by_labels = {"cluster": "lab", "labels": {"disk": "fast"}}
    (change,) = (await there.plan(specs(placement=by_labels))).plan.changes
    assert change.destination == "lab/node02"
    there.api.change("nodes", "node02", "", {"spec": {"unschedulable": True}})
    (change,) = (await there.plan(specs(placement=by_labels))).plan.changes
    assert change.destination == "lab/node03"
    assert not (await there.plan(specs(placement={"cluster": "lab"}))).plan.changes
    (finding,) = (await there.plan(specs("node77"))).plan.findings
    assert finding.rule == "placement" and "no such node" in finding.message
    (finding,) = (await there.plan(specs())).plan.findings
    assert finding.rule == "kubevirt.node" and "cordoned" in finding.message


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("fail", "client socket is closed"),
        ("unplaced", "0/3 nodes are available: 1 Insufficient memory."),
        ("elsewhere", "placed on node01 where it runs already"),
        ("rejected", "in-flight migration"),
        ("old", "unknown field"),
    ],
)
async def test_what_fails_stays_where_it_was_and_says_why(there: Lab, script: str, why: str) -> None:
    async with playing(there, script):
        applied = await asyncio.wait_for(there.apply(specs()), 20)
    assert applied.outcome and applied.outcome.groups == {"db": GroupState.PUT_BACK}
    assert why in str(applied.outcome.errors)
    assert there.where() == "node01" and there.jobs() == []
    assert [name for _, name in there.api.objects["pods"]] == ["virt-launcher-db-0"]
    (change,) = (await there.plan(specs())).plan.changes
    assert change.kind is ChangeKind.MOVE


async def test_succeeded_with_two_pods_is_not_done(there: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "SETTLES", 0.2)
    async with playing(there, "two-pods"):
        applied = await asyncio.wait_for(there.apply(specs()), 60)
    assert applied.outcome and applied.outcome.groups == {"db": GroupState.INCOMPLETE}
    assert "runs on lab/node02 and lab/node01" in str(applied.outcome.errors)
    (finding,) = (await there.plan(specs())).plan.findings
    assert finding.rule == "run-unfinished"
    there.api.drop("pods", "virt-launcher-db-0", "shop")
    await Resume(specs(), there.journal)()
    assert not (await there.plan(specs())).plan.changes


@pytest.mark.parametrize("by_resume", [False, True])
async def test_a_pod_that_is_ending_is_waited_for(
    there: Lab, by_resume: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has its own time to end in; it is no second copy, whoever looks meanwhile."""
    monkeypatch.setattr(looking, "SETTLES", 0.5)
    async with playing(there, "lingers") as player:
        task = asyncio.create_task(app.Apply(specs(), there.journal)())
        if by_resume:
            await player.reached("Succeeded")
            there.kill()
            there.api.drop("configmaps", "reconciler-leases", "default")
            assert (await asyncio.wait_for(Resume(specs(), there.journal)(), 30)).exit_code == 0
            await there.bury(task)
        else:
            applied = await asyncio.wait_for(task, 30)
            assert applied.outcome and applied.outcome.groups == {"db": GroupState.DONE}, applied.outcome
    assert there.where() == "node02" and there.jobs() == []
    assert len(there.api.objects["pods"]) == 1


async def test_an_api_that_stumbles_at_the_beginning_is_not_somebody_elses_work(there: Lab) -> None:
    """One 500 while leases are read is asked again; many are the API server's error, not a stale plan."""
    async with playing(there):
        there.api.answers = [HttpAnswer(500, "{}")]
        applied = await there.apply(specs())
        assert applied.outcome and applied.outcome.groups == {"db": GroupState.DONE}
        there.api.answers = [HttpAnswer(500, "{}")] * 5
        with pytest.raises(HostError) as failure:
            await there.apply(specs("node01"))
    assert failure.value.code == "H227"


async def test_a_foreign_migration_and_a_stray_pod_are_left_alone(there: Lab) -> None:
    job = {"metadata": {"name": "theirs", "namespace": "shop"}, "spec": {"vmiName": "db"}, "status": {}}
    there.api.put(JOBS, job)
    (finding,) = (await there.plan(specs())).plan.findings
    assert finding.rule == "kubevirt.migrating" and "theirs" in finding.message
    there.api.drop(JOBS, "theirs", "shop")
    launcher(there.api, "db", "node03", "virt-launcher-db-9")
    (finding,) = (await there.plan(specs())).plan.findings
    assert finding.rule == "kubevirt.two-pods"


async def test_one_that_only_waits_for_its_turn_says_so_when_its_time_is_over(there: Lab) -> None:
    spec = specs(migration={"policy": "short"})
    policy = {"apiVersion": API, "kind": "MigrationPolicy", "metadata": {"name": "short"}}
    short = MigrationPolicy.model_validate({**policy, "spec": {"live": {"within": "1s"}}})
    async with playing(there, "wait", "Pending"):
        applied = await there.apply(spec.model_copy(update={"policies": {"short": short}}))
    assert applied.outcome and applied.outcome.groups == {"db": GroupState.PUT_BACK}
    assert "longer than 1s; it was Pending, without a pod" in str(applied.outcome.errors)


@pytest.mark.parametrize("phase", ["Pending", "Scheduling", "Scheduled", "PreparingTarget", "Running"])
async def test_interrupted_it_stays_where_it_was(there: Lab, phase: str) -> None:
    async with playing(there, "wait", phase) as player:
        apply = app.Apply(specs(), there.journal)
        task = asyncio.create_task(apply())
        await player.reached(phase)
        apply.cancel()
        applied = await asyncio.wait_for(task, 20)
    assert applied.outcome and applied.outcome.cancelled
    assert applied.outcome.groups == {"db": GroupState.PUT_BACK}
    assert there.where() == "node01" and there.jobs() == []


@pytest.mark.parametrize("journal", [True, False])
@pytest.mark.parametrize("phase", ["Pending", "Running"])
async def test_killed_and_resumed_it_arrives(there: Lab, phase: str, journal: bool, tmp_path: Path) -> None:
    """The second controller knows the cluster's state, and with or without the first one's journal."""
    async with playing(there, "wait", phase) as player:
        task = asyncio.create_task(app.Apply(specs(), there.journal)())
        await player.reached(phase)
        there.kill()
        player.script = "succeed"
        there.api.drop("configmaps", "reconciler-leases", "default")
        path = there.journal if journal else tmp_path / "another.db"
        try:
            ended = await asyncio.wait_for(Resume(specs(), path)(), 30)
            assert ended.exit_code == 0
            assert there.where() == "node02" and there.jobs() == []
            assert not (await there.plan(specs())).plan.changes
        finally:
            await there.bury(task)


async def test_stopped_and_started_by_state(there: Lab) -> None:
    async with playing(there):
        await there.apply(specs("node01", state="stopped"))
        assert ("shop", "db") not in there.api.objects[VMIS]
        assert there.api.get(VMS, "db", "shop")["spec"]["runStrategy"] == "Halted"
        assert not (await there.plan(specs("node01", state="stopped"))).plan.changes
        started = await there.apply(specs("node01"))
        assert started.outcome and started.outcome.groups == {"db": GroupState.DONE}
        assert there.api.get(VMS, "db", "shop")["spec"]["runStrategy"] == "Always"
        (change,) = (await there.plan(specs("node01"))).plan.changes
        assert change.kind is ChangeKind.MOVE
