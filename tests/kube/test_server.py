"""The API server is what it is said to be: Kubernetes' own answers, KubeVirt's admission, rights by RBAC."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from lightkube import ApiError

from reconciler.errors import LabError
from tests.kube import objects
from tests.kube.api import Api
from tests.kube.cluster import NOBODY, Cluster
from tests.kube.objects import Instance, Migration, Object
from tests.kube.world import World

pytestmark = [pytest.mark.lab, pytest.mark.kube]


def refusal(world: World, vmi: str, **more: Any) -> tuple[int, str]:
    with pytest.raises(ApiError) as caught:
        world.migrate(vmi, **more)
    return int(caught.value.status.code or 0), str(caught.value.status.message)


def test_kubectl_finds_everything(world: World) -> None:
    world.machine("db", "node01")
    made = world.migrate("db")
    listed = world.cluster.kubectl("get", "vmim,vmi,pods", "-A", "-o", "name").split()
    assert f"virtualmachineinstancemigration.kubevirt.io/{made['metadata']['name']}" in listed
    assert "virtualmachineinstance.kubevirt.io/db" in listed
    assert sum(name.startswith("pod/virt-launcher-db-") for name in listed) == 1
    assert json.loads(world.cluster.kubectl("version", "-o", "json"))["serverVersion"]["major"] == "1"


def test_unknown_fields_and_wrong_types_are_refused(world: World) -> None:
    world.machine("db", "node01")
    text = json.dumps(
        {
            "apiVersion": "kubevirt.io/v1",
            "kind": "VirtualMachineInstanceMigration",
            "metadata": {"name": "m", "namespace": "default"},
            "spec": {"vmiName": "db", "nonsense": 1},
        }
    )
    with pytest.raises(LabError, match="create") as caught:
        world.cluster.kubectl("create", "-f", "-", input=text)
    assert 'unknown field "spec.nonsense"' in caught.value.why
    with pytest.raises(LabError) as caught:
        world.cluster.kubectl("create", "-f", "-", input=text.replace('"db", "nonsense": 1', "7"))
    assert "spec.vmiName" in caught.value.why


def test_a_status_is_written_only_as_a_status(world: World) -> None:
    world.machine("db", "node01")
    made = world.migrate("db")
    name = made["metadata"]["name"]
    patch = {"status": {"phase": "Running"}}
    ignored = world.run(lambda api: api.patch(Migration, name, "default", patch))
    assert "phase" not in ((ignored or {}).get("status") or {})
    taken = world.run(lambda api: api.patch(Migration.Status, name, "default", patch))
    assert taken and taken["status"]["phase"] == "Running"
    assert world.run(lambda api: api.patch(Instance.Status, "db", "default", patch)) is None


def test_what_the_webhooks_refuse(world: World) -> None:
    world.machine("db", "node01")
    world.machine(
        "fixed", "node01", migratable=("DisksNotLiveMigratable", "cannot migrate VMI: PVC is not shared")
    )
    assert refusal(world, "nope") == (
        400,
        'admission webhook "migration-create-validator.kubevirt.io" denied the request: '
        'the VMI "default/nope" does not exist',
    )
    code, message = refusal(world, "fixed")
    assert code == 400
    assert message.endswith(
        "Cannot migrate VMI, Reason: DisksNotLiveMigratable, Message: cannot migrate VMI: PVC is not shared"
    )
    first = world.migrate("db", to="node02")
    code, message = refusal(world, "db")
    assert code == 400
    assert f"Active migration job ({first['metadata']['uid']}) is currently already in progress" in message
    assert first["metadata"]["labels"] == {objects.VMI_LABEL: "db"}
    assert first["metadata"]["finalizers"] == [objects.FINALIZER]
    name = first["metadata"]["name"]
    with pytest.raises(ApiError, match="spec is restricted") as caught:
        world.run(lambda api: api.patch(Migration, name, "default", {"spec": {"vmiName": "fixed"}}))
    assert caught.value.status.code == 422


def test_only_the_controller_gives_a_priority(world: World) -> None:
    world.machine("db", "node01")
    body: Object = {
        "metadata": {"generateName": "m-", "namespace": "default"},
        "spec": {"vmiName": "db", "priority": "system-critical"},
    }
    with pytest.raises(ApiError, match="only virt-controller") as caught:
        world.run(lambda api: api.create(Migration, body))
    assert caught.value.status.code == 422

    async def as_controller() -> Object:
        async with Api(world.cluster.kubeconfig("system:serviceaccount:kubevirt:kubevirt-controller")) as api:
            return await api.create(Migration, body)

    assert asyncio.run(as_controller())["spec"]["priority"] == "system-critical"


def test_rights_are_those_of_rbac(world: World) -> None:
    kubectl = world.cluster.kubectl
    ask = ("auth", "can-i", "create", "virtualmachineinstancemigrations.kubevirt.io")
    assert kubectl(*ask, user=NOBODY, check=False).strip() == "no"
    with pytest.raises(LabError) as caught:
        kubectl("get", "nodes", user=NOBODY)
    assert 'User "nobody" cannot list resource "nodes"' in caught.value.why
    kubectl("create", "role", "mover", "--verb=create", "--resource=virtualmachineinstancemigrations.kubevirt.io")
    kubectl("create", "rolebinding", "mover", "--role=mover", f"--user={NOBODY}")
    try:
        assert kubectl(*ask, user=NOBODY).strip() == "yes"
        assert kubectl(*ask, "-n", "kubevirt", user=NOBODY, check=False).strip() == "no"
    finally:
        kubectl("delete", "role/mover", "rolebinding/mover")


def test_a_wrong_token_is_nobody(cluster: Cluster) -> None:
    async def ask() -> None:
        async with Api(cluster.kubeconfig(token="gone")) as api:
            await api.list(Instance)

    with pytest.raises(ApiError) as caught:
        asyncio.run(ask())
    assert caught.value.status.code == 401


def test_a_namespace_that_ends_takes_nothing_new(world: World) -> None:
    world.namespace("going")
    world.machine("db", "node01", namespace="going")
    world.begin_end("going")

    def refused() -> str:
        try:
            world.migrate("db", namespace="going")
        except ApiError as error:
            return str(error.status.message) if error.status.code == 403 else ""
        return ""

    assert "because it is being terminated" in world.wait(refused, "refused in a namespace that ends")


def test_a_pod_on_a_node_ends_when_its_kubelet_says_so(world: World) -> None:
    vmi = world.machine("db", "node01")
    (pod,) = world.pods(vmi)
    name = pod["metadata"]["name"]
    world.cluster.kubectl("delete", "pod", name, "--wait=false")
    assert "deletionTimestamp" in world.pods(vmi)[0]["metadata"]
    world.cluster.kubectl("delete", "pod", name, "--grace-period=0", "--force")
    assert world.pods(vmi) == []
