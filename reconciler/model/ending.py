"""How a command ended, in one word. Exit code, document and report are made from it, so that none says
what another does not."""

from __future__ import annotations

from enum import StrEnum


class Ending(StrEnum):
    """Of a command that looked at hosts, or changed them. Words of a run's state mean the same here."""

    DONE = "done"
    PARTLY = "partly"  # what was begun is done; the rest was refused, or has to stay
    REFUSED = "refused"
    DECLINED = "declined"
    FAILED = "failed"
    OPEN = "open"
    IN_DOUBT = "in-doubt"
    UNSEEN = "unseen"
    INTERRUPTED = "interrupted"

    @property
    def exit_code(self) -> int:
        """What the program ends with."""
        return _CODES.get(self, 1)

    def told(self, counted: str = "") -> str:
        """In a few words. `counted`: how many changes are done and how many are not, where any was begun."""
        if not counted:
            return _NOTHING[self]
        before = _BEFORE.get(self, "")
        return f"{before}: {counted}" if before else counted


_CODES = {Ending.DONE: 0, Ending.IN_DOUBT: 5, Ending.UNSEEN: 7, Ending.INTERRUPTED: 130}
_BEFORE = {
    Ending.OPEN: "something is unfinished",
    Ending.IN_DOUBT: "in doubt",
    Ending.INTERRUPTED: "interrupted",
}
_NOTHING = {
    Ending.DONE: "nothing was to be done",
    Ending.PARTLY: "refused in part, nothing was changed",
    Ending.REFUSED: "refused, nothing was changed",
    Ending.DECLINED: "not agreed to, nothing was changed",
    Ending.FAILED: "failed, nothing was changed",
    Ending.OPEN: "something is unfinished",
    Ending.IN_DOUBT: "something is in doubt",
    Ending.UNSEEN: "no host could be seen, nothing was changed",
    Ending.INTERRUPTED: "interrupted, nothing was changed",
}


class PlanState(StrEnum):
    """What a plan says to do."""

    NOTHING = "nothing"
    CHANGES = "changes"
    PARTLY = "partly"  # some of it is refused
    REFUSED = "refused"
    UNSEEN = "unseen"

    def exit_code(self, detailed: bool) -> int:
        """What `reconcile plan` ends with. `detailed`: changes are told, too."""
        if self is PlanState.CHANGES:
            return 2 if detailed else 0
        return {PlanState.NOTHING: 0, PlanState.UNSEEN: 7}.get(self, 1)

    @property
    def told(self) -> str:
        """In a few words."""
        return _PLANS[self]


_PLANS = {
    PlanState.NOTHING: "nothing to do",
    PlanState.CHANGES: "can be applied",
    PlanState.PARTLY: "refused in part",
    PlanState.REFUSED: "refused",
    PlanState.UNSEEN: "no host could be seen",
}
