"""What specs say of a host that has failed."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from reconciler.model.base import Model
from reconciler.model.fencing import Fencing
from reconciler.model.fields import OneLine


class MayFail(Model):
    """Of every host. One that is declared failed is off for good, or until somebody has looked at it: what it ran
    comes back elsewhere."""

    state: Literal["active", "failed"] = "active"
    evidence: OneLine | None = Field(
        None,
        description="How it is known that it is off, and by whom; needed before anything comes back elsewhere",
    )

    fencing: Fencing | None = Field(None, description="How it is made sure that it is off")

    @model_validator(mode="after")
    def _of_failed(self) -> Self:
        if self.evidence is not None and self.state != "failed":
            raise ValueError("`evidence` is of a host with `state: failed`")
        return self

    @property
    def failed(self) -> bool:
        return self.state == "failed"
