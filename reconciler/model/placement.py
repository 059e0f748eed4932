"""Where a workload belongs, as users say it."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from reconciler.model.base import Model, Name
from reconciler.model.cluster_machine import OBJECT_NAME
from reconciler.model.fields import Labels
from reconciler.model.place import seat


class Placement(Model):
    """A host by name, or labels that hosts must carry. The first host by name wins, the current one first. With
    `cluster`: a node of it by name or labels, or wherever the cluster's own scheduler wants it."""

    host: Name | None = None
    labels: Labels | None = None
    cluster: Name | None = None
    node: Annotated[str, Field(pattern=OBJECT_NAME, max_length=253)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.cluster is not None:
            if self.host is not None or (self.node is not None and self.labels is not None):
                raise ValueError("in a `cluster` give `node`, `labels`, or neither")
        elif self.node is not None:
            raise ValueError("a `node` is one of a `cluster`")
        elif (self.host is None) == (self.labels is None):
            raise ValueError("give exactly one of `host` and `labels`")
        return self

    @property
    def place(self) -> str | None:
        """The one place that it names, if it does."""
        if self.cluster is not None:
            return seat(self.cluster, self.node) if self.node else None
        return self.host
