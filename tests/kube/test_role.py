"""The rights of `templates/kubernetes/role.yaml` are enough for all that is done, and none of them is idle."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from reconciler.commands import app
from reconciler.commands.doctor import examine
from reconciler.commands.recover import Resume
from reconciler.core.consent import Consent
from reconciler.core.saga import GroupState
from reconciler.load import load
from reconciler.model.spec import Spec
from reconciler.resources import data_path
from tests.kube.cluster import NOBODY
from tests.kube.decide import Phase
from tests.kube.player import playing
from tests.kube.test_moves import Ground
from tests.kube.world import World

pytestmark = [pytest.mark.lab, pytest.mark.kube]

ROLE = "reconciler"


@pytest.fixture
def bound(world: World, tmp_path: Path) -> Iterator[Ground]:
    """Commands of somebody who may do what the role says, and nothing else."""
    kubectl = world.cluster.kubectl
    kubectl("create", "-f", str(data_path("templates") / "kubernetes" / "role.yaml"))
    kubectl("create", "clusterrolebinding", ROLE, f"--clusterrole={ROLE}", f"--user={NOBODY}")
    world.kubeconfig = world.cluster.kubeconfig(NOBODY)
    yield Ground(world, tmp_path)
    kubectl("delete", "clusterrolebinding", ROLE)
    kubectl("delete", "clusterrole", ROLE, "reconciler-drain")


def test_all_that_is_done_is_allowed(bound: Ground) -> None:
    """Looked at, made, changed, moved there and back, one move failed, killed and resumed, stopped, removed."""
    template = {"spec": {"domain": {"devices": {}, "memory": {"guest": "128Mi"}}}}
    manifest = {"spec": {"template": template}}
    bound.world.machine("db", "node01")
    with playing(bound.world.cluster) as player:
        (own, *_) = asyncio.run(examine(bound.specs("node01"), ["lab"], lambda said: None)).hosts
        assert not own.problems
        for node in ("node02", "node01"):
            moved = bound.apply(node)
            assert moved.outcome and moved.outcome.groups == {"db": GroupState.DONE}, moved.outcome
        player.script("db", "fail")
        failed = bound.apply("node02")
        assert failed.outcome and failed.outcome.groups == {"db": GroupState.PUT_BACK}
        player.script("db", "succeed")
        player.hold("db", Phase.RUNNING)
        running = bound.reconcile("apply", "--yes", str(bound.write("node02")))
        bound.wait_running()
        running.kill()
        running.communicate(timeout=60)
        player.release("db")
        bound.world.cluster.kubectl("delete", "configmap", "reconciler-leases")
        ended = asyncio.run(Resume(bound.specs("node02"), bound.folder / "another.db")())
        assert ended.exit_code == 0 and bound.where() == "node02" and bound.left() == ""
    made = app.Apply(_manifest(bound, manifest, "stopped"), bound.journal)
    done = asyncio.run(made())
    assert done.outcome and done.outcome.groups == {"db": GroupState.DONE}, done.outcome
    gone = app.Apply(_manifest(bound, manifest, "absent"), bound.journal, consent=Consent(removals=9))
    done = asyncio.run(gone())
    assert done.outcome and done.outcome.groups == {"db": GroupState.DONE}, done.outcome
    assert not bound.world.cluster.kubectl("get", "vm", "made", "--ignore-not-found")


def _manifest(bound: Ground, manifest: object, state: str) -> Spec:
    """A machine that is made from a manifest and does not run."""
    file = bound.write("node01", name="made", manifest=manifest)
    cluster, workload = yaml.safe_load_all(file.read_text())
    workload["spec"]["state"] = state
    file.write_text(yaml.safe_dump_all([cluster, workload]))
    return load([file])


@pytest.mark.parametrize("number", range(3))
def test_a_right_that_lacks_is_named(bound: Ground, number: int) -> None:
    """Of an account with a rule less, doctor names what the role would give."""
    kubectl = bound.world.cluster.kubectl
    bound.world.machine("db", "node01")
    rules = json.loads(kubectl("get", "clusterrole", ROLE, "-o", "json"))["rules"]
    chosen = (0, 2, 6)[number]
    kubectl("patch", "clusterrole", ROLE, "--type=json", "-p", f'[{{"op":"remove","path":"/rules/{chosen}"}}]')
    (own, *_) = asyncio.run(examine(bound.specs("node01"), ["lab"], lambda said: None)).hosts
    told = str(own.problems)
    assert all(resource in told for resource in rules[chosen]["resources"]), told
