"""Under which terms KubeVirt migrates a machine: its own settings, and the MigrationPolicy that fits best."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.core import answers
from reconciler.core.quantity import quantity
from reconciler.model.cluster_world import MigrationLimits, MigrationTerms
from reconciler.runtimes.kubevirt.objects import Object, Reading

_SELECTORS = ("namespaceSelector", "virtualMachineInstanceSelector")


def limits(settings: Object) -> MigrationLimits:
    return MigrationLimits(
        cluster=answers.number(settings.get("parallelMigrationsPerCluster"), "a limit") or 5,
        node=answers.number(settings.get("parallelOutboundMigrationsPerNode"), "a limit") or 2,
    )


def in_force(
    settings: Object, policies: Iterable[Reading], labels: Mapping[str, str], spaces: Mapping[str, str]
) -> MigrationTerms:
    """All labels of a policy's selectors have to match; of several the one with most of them counts, then the
    first by name. What it does not say is as the cluster's settings have it. `spaces`: labels of the namespace."""
    best: tuple[int, str] | None = None
    chosen: Reading | None = None
    for policy in policies:
        wanted = [answers.labels(policy.part("spec", "selectors").get(one), one) for one in _SELECTORS]
        pairs = [(spaces, wanted[0]), (labels, wanted[1])]
        if all(have.get(key) == value for have, asked in pairs for key, value in asked.items()):
            rank = (-sum(map(len, wanted)), policy.name)
            if best is None or rank < best:
                best, chosen = rank, policy
    own = chosen.part("spec") if chosen else {}
    told: dict[str, Any] = {**settings, **{key: value for key, value in own.items() if value is not None}}
    return MigrationTerms(
        policy=chosen.name if chosen else "",
        bandwidth=quantity(told.get("bandwidthPerMigration"), "a bandwidth"),
        per_gib=answers.number(told.get("completionTimeoutPerGiB"), "a limit") or 150,
        post_copy=told.get("allowPostCopy") is True,
        auto_converge=told.get("allowAutoConverge") is True,
        disruption=told.get("allowWorkloadDisruption") is True,
    )


def asks_namespaces(policies: Iterable[Reading]) -> bool:
    return any(policy.part("spec", "selectors", "namespaceSelector") for policy in policies)
