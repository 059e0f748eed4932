"""How much of a copy has been made by now, as its controller tells those who look on."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import TypeAdapter

from reconciler.model.base import Model
from reconciler.model.command import Bytes


class Amount(Model):
    """Bytes of one step. `at` is seconds since the epoch."""

    done: Bytes
    at: float


AMOUNTS: TypeAdapter[Mapping[str, Amount]] = TypeAdapter(dict[str, Amount])
"""Of the steps of a run, by their IDs."""
