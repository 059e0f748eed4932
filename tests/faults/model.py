"""What a fault case is. Values only; they travel to the controller's process."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Point(StrEnum):
    """The boundaries of a step. The effect lies between `AFTER_INTENT` and `BEFORE_OUTCOME`."""

    BEFORE_INTENT = "before-intent"
    AFTER_INTENT = "after-intent"
    COMMAND_BEFORE = "before-command"  # one of the commands of the effect, before it is sent
    COMMAND_AFTER = "after-command"  # it has taken effect, its reply has not been seen
    BEFORE_OUTCOME = "before-outcome"
    AFTER_OUTCOME = "after-outcome"

    @property
    def of_command(self) -> bool:
        return self in (Point.COMMAND_BEFORE, Point.COMMAND_AFTER)


class Outcome(StrEnum):
    """How a case stands after the fault was made good and `reconcile resume` has run."""

    BACK = "back"  # as before the apply: the same process on its source
    FORWARD = "forward"  # as the specs say
    HELD = "held"  # nothing runs, nothing may start, the next command is named
    ENDED = "ended"  # the application ended by itself; the next apply starts it
    LOST = "lost"  # the host that held the only copy is gone, with it what was in memory


@dataclass(frozen=True)
class Strike:
    """What happens at a boundary. `do` names a function of `controller` or `blows`; `host` is `source` or
    `destination`; for commands, `times` says how often (0: as long as the step lasts)."""

    do: str
    step: str
    point: Point
    undo: bool = False
    host: str = ""
    argument: str = ""
    times: int = 1

    def __str__(self) -> str:
        where = f"{'undo-' if self.undo else ''}{self.step}:{self.point}"
        return f"{self.do}{'-' + self.host if self.host else ''}@{where}"


@dataclass(frozen=True)
class Case:
    """One run: `before` is done to hosts first, then the controller runs with `strikes`.

    `allowed`: outcomes. `exits`: exit codes of the struck apply; empty: any. `forget`: who resumes has no journal.
    `keeps`: the client's connection and the workload's memory must survive; `tells`: it may end, but not hang.
    `wait_s`: pause before anything is
    made good, e.g. for a hook's own time-out. `zombie`: the controller stands still while another one resumes, and
    then goes on.
    """

    name: str
    strikes: tuple[Strike, ...]
    allowed: frozenset[Outcome]
    shape: str = "move"
    exits: frozenset[int] = frozenset()
    before: tuple[tuple[str, str, str], ...] = ()
    forget: bool = False
    keeps: bool = True
    tells: bool = False
    wait_s: float = 0.0
    zombie: bool = False
    small_journal: bool = False
    policy: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def moves(self) -> bool:
        """Whether one workload goes from one host to the other, with its memory."""
        return self.shape in ("move", "postcopy")


@dataclass
class Verdict:
    """How a case went. `gap_s`: the client's longest wait; `back_s`: from the first strike to the source running
    again, where it was frozen then."""

    case: str
    allowed: list[str]
    outcome: str = ""
    ok: bool = False
    exit: int | None = None
    seconds: float = 0.0
    gap_s: float | None = None
    back_s: float | None = None
    problems: list[str] = field(default_factory=list)
