"""From a seed to a scenario. The first seeds strike every boundary of every shape once, each by itself; the next
ones again with other faults, and with more of them at the same time."""

import random
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest

from reconciler.model.plan import StepKind
from tests.sim.checks import Scenario
from tests.sim.faults import ACTIONS, COMEBACKS, FAULTS, WHEN_GOING_BACK, Boundary, Fault, Point, Strike
from tests.sim.run import simulate
from tests.sim.shapes import SHAPES

BY_RUNTIME = "move-by-runtime"
MOVES = frozenset(shape for shape in SHAPES if shape.startswith(("move", "comeback", "copy")) or shape == "swap")
RETURNS = frozenset(shape for shape in SHAPES if shape.endswith("saved-first") or shape.startswith("side-by-side"))
"""Shapes that go back to a checkpoint."""
SETTINGS: tuple[dict[str, bool], ...] = (
    {},
    {"on_disk": True},
    {"restart": True},
    {"on_disk": True, "restart": True},
    {"stay": True},
    {"boots": True},
    {"on_disk": True, "boots": True},
)


@dataclass(frozen=True)
class Case:
    """A fault at a boundary of a plan shape. `first`: what makes the run go back, for boundaries of undos."""

    shape: str
    strike: Strike
    first: tuple[Strike, ...] = ()


def _ways_back(shape: str) -> tuple[tuple[Strike, ...], ...]:
    """Faults that make a shape's plan undo what it did: at the end, and half-way. What then goes back to a
    checkpoint does so in a run of its own, which may fail, too."""
    restore = Strike(Boundary(StepKind.RESTORE, False, Point.BEFORE_INTENT), Fault.RESTORE_FAILS)
    confirm = Strike(Boundary(StepKind.CONFIRM, False, Point.BEFORE_INTENT), Fault.UNHEALTHY)
    if shape == BY_RUNTIME:
        return ((Strike(Boundary(StepKind.MIGRATE, False, Point.BEFORE_INTENT), Fault.MIGRATION_FAILS),),)
    if shape in MOVES:
        copy = Strike(Boundary(StepKind.TRANSFER, False, Point.BEFORE_INTENT), Fault.TRUNCATED_TWICE)
        return (restore,), (copy,)
    return ((confirm,), (confirm, restore)) if shape in RETURNS else ((confirm,),)


@cache
def boundaries(shape: str) -> dict[Boundary, tuple[int, tuple[Strike, ...]]]:
    """Every boundary that a shape's plan has, how often it is reached, and what leads there."""
    found: dict[Boundary, tuple[int, tuple[Strike, ...]]] = {
        b: (n, ()) for b, n in simulate(Scenario(0, shape, ())).reached.items()
    }
    for strikes in _ways_back(shape):
        for boundary, times in simulate(Scenario(0, shape, strikes)).reached.items():
            found.setdefault(boundary, (times, strikes))
    return found


@cache
def cases() -> tuple[Case, ...]:
    """Every fault at every boundary of every shape; all boundaries come before any comes twice."""
    rng = random.Random(0)
    found: list[list[Case]] = []
    for shape in SHAPES:
        for boundary, (times, first) in sorted(boundaries(shape).items(), key=lambda item: str(item[0])):
            group: list[Case] = []
            for fault in FAULTS[boundary.kind]:
                if fault.of_command and boundary.point is not Point.IN_EFFECT:
                    continue
                if fault.armed and (boundary.point is not Point.BEFORE_INTENT or boundary.undo):
                    continue
                if fault in COMEBACKS and shape != "comeback":
                    continue
                if fault in ACTIONS and shape != "move-with-actions":
                    continue
                leads = first or (_ways_back(shape)[0] if fault in WHEN_GOING_BACK else ())
                skips = range(min(times, 8)) if boundary.point is Point.IN_EFFECT else range(1)
                group.extend(Case(shape, Strike(boundary, fault, skip), leads) for skip in skips)
            rng.shuffle(group)
            group.sort(key=lambda case: case.strike.skip > 0)
            found.append(group)
    return tuple(case for turn in zip_longest(*found) for case in turn if case)


@cache
def _by_shape() -> dict[str, list[Case]]:
    return {shape: [case for case in cases() if case.shape == shape] for shape in SHAPES}


@cache
def all_boundaries() -> set[tuple[str, Boundary]]:
    return {(shape, boundary) for shape in SHAPES for boundary in boundaries(shape)}


def scenario(seed: int) -> Scenario:
    """The scenario of a seed: its case, and up to two more faults at boundaries of the same shape."""
    every = cases()
    case = every[seed % len(every)]
    rng = random.Random(seed)
    more: list[Strike] = []
    if seed >= len(all_boundaries()):
        others = _by_shape()[case.shape]
        more = [rng.choice(others).strike for _ in range(rng.choice([0, 1, 1, 2]))]
    settings = rng.choice(SETTINGS)
    return Scenario(seed, case.shape, (*case.first, case.strike, *more), **settings)
