"""A node is emptied over the real API, by an account with the rights of `templates/kubernetes/role.yaml`."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from reconciler.commands.drain import Drain, Drained, give_back
from reconciler.core.saga import GroupState
from reconciler.load import load
from reconciler.model.spec import Spec
from reconciler.resources import data_path
from tests.kube.cluster import NOBODY
from tests.kube.decide import Phase
from tests.kube.player import playing
from tests.kube.test_moves import API
from tests.kube.world import World

pytestmark = [pytest.mark.lab, pytest.mark.kube]

NAMES = ("vm1", "vm2", "vm3", "vm4")
UNDER_WAY = {Phase.SCHEDULING, Phase.SCHEDULED, Phase.PREPARING, Phase.READY, Phase.RUNNING, Phase.PENDING}


@pytest.fixture
def kubeconfig(world: World) -> Iterator[Path]:
    kubectl = world.cluster.kubectl
    kubectl("create", "-f", str(data_path("templates") / "kubernetes" / "role.yaml"))
    for role in ("reconciler", "reconciler-drain"):
        kubectl("create", "clusterrolebinding", role, f"--clusterrole={role}", f"--user={NOBODY}")
    yield world.cluster.kubeconfig(NOBODY)
    kubectl("delete", "clusterrolebinding,clusterrole", "reconciler", "reconciler-drain")


def specs(kubeconfig: Path, folder: Path) -> Spec:
    """All but `theirs` are placed on node01 by its name."""
    cluster = {"apiVersion": API, "kind": "Cluster", "metadata": {"name": "lab"}}
    documents = [cluster | {"spec": {"kubeconfig": str(kubeconfig)}}]
    for name in NAMES:
        section = {"runtime": "kubevirt", "virtualMachine": {"name": name}}
        section["placement"] = {"cluster": "lab", "node": "node01"}
        documents.append({"apiVersion": API, "kind": "Workload", "metadata": {"name": name}, "spec": section})
    file = folder / "specs.yaml"
    file.write_text(yaml.safe_dump_all(documents))
    return load([file])


def test_emptied_by_two_at_once_and_given_back(world: World, kubeconfig: Path, tmp_path: Path) -> None:
    for name in (*NAMES, "theirs"):
        world.machine(name, "node01")
    spec = specs(kubeconfig, tmp_path)
    most, over = 0, threading.Event()

    def count() -> None:
        nonlocal most
        while not over.wait(0.05):
            found = json.loads(world.cluster.kubectl("get", "vmim", "-A", "-o", "json"))["items"]
            most = max(most, sum(one.get("status", {}).get("phase", "Pending") in UNDER_WAY for one in found))

    counting = threading.Thread(target=count)
    with playing(world.cluster):
        counting.start()
        began = time.monotonic()
        done: Drained = asyncio.run(Drain(spec, "lab/node01", tmp_path / "journal.db")())
        took = time.monotonic() - began
        over.set()
        counting.join()
        assert done.applied and done.applied.outcome, done
        assert set(done.applied.outcome.groups.values()) == {GroupState.DONE}
        assert done.draining.strangers == ("default/theirs",) and most <= 2, (most, took)
        where = {name: (world.vmi(name) or {})["status"]["nodeName"] for name in (*NAMES, "theirs")}
        assert where.pop("theirs") == "node01" and sorted(where.values()) == ["node02"] * 2 + ["node03"] * 2
        node = json.loads(world.cluster.kubectl("get", "node", "node01", "-o", "json"))
        assert node["spec"]["unschedulable"] and "io.reconciler.cordoned" in node["metadata"]["annotations"]
        assert asyncio.run(give_back(spec, "lab/node01", lambda left: None)) == (True, False)
    node = json.loads(world.cluster.kubectl("get", "node", "node01", "-o", "json"))
    assert not node["spec"].get("unschedulable")
