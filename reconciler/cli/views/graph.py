"""The steps of a plan as a picture: where boxes and arrows go. Numbers only; a template draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.cli.views.output.plan import PlannedStep

WIDE, HIGH, GAP, LANE, LEFT = 118, 40, 26, 64, 160
"""Of a box, and between boxes, lanes and the names before them, in pixels."""
LANE_CHARS, BOX_CHARS = 22, 16
"""Characters there is room for."""
MOST_LANES = 60
"""Workloads in a picture; what is more is counted."""


@dataclass(frozen=True)
class Box:
    """A step; `x` and `y` are its upper left corner. `label`: its host, as far as there is room."""

    kind: str
    host: str
    label: str
    x: int
    y: int


@dataclass(frozen=True)
class Arrow:
    """From the right side of a box to the left side of another."""

    x1: int
    y1: int
    x2: int
    y2: int


@dataclass(frozen=True)
class Lane:
    """The steps of one workload. `label`: its name, as far as there is room."""

    workload: str
    label: str
    y: int


@dataclass(frozen=True)
class Graph:
    """A picture and its size; `left`: workloads that are not in it."""

    lanes: tuple[Lane, ...]
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    width: int
    height: int
    left: int


def graph_of(steps: Sequence[PlannedStep]) -> Graph:
    """Time goes to the right: a step stands behind all that it needs. A lane grows where steps go side by side."""
    names = list(dict.fromkeys(step.workload for step in steps))
    shown = names[:MOST_LANES]
    of_lane: dict[str, list[PlannedStep]] = {name: [] for name in shown}
    for step in steps:
        if step.workload in of_lane:
            of_lane[step.workload].append(step)
    depth: dict[str, int] = {}
    places: dict[str, Box] = {}
    lanes: list[Lane] = []
    arrows: list[Arrow] = []
    y = 0
    for name in shown:
        rows: dict[int, int] = {}
        lanes.append(Lane(name, _cut(name, LANE_CHARS), y))
        for step in of_lane[name]:
            at = depth[step.id] = 1 + max((depth.get(need, -1) for need in step.needs), default=-1)
            row = rows[at] = rows.get(at, -1) + 1
            places[step.id] = Box(
                step.kind.value, step.host, _cut(step.host, BOX_CHARS), LEFT + at * (WIDE + GAP), y + row * LANE
            )
            arrows += [_arrow(places[need], places[step.id]) for need in step.needs if need in places]
        y += LANE * (1 + max(rows.values(), default=0))
    width = LEFT + (1 + max(depth.values(), default=-1)) * (WIDE + GAP)
    return Graph(tuple(lanes), tuple(places.values()), tuple(arrows), width, y, len(names) - len(shown))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _arrow(before: Box, after: Box) -> Arrow:
    return Arrow(before.x + WIDE, before.y + HIGH // 2, after.x, after.y + HIGH // 2)
