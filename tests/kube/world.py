"""What a cluster has for tests: nodes, KubeVirt, virtual machines with pods; made, waited for and removed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from lightkube.resources.core_v1 import Event, Namespace, Node, Pod

from tests.kube import objects
from tests.kube.api import Api
from tests.kube.cluster import BEGUN_NAMESPACES, Cluster
from tests.kube.decide import Phase, phase_of
from tests.kube.objects import Instance, Machine, Migration, Object

WAIT_SECONDS = 60.0
"""For anything a test waits for; far more than it takes on an idle machine."""
LOOK_SECONDS = 0.05
T = TypeVar("T")


class World:
    """Calls to a cluster's API as its administrator, one after the other."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.kubeconfig = cluster.kubeconfig()
        self._runner = asyncio.Runner()
        self._api: Api | None = None

    def run(self, what: Callable[[Api], Coroutine[Any, Any, T]]) -> T:
        """In a loop of its own: asynchronous tests call this in a thread (`asyncio.to_thread`)."""

        async def call() -> T:
            self._api = self._api or await Api(self.kubeconfig).__aenter__()
            return await what(self._api)

        return self._runner.run(call())

    def close(self) -> None:
        """End the connections."""
        if self._api:
            self._runner.run(self._api.__aexit__(None, None, None))
        self._runner.close()

    def nodes(self, *names: str, zones: str = "ab") -> None:
        """Ready nodes, in zones that alternate."""
        for number, name in enumerate(names):
            node = objects.node(name, zone=zones[number % len(zones)])
            self.run(lambda api, node=node: _with_status(api, Node, node))  # type: ignore[misc]

    def kubevirt(self, **migrations: object) -> None:
        """KubeVirt, deployed, with that configuration of migrations."""
        self.run(lambda api: _with_status(api, objects.Install, objects.install(**migrations)))

    def machine(self, name: str, where: str, **more: Any) -> Object:
        """A running VM with its VMI and launcher pod; the VMI. `more`: of `objects.instance`."""

        async def make(api: Api) -> Object:
            vm = {key: value for key, value in more.items() if key in ("namespace", "memory")}
            await api.create(Machine, objects.machine(name, **vm))
            vmi = await api.create(Instance, objects.instance(name, where, **more))
            await self.launch(api, vmi, where)
            return vmi

        return self.run(make)

    def pod(self, vmi: Object, where: str) -> Object:
        """One more launcher pod of a VMI, running."""
        return self.run(lambda api: self.launch(api, vmi, where))

    def migrate(self, vmi: str, *, namespace: str = "default", **more: Any) -> Object:
        """A migration as a person makes it; `more`: of its metadata or spec (`to`: a node)."""
        spec: Object = {"vmiName": vmi}
        if "to" in more:
            spec["addedNodeSelector"] = {"kubernetes.io/hostname": more.pop("to")}
        body = {"metadata": {"generateName": f"{vmi}-", "namespace": namespace, **more}, "spec": spec}
        return self.run(lambda api: api.create(Migration, body))

    def drain(self, node: str) -> None:
        """What `kubectl drain` does: a cordon, and VMIs marked by the webhook that denies evictions."""
        self.cluster.kubectl("cordon", node)

        async def mark(api: Api) -> None:
            for vmi in await api.list(Instance):
                if vmi["status"].get("nodeName") == node:
                    meta, marked = vmi["metadata"], {"status": {"evacuationNodeName": node}}
                    await api.patch(Instance, meta["name"], meta["namespace"], marked)

        self.run(mark)

    def begin_end(self, namespace: str) -> None:
        """A delete of a namespace that something keeps: from now on it takes nothing new. `clear` ends it."""
        kept = '{"metadata": {"finalizers": ["tests/kept"]}}'
        self.cluster.kubectl("patch", "namespace", namespace, "--type=merge", "-p", kept)
        self.cluster.kubectl("delete", "namespace", namespace, "--wait=false")
        ending = '{"status": {"phase": "Terminating"}}'
        self.cluster.kubectl("patch", "namespace", namespace, "--subresource=status", "-p", ending)

    def namespace(self, name: str, **labels: str) -> None:
        """One more, gone with `clear`."""
        meta = {"name": name, "labels": labels}
        self.cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})

    def migration(self, made: Object) -> Object | None:
        meta = made["metadata"]
        return self.run(lambda api: api.get(Migration, meta["name"], meta["namespace"]))

    def vmi(self, name: str, namespace: str = "default") -> Object | None:
        return self.run(lambda api: api.get(Instance, name, namespace))

    def pods(self, vmi: Object) -> list[Object]:
        return self.run(lambda api: api.list(Pod, {objects.CREATED_BY: vmi["metadata"]["uid"]}))

    def delete(self, made: Object) -> None:
        meta = made["metadata"]
        self.run(lambda api: api.delete(Migration, meta["name"], meta["namespace"]))

    def wait_phase(self, made: Object, *phases: Phase) -> Object:
        """The migration, once it is in one of these phases."""

        def look() -> Object | None:
            found = self.migration(made)
            return found if found and phase_of(found) in phases else None

        return self.wait(look, f"{made['metadata']['name']} in {phases}")

    def wait(self, look: Callable[[], T | None], what: str) -> T:
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            if found := look():
                return found
            time.sleep(LOOK_SECONDS)
        raise TimeoutError(what)

    def clear(self) -> None:
        """Nothing is left of what tests make."""
        self.run(_clear)

    async def launch(self, api: Api, vmi: Object, where: str) -> Object:
        """A launcher pod of that VMI, running."""
        return await _with_status(api, Pod, objects.launcher(vmi, where) | {"status": objects.RUNNING})


async def _with_status(api: Api, kind: Any, body: Object) -> Object:
    made = await api.create(kind, body)
    meta = made["metadata"]
    status = {"status": body["status"]}
    return await api.patch(kind.Status, meta["name"], meta.get("namespace", ""), status) or made


async def _clear(api: Api) -> None:
    for kind in (Migration, Instance, Machine, objects.Install, objects.Policy, Pod, Event, Node):
        for one in await api.list(kind):
            meta = one["metadata"]
            if meta.get("finalizers"):
                await api.patch(kind, meta["name"], meta.get("namespace", ""), {"metadata": {"finalizers": None}})
            await api.delete(kind, meta["name"], meta.get("namespace", ""), grace=0 if kind is Pod else None)
    for one in await api.list(Namespace):
        if one["metadata"]["name"] not in BEGUN_NAMESPACES:
            await api.patch(Namespace, one["metadata"]["name"], "", {"metadata": {"finalizers": None}})
            await api.delete(Namespace, one["metadata"]["name"], "")
