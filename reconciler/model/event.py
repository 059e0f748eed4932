"""What happens during an apply, as values: views show them, tests assert on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reconciler.model.command import Bytes, Seconds
from reconciler.model.plan import Step


@dataclass(frozen=True)
class Untidied:
    """What was left behind when all was over, in a sentence. It takes nothing back of the outcome."""

    code: str
    text: str
    host: str = ""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class StepStarted:
    step: Step
    undo: bool = False


@dataclass(frozen=True)
class StepProgress:
    """Bytes copied so far, of `total` expected (0 when not known)."""

    step: Step
    done: Bytes
    total: Bytes


@dataclass(frozen=True)
class StepEnded:
    """`error` is empty for success; `lost` when it is not known whether the step took effect."""

    step: Step
    undo: bool
    seconds: Seconds
    error: str = ""
    lost: bool = False
    note: str = ""


Event = StepStarted | StepProgress | StepEnded
Reporter = Callable[[Event], None]


def ignore(event: Event) -> None:
    """The reporter that does nothing."""
