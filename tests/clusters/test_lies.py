"""Every field of what an API server lists replaced by a lie: it is taken as the type it has, or makes its cluster
unknown and says which field; nothing else is raised. Real: looks and parsers. Fake: the server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from reconciler.errors import HostError
from reconciler.facts.cluster import look
from reconciler.hosts.base import pump
from reconciler.hosts.kubernetes.api import HttpAnswer, Request
from reconciler.hosts.kubernetes.place import ClusterPlace, Reached
from reconciler.hosts.memory.api import MemoryApi
from reconciler.model.cluster import MachineRef
from reconciler.model.labels import KEPT, LABEL_SPEC, LABEL_WORKLOAD
from reconciler.model.world import HostFacts
from reconciler.runtimes.kubevirt.driver import KubevirtDriver
from tests.clusters.kubevirt import JOBS, KUBEVIRTS, POLICIES, VMIS, VMS, cluster, machine
from tests.unit.lies import LIES, ODD, harmless
from tests.unit.test_lying_answers import places, replaced

SHORT = [lie for lie in LIES if len(lie) < 1000]
MANIFEST = {"metadata": {"labels": {"a": "b"}}, "spec": {"template": {"spec": {"x": [{"name": "y", "z": "1Gi"}]}}}}


def whole() -> MemoryApi:
    """One of everything that a look reads."""
    api = cluster("node01")
    machine(
        api, migrationState={"sourceNode": "node01", "targetNode": "node02"}, activePods={"a": "node01", "b": "x"}
    )
    kept = {"markers": {"node01": [1, "running", "owner", "r", "-"]}, "floor": 0, "dossier": "", "at": []}
    note = json.dumps({"name": "db", "manifest": MANIFEST})
    annotations = {KEPT: json.dumps(kept), LABEL_SPEC: note}
    change = {"metadata": {"labels": {LABEL_WORKLOAD: "db"}, "annotations": annotations}, "spec": MANIFEST["spec"]}
    api.change(VMS, "db", "shop", change)
    meta = {"name": "job", "namespace": "shop", "creationTimestamp": "2026-01-01T00:00:00Z"}
    api.put(JOBS, {"metadata": meta, "spec": {"vmiName": "db"}, "status": {"phase": "Running"}})
    selectors = {"namespaceSelector": {"a": "b"}, "virtualMachineInstanceSelector": {"c": "d"}}
    policy = {
        "selectors": selectors,
        "bandwidthPerMigration": "1Gi",
        "allowPostCopy": True,
        "completionTimeoutPerGiB": 3,
    }
    api.put(POLICIES, {"metadata": {"name": "p"}, "spec": policy})
    api.put("namespaces", {"metadata": {"name": "shop", "labels": {"a": "b"}}})
    return api


class Lists:
    """Answers each list with all of its kind, whatever they are."""

    def __init__(self, objects: dict[str, list[Any]]) -> None:
        self.objects = objects

    async def send(self, request: Request) -> HttpAnswer:
        group, _, rest = request.path.removeprefix("/apis/").partition("/")
        kind = f"{group}/{rest.split('/')[-1]}" if group else request.path.split("/")[-1]
        items = self.objects[kind if kind in self.objects else request.path.split("/")[-1]]
        return HttpAnswer(200, json.dumps({"items": items}))

    async def close(self) -> None: ...


@contextmanager
def suppressed() -> Iterator[None]:
    """A refusal, which can be shown."""
    refusals: list[HostError] = []
    try:
        yield
    except HostError as error:
        refusals.append(error)
    assert all(harmless(f"{one} {one.fix}") and one.code == "H290" for one in refusals)


async def seen(api: Lists) -> None:
    there = ClusterPlace("lab/", Reached("lab", "default", 5.0, {"db": MachineRef("shop", "db")}), api)
    found: dict[str, HostFacts] = {}
    with suppressed():
        nodes = await pump(look("lab"), there)
        found = await pump(KubevirtDriver().observe_cluster(nodes), there)
    for host in found.values():
        for one in host.instances:
            assert harmless(f"{one.name} {one.id} {one.state}"), one


@pytest.mark.parametrize("kind", ["nodes", "pods", "namespaces", VMS, VMIS, JOBS, KUBEVIRTS, POLICIES])
async def test_a_field_that_lies(kind: str) -> None:
    api = Lists({name: list(found.values()) for name, found in whole().objects.items()})
    honest = api.objects[kind][0]
    for place in places(honest):
        for lie in (*SHORT, *ODD):
            api.objects[kind][0] = replaced(honest, place, lie)
            await seen(api)
