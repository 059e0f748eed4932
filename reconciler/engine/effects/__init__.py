"""What each kind of step does on its hosts, and how it is undone: a module for each family of them."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.engine.effects import artifacts, comeback, moving, plain, saving, selfmoving
from reconciler.engine.effects.base import Acting, Effect, Secrets, StoreKeys
from reconciler.model.plan import StepKind

EFFECTS: Mapping[StepKind, Effect] = {
    **artifacts.EFFECTS,
    **plain.EFFECTS,
    **moving.EFFECTS,
    **selfmoving.EFFECTS,
    **comeback.EFFECTS,
    **saving.EFFECTS,
}

__all__ = ["EFFECTS", "Acting", "Effect", "Secrets", "StoreKeys"]
