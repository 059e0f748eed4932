"""How a workload is made anew, and what may be done to it while it runs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from reconciler.model.base import Duration, Model, Name


class UpdateStrategy(StrEnum):
    RECREATE = "recreate"
    CHECKPOINT_FIRST = "checkpoint-first"
    SIDE_BY_SIDE = "side-by-side"

    @property
    def saves(self) -> bool:
        """Whether a checkpoint is taken first, to go back to."""
        return self is not UpdateStrategy.RECREATE


TTL = "1h"
"""How long the old version is kept beside the new one, where no spec says otherwise."""


class Update(Model):
    """What an apply may do to this workload while it runs without being told so again: it loses what it holds in
    memory. Removing it always needs `--allow-removals`. And how it is made anew."""

    allow: Annotated[list[Literal["recreate", "stop"]], Field(max_length=2)] = []
    strategy: UpdateStrategy = Field(
        UpdateStrategy.RECREATE,
        description="`checkpoint-first`: a checkpoint of it is taken before it is made anew, and it goes back to"
        " that when its successor is not healthy in time; `side-by-side`: as that, and once the new one is well"
        " the old one's checkpoint is restored beside it, as a copy to look into",
    )
    store: Name | None = Field(
        None,
        description="The CheckpointStore of that checkpoint; without one that of its CheckpointPolicy, else its"
        " own host",
    )
    freeze_limit: Duration | None = Field(
        None, description="The longest it may be frozen for that checkpoint; 1m if unset"
    )
    ttl: Duration | None = Field(
        None,
        description=f"How long the old version is kept beside the new one with `side-by-side`; {TTL} if unset",
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.strategy.saves and (self.store or self.freeze_limit):
            field = "store" if self.store else "freezeLimit"
            raise ValueError(
                f"`{field}` is for `strategy: checkpoint-first` and `side-by-side` only: add one, or leave it out"
            )
        if self.ttl and self.strategy is not UpdateStrategy.SIDE_BY_SIDE:
            raise ValueError("`ttl` is for `strategy: side-by-side` only: add that, or leave it out")
        if not (self.allow or self.strategy.saves):
            raise ValueError("give `allow`, or `strategy: checkpoint-first` or `side-by-side`, or both")
        return self
