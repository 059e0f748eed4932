"""How a workload is made anew, and what may be done to it while it runs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from reconciler.model.base import Duration, Model, Name


class UpdateStrategy(StrEnum):
    RECREATE = "recreate"
    CHECKPOINT_FIRST = "checkpoint-first"


class Update(Model):
    """What an apply may do to this workload while it runs without being told so again: it loses what it holds in
    memory. Removing it always needs `--allow-removals`. And how it is made anew."""

    allow: Annotated[list[Literal["recreate", "stop"]], Field(max_length=2)] = []
    strategy: UpdateStrategy = Field(
        UpdateStrategy.RECREATE,
        description="`checkpoint-first`: a checkpoint of it is taken before it is made anew, and it goes back to"
        " that when its successor is not healthy in time",
    )
    store: Name | None = Field(
        None,
        description="The CheckpointStore of `checkpoint-first`; without one that of its CheckpointPolicy, else its"
        " own host",
    )
    freeze_limit: Duration | None = Field(
        None, description="The longest it may be frozen for `checkpoint-first`; 1m if unset"
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        first = self.strategy is UpdateStrategy.CHECKPOINT_FIRST
        if not first and (self.store or self.freeze_limit):
            field = "store" if self.store else "freezeLimit"
            raise ValueError(f"`{field}` is for `strategy: checkpoint-first` only: add that, or leave it out")
        if not (self.allow or first):
            raise ValueError("give `allow`, or `strategy: checkpoint-first`, or both")
        return self
