"""What is known of a virtual machine of KubeVirt beside what every instance has."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from reconciler.model.base import Model
from reconciler.model.world import MachineFacts


class MigrationLimits(Model):
    """How many migrations KubeVirt has under way at once, and how many there are now. `from_node`: from the node
    that this machine is on."""

    cluster: int = 5
    node: int = 2
    running: int = 0
    from_node: int = 0


class MigrationTerms(Model):
    """What KubeVirt migrates a machine under. `policy`: the name of its MigrationPolicy; empty: the cluster's own
    settings. `bandwidth` is in bytes a second, 0 for no limit; `per_gib` in seconds."""

    policy: str = ""
    bandwidth: int = 0
    per_gib: int = 150
    post_copy: bool = False
    auto_converge: bool = False
    disruption: bool = False


class ClusterMachineFacts(MachineFacts):
    """`migratable` None: KubeVirt has not said. `why_not`: its reason. `pods`: nodes of the pods that run it now,
    or are about to. `migration`: the name of a migration that is under way, whoever began it. `evacuated_from`:
    the node that KubeVirt wants it off. `pinned`: the hostname its own spec asks for. `drift`: fields that
    somebody has changed since they were applied."""

    KIND: ClassVar[str] = "machine"

    namespace: str = ""
    migratable: bool | None = None
    why_not: str = ""
    method: str = ""
    pods: tuple[str, ...] = ()
    migration: str = ""
    evacuated_from: str = ""
    pinned: str = ""
    drift: tuple[str, ...] = ()
    restart_needed: bool = False
    limits: MigrationLimits = MigrationLimits()
    terms: MigrationTerms = Field(MigrationTerms(), description="Of the MigrationPolicy in force")
