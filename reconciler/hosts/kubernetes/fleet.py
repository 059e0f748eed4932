"""A fleet whose places are hosts and nodes of clusters. Copies are between hosts only."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from reconciler.errors import HostError
from reconciler.hosts.base import Fleet, Host
from reconciler.hosts.kubernetes.api import Api
from reconciler.hosts.kubernetes.place import ClusterPlace, Reached
from reconciler.hosts.wrap import WrappedFleet
from reconciler.model.base import parse_duration
from reconciler.model.cluster import ClusterSpec, MachineRef
from reconciler.model.place import cluster_of

Connect = Callable[[str, ClusterSpec], Api]


def connected(name: str, spec: ClusterSpec) -> Api:
    """By the client library, which is loaded with the first cluster."""
    from reconciler.hosts.kubernetes.connection import Connection

    return Connection(name, spec)


class ClusterFleet(WrappedFleet):
    """`inner` has the hosts. `refs`: the virtual machines that specs name, by cluster and workload."""

    def __init__(
        self,
        inner: Fleet,
        clusters: Mapping[str, ClusterSpec],
        refs: Mapping[str, Mapping[str, MachineRef]],
        connect: Connect = connected,
    ) -> None:
        super().__init__(inner)
        self._specs = clusters
        self._refs = refs
        self._connect = connect
        self._apis: dict[str, Api] = {}
        self._shared: dict[str, Reached] = {}

    def host(self, name: str) -> Host:
        cluster = cluster_of(name)
        if not cluster:
            return self.inner.host(name)
        spec = self._specs.get(cluster)
        if spec is None:
            fix = "pass the file with its Cluster as another path"
            raise HostError("no spec defines this cluster", code="H207", where=cluster, fix=fix)
        if cluster not in self._apis:
            self._apis[cluster] = self._connect(cluster, spec)
            limit, refs = parse_duration(spec.timeout), self._refs.get(cluster, {})
            self._shared[cluster] = Reached(cluster, spec.namespace, limit, refs)
        return ClusterPlace(name, self._shared[cluster], self._apis[cluster])

    async def close(self) -> None:
        for api in self._apis.values():
            await api.close()
        await self.inner.close()
