"""One value after another that says nearly the same: what did not change is kept as it was.

A watch looks at thousands of workloads time and again. With this a look adds to memory what it found new, not
another picture of all hosts, and what is older has not to be searched for garbage again."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, TypeVar, cast

from reconciler.model.base import Model

T = TypeVar("T")
IDENTITY = ("id", "name", "workload", "runtime")
"""Fields by which the same thing is found again among others."""


def shared(before: T, now: T) -> T:
    """What equals `now`, made of the parts of `before` that are the same."""
    if before is now or type(before) is not type(now):
        return now
    if before == now:
        return before
    if isinstance(now, Model):
        return cast(T, _model(cast(Model, before), now))
    if isinstance(now, tuple):
        return cast(T, _items(cast("tuple[Any, ...]", before), now))
    if isinstance(now, dict):
        was = cast("dict[Any, Any]", before)
        return cast(T, {name: shared(was.get(name), value) for name, value in now.items()})
    return now


def _model(before: Model, now: Model) -> Model:
    old, new = before.__dict__, now.__dict__
    kept = {name: shared(old[name], value) for name, value in new.items()}
    return now.model_copy(update={name: value for name, value in kept.items() if value is not new[name]})


def _items(before: tuple[Any, ...], now: tuple[Any, ...]) -> tuple[Any, ...]:
    found = {_identity(item, at): item for at, item in enumerate(before)}
    return tuple(shared(found.get(_identity(item, at)), item) for at, item in enumerate(now))


def _identity(item: object, at: int) -> Hashable:
    """What it is, else the place that it has among the others."""
    named = tuple(getattr(item, field, "") for field in IDENTITY) if isinstance(item, Model) else ()
    return named if any(named) else at
