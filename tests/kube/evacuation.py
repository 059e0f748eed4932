"""KubeVirt's evacuation controller: migrations for VMIs whose node is drained, again and again until they left.

An eviction of a launcher pod is refused by a webhook that notes the node in `evacuationNodeName`; from then on
this controller makes migrations, whoever deletes them (kubevirt#9585).
"""

from __future__ import annotations

from lightkube import ApiError

from tests.kube import objects
from tests.kube.api import Api
from tests.kube.decide import has, phase_of
from tests.kube.objects import Instance, Migration, Object
from tests.kube.policy import cluster_settings

REFUSED = 400
"""Somebody else's migration came first."""


async def evacuate(api: Api) -> None:
    """One turn, over all VMIs; no more migrations than the cluster's limit, all counted."""
    leaving = [vmi for vmi in await api.list(Instance) if must_leave(vmi)]
    if not leaving:
        return
    migrations = [m for m in await api.list(Migration) if not phase_of(m).final]
    busy = {(m["metadata"]["namespace"], m["spec"]["vmiName"]) for m in migrations}
    limit = cluster_settings(await api.list(objects.Install))["parallelMigrationsPerCluster"]
    free = int(str(limit)) - len(migrations)
    for vmi in leaving:
        meta = vmi["metadata"]
        if free > 0 and (meta["namespace"], meta["name"]) not in busy:
            await _migrate(api, vmi)
            free -= 1


def must_leave(vmi: Object) -> bool:
    """Drained where it is, and movable."""
    where = vmi["status"].get("evacuationNodeName")
    return bool(where and where == vmi["status"].get("nodeName") and has(vmi, "LiveMigratable"))


async def _migrate(api: Api, vmi: Object) -> None:
    meta = vmi["metadata"]
    body: Object = {
        "metadata": {
            "generateName": "kubevirt-evacuation-",
            "namespace": meta["namespace"],
            "annotations": {objects.EVACUATION: vmi["status"]["evacuationNodeName"]},
        },
        "spec": {"vmiName": meta["name"], "priority": "system-critical"},
    }
    try:
        await api.create(Migration, body)
    except ApiError as error:
        if error.status.code != REFUSED:
            raise
