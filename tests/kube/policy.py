"""Which settings a migration of KubeVirt gets: the cluster's, and over them those of the policy that fits best.

After virt-controller's `migrationpolicy.go` of August 2026.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tests.kube.objects import Object

DEFAULTS: Mapping[str, object] = {
    "allowAutoConverge": False,
    "allowPostCopy": False,
    "allowWorkloadDisruption": False,
    "bandwidthPerMigration": "0",
    "completionTimeoutPerGiB": 150,
    "maxDowntimeMs": 900,
    "parallelMigrationsPerCluster": 5,
    "parallelOutboundMigrationsPerNode": 2,
    "progressTimeout": 150,
}
_FROM_POLICY = (
    "allowAutoConverge",
    "allowPostCopy",
    "allowWorkloadDisruption",
    "bandwidthPerMigration",
    "completionTimeoutPerGiB",
    "maxDowntimeMs",
)


def cluster_settings(installs: Iterable[Object]) -> dict[str, object]:
    """What KubeVirt's configuration says, over its defaults."""
    said: dict[str, object] = dict(DEFAULTS)
    for install in installs:
        said |= (install["spec"].get("configuration") or {}).get("migrations") or {}
    return said


def settings(
    cluster: Mapping[str, object],
    policies: Iterable[Object],
    labels: Mapping[str, str],
    namespace: Mapping[str, str],
) -> tuple[dict[str, object], str]:
    """What applies to a VMI with these labels in a namespace with those, and the policy's name or nothing."""
    found = [(score, policy) for policy in policies if (score := _score(policy, labels, namespace))]
    if not found:
        return dict(cluster), ""
    best = max(score for score, _ in found)
    policy = min(
        (policy for score, policy in found if score == best), key=lambda one: str(one["metadata"]["name"])
    )
    spec = policy["spec"]
    said = {name: spec[name] for name in _FROM_POLICY if spec.get(name) is not None}
    if "allowPostCopy" in said:
        said.setdefault("allowWorkloadDisruption", said["allowPostCopy"])
    return {**cluster, **said}, str(policy["metadata"]["name"])


def _score(policy: Object, labels: Mapping[str, str], namespace: Mapping[str, str]) -> tuple[int, int] | None:
    """How many labels match, of both; None: it does not apply. Of as many, those of the VMI count more."""
    selectors = policy["spec"].get("selectors")
    if selectors is None:
        return None
    of_vmi = selectors.get("virtualMachineInstanceSelector") or {}
    of_namespace = selectors.get("namespaceSelector") or {}
    if not (of_vmi.items() <= labels.items() and of_namespace.items() <= namespace.items()):
        return None
    return len(of_vmi) + len(of_namespace), len(of_vmi)
