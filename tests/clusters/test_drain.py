"""A node is emptied and given back. Real: commands, engine, runtime, guard. Fake: the cluster."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.commands.drain import Drain, Drained, give_back
from reconciler.core.draining import drained
from reconciler.core.saga import GroupState
from reconciler.errors import InputError, Interrupted
from reconciler.model.cluster_world import ClusterMachineFacts
from reconciler.model.labels import CORDONED, LABEL_WORKLOAD
from reconciler.model.spec import Spec, Workload
from reconciler.model.world import HostFacts, InstanceState
from tests.clusters.kubevirt import API, VMIS, Lab, cluster, lab, machine, specs
from tests.clusters.test_moves import playing

GIB = 2**30
FAST = {"cluster": "lab", "labels": {"disk": "fast"}}


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Lab]:
    """`db` is placed on node02 by its name, `web` by a label; `theirs` is in no spec. All run on node02."""
    monkeypatch.setattr("reconciler.engine.effects.selfmoving.POLL", 0.01)
    api = cluster("node01", "node02", "node03")
    for name in ("db", "web", "theirs"):
        machine(api, name, "node02")
    with lab(monkeypatch, tmp_path, api) as made:
        yield made


def wanted() -> Spec:
    return Spec(
        clusters=specs().clusters,
        workloads={**specs("node02").workloads, "web": workload("web", FAST)},
    )


def workload(name: str, placement: dict[str, Any]) -> Workload:
    section = {"namespace": "shop", "name": name}
    spec = {"runtime": "kubevirt", "virtualMachine": section, "placement": placement}
    return Workload.model_validate(
        {"apiVersion": API, "kind": "Workload", "metadata": {"name": name}, "spec": spec}
    )


async def drain(there: Lab, spec: Spec | None = None, place: str = "lab/node02", **more: Any) -> Drained:
    return await asyncio.wait_for(Drain(spec or wanted(), place, there.journal, **more)(), 60)


def node(there: Lab, name: str = "node02") -> dict[str, Any]:
    return there.api.get("nodes", name)


def where(there: Lab) -> dict[str, str]:
    return {name: found["status"]["nodeName"] for (_, name), found in there.api.objects[VMIS].items()}


async def test_what_is_ours_leaves_the_node_and_comes_back(there: Lab) -> None:
    async with playing(there):
        done = await drain(there)
        assert (
            done.applied and done.applied.outcome and not done.left and done.draining.strangers == ("shop/theirs",)
        )
        assert set(done.applied.outcome.groups.values()) == {GroupState.DONE}
        assert where(there) == {"db": "node01", "web": "node03", "theirs": "node02"}
        assert node(there)["spec"]["unschedulable"] and CORDONED in node(there)["metadata"]["annotations"]
        again = await drain(there)
        assert again.cordoned and not again.theirs and again.applied and again.applied.outcome is None
        assert await give_back(wanted(), "lab/node02", lambda left: None) == (True, False)
        assert "unschedulable" not in node(there)["spec"]
        assert CORDONED not in node(there)["metadata"]["annotations"]
        assert await give_back(wanted(), "lab/node02", lambda left: None) == (False, False)
        await there.apply(wanted())
    assert where(there) == {"db": "node02", "web": "node03", "theirs": "node02"}


async def test_what_others_cordoned_is_theirs(there: Lab) -> None:
    there.api.change("nodes", "node02", "", {"spec": {"unschedulable": True}})
    async with playing(there):
        done = await drain(there)
    assert done.cordoned and done.theirs
    assert await give_back(wanted(), "lab/node02", lambda left: None) == (False, True)
    assert node(there)["spec"]["unschedulable"]


async def test_a_move_that_fails_leaves_it_cordoned_and_is_tried_again(there: Lab) -> None:
    async with playing(there, "fail") as player:
        done = await drain(there)
        assert done.applied and done.applied.outcome
        assert set(done.applied.outcome.groups.values()) == {GroupState.PUT_BACK}
        assert set(where(there).values()) == {"node02"} and node(there)["spec"]["unschedulable"]
        player.script = "succeed"
        await drain(there)
    assert where(there) == {"db": "node01", "web": "node03", "theirs": "node02"}


async def test_nothing_is_changed_without_a_yes_and_no_other_place_is_taken(there: Lab) -> None:
    async def no(seen: object) -> bool:
        return False

    done = await drain(there, ask=no)
    assert done.applied is None and not done.cordoned and "unschedulable" not in node(there)["spec"]
    for place in ("lab/", "lab", "node02", "prod/node02"):
        with pytest.raises(InputError) as failure:
            await drain(there, place=place)
        assert failure.value.code == "E146"
    with pytest.raises(InputError, match="lab has no node node77"):
        await drain(there, place="lab/node77")


def facts(name: str, *machines: ClusterMachineFacts, free: int = 64, **more: Any) -> HostFacts:
    return HostFacts(name=name, instances=machines, memory_free_bytes=free * GIB, arch="x86_64", **more)


def one(name: str, gib: int) -> ClusterMachineFacts:
    labels = {LABEL_WORKLOAD: name}
    state = InstanceState.RUNNING
    return ClusterMachineFacts(
        id=name,
        name=name,
        namespace="shop",
        runtime="kubevirt",
        state=state,
        labels=labels,
        memory_bytes=gib * GIB,
    )


def placed(spec: Spec) -> dict[str, str | None]:
    return {name: found.spec.placement.node for name, found in spec.workloads.items()}


def test_each_goes_to_where_most_memory_is_left() -> None:
    names = {"a": 2, "b": 8, "c": 4, "d": 40}
    by_name = {"cluster": "lab", "node": "n1"}
    spec = Spec(clusters=specs().clusters, workloads={name: workload(name, by_name) for name in names})
    seen = {
        "lab/": facts("lab/"),
        "lab/n1": facts("lab/n1", *(one(name, gib) for name, gib in names.items())),
        "lab/n2": facts("lab/n2", free=12),
        "lab/n3": facts("lab/n3", free=9),
        "lab/n4": facts("lab/n4", cordoned=True),
        "lab/n5": facts("lab/n5", ready=False),
        "other/n1": facts("other/n1", free=999),
    }
    found = drained(spec, seen, "lab/n1")
    assert placed(found.spec) == {"a": "n3", "b": "n2", "c": "n3", "d": "n1"}
    assert found.workloads == {"a", "b", "c"} and found.at_once == 2
    small = "it has less memory left than the machine takes"
    assert found.nowhere == {"d": f"n2: {small}; n3: {small}; n4: cordoned; n5: not ready"}
    assert drained(spec, {"lab/n1": seen["lab/n1"]}, "lab/n1").nowhere["a"] == "no other node"


def test_a_full_node_takes_nothing_and_one_of_unknown_room_does() -> None:
    spec = Spec(clusters=specs().clusters, workloads={"a": workload("a", {"cluster": "lab"})})
    here, full = facts("lab/n1", one("a", 1)), facts("lab/n2", free=0)
    assert "n2: it has less memory left" in drained(spec, {"lab/n1": here, "lab/n2": full}, "lab/n1").nowhere["a"]
    unknown = facts("lab/n3", free=0, memory_told=False)
    seen = {"lab/n1": here, "lab/n2": full, "lab/n3": unknown}
    assert placed(drained(spec, seen, "lab/n1").spec) == {"a": "n3"}


def test_labels_of_its_placement_are_kept_to() -> None:
    spec = Spec(clusters=specs().clusters, workloads={"a": workload("a", FAST)})
    slow, fast = {"disk": "slow"}, {"disk": "fast"}
    seen = {
        "lab/n1": facts("lab/n1", one("a", 1), labels=fast),
        "lab/n2": facts("lab/n2", labels=slow),
        "lab/n3": facts("lab/n3", free=2, labels=fast),
    }
    assert placed(drained(spec, seen, "lab/n1").spec) == {"a": "n3"}


async def test_interrupted_it_says_how_the_node_is_given_back(there: Lab) -> None:
    job = Drain(wanted(), "lab/node02", there.journal)
    task = asyncio.create_task(job())
    async with asyncio.timeout(20):
        while not node(there)["spec"].get("unschedulable"):  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(Interrupted) as failure:
        await task
    assert failure.value.fix == "to give it back: reconcile drain lab/node02 --undo"
