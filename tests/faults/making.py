"""How a case is written down."""

from __future__ import annotations

from tests.faults.model import Case, Outcome, Point, Strike

BACK = frozenset({Outcome.BACK})
FORWARD = frozenset({Outcome.FORWARD})
EITHER = BACK | FORWARD
LOST = frozenset({Outcome.LOST})
BEFORE = ("reserve", "stage", "hold", "transfer")
AFTER = ("restore", "confirm", "retire")
KINDS = (*BEFORE, "commit", *AFTER)
RECORDS = (Point.BEFORE_INTENT, Point.AFTER_INTENT, Point.BEFORE_OUTCOME, Point.AFTER_OUTCOME)
STRUCK, DONE, PUT_BACK, IN_DOUBT, INTERRUPTED, DEAD = -9, 0, 1, 5, 130, -9


def case(
    allowed: frozenset[Outcome], *strikes: Strike, name: str = "", exits: tuple[int, ...] = (), **more: object
) -> Case:
    """A case, named after its strikes where no name is given."""
    shape = str(more.get("shape", "move"))
    name = name or " + ".join(map(str, strikes))
    name = name if shape == "move" else f"{shape}: {name}"
    forgets = " (journal lost)" if more.get("forget") else ""
    return Case(name + forgets, strikes, allowed, exits=frozenset(exits), **more)  # type: ignore[arg-type]


def side(kind: str, point: Point, *, forget: bool = False) -> frozenset[Outcome]:
    """Where a controller that dies at a record leaves the workload, once somebody has resumed."""
    if kind in BEFORE or (kind == "commit" and point is Point.BEFORE_INTENT):
        return BACK
    if kind == "commit" and point is Point.AFTER_INTENT:
        return BACK if forget else FORWARD  # the journal alone knows of the intent
    return FORWARD
