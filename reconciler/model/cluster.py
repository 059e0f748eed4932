"""A Kubernetes cluster: how its API is reached. Its nodes are places; which there are, the cluster itself says."""

from __future__ import annotations

from typing import Annotated, NamedTuple, Self

from pydantic import Field, model_validator

from reconciler.model.base import Duration, Model
from reconciler.model.fields import ONE_LINE, Flag

NAMESPACE = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"

Namespace = Annotated[str, Field(pattern=NAMESPACE, max_length=63)]


class MachineRef(NamedTuple):
    """The virtual machine that a workload's spec names. `section`: what the spec says of it without its manifest,
    as canonical JSON."""

    namespace: str
    name: str
    section: str = ""


class ClusterSpec(Model):
    """A kubeconfig by reference, or the account of the pod that Reconciler itself runs in."""

    kubeconfig: Annotated[str, Field(pattern=ONE_LINE)] | None = Field(
        None, description="The file; unset: $KUBECONFIG, else ~/.kube/config"
    )
    context: Annotated[str, Field(pattern=ONE_LINE)] | None = Field(
        None, description="One of the file's; unset: its current one"
    )
    in_cluster: Flag = Field(False, description="Use the service account of the pod that this runs in")
    namespace: Namespace = Field(
        "default", description="Where what names none is, and where Reconciler keeps its lease"
    )
    timeout: Duration = Field("30s", description="The longest one call of its API may take")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.in_cluster and (self.kubeconfig or self.context):
            raise ValueError("give `inCluster`, or `kubeconfig` and `context`, not both")
        return self
