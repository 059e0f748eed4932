"""Moves that share a host are frozen one after the other (`core.schedule`): with whom, and what that saves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from reconciler.model.command import Seconds
from reconciler.model.outlook import HeldMove, Span, TurnsOutlook
from reconciler.model.plan import Change

NAMED = 3
"""So many others are named: of thousands nobody reads more."""


def in_turn(changes: Sequence[Change]) -> tuple[Change, ...]:
    """The same changes, of which moves by a cut-over of ours are told with whom they take turns."""
    at: dict[str | None, dict[str, HeldMove]] = defaultdict(dict)
    for change in changes:
        if held := change.outlook.held_move:
            for host in (change.source, change.destination):
                at[host][change.workload] = held
    groups: dict[tuple[str | None, str | None], tuple[dict[str, HeldMove], Span, Span]] = {}
    for change in changes:
        way = (change.source, change.destination)
        if change.outlook.held_move and way not in groups:
            group = at[way[0]] | at[way[1]]
            groups[way] = (group, _span(group, _in_turn), _span(group, _at_once))
    return tuple(
        _told(change, *groups[change.source, change.destination]) if change.outlook.held_move else change
        for change in changes
    )


def _told(change: Change, group: dict[str, HeldMove], one_by_one: Span, at_once: Span) -> Change:
    """`group`: the moves by whose hosts it goes, itself included."""
    if len(group) == 1:
        return change
    first = [name for name, _ in zip(group, range(NAMED + 1), strict=False) if name != change.workload][:NAMED]
    more = len(group) - 1 - len(first)
    turns = TurnsOutlook(others=tuple(first), more=more, in_turn=one_by_one, at_once=at_once)
    held = group[change.workload].model_copy(update={"turns": turns})
    return change.model_copy(update={"outlook": change.outlook.model_copy(update={"held_move": held})})


_Of = Callable[[Span], Seconds]


def _span(group: dict[str, HeldMove], waits: Callable[[Sequence[HeldMove], _Of], Seconds]) -> Span:
    moves = list(group.values())
    return Span(
        least_s=round(waits(moves, lambda span: span.least_s), 3),
        most_s=round(waits(moves, lambda span: span.most_s), 3),
    )


def _in_turn(moves: Sequence[HeldMove], of: _Of) -> Seconds:
    """Seconds that clients of all of them wait, taken together."""
    return sum(of(move.downtime) for move in moves)


def _at_once(moves: Sequence[HeldMove], of: _Of) -> Seconds:
    """The same, were all frozen at once: of two copies that share a link fairly, each takes as much longer as the
    shorter of them takes alone."""
    copies = sorted(of(move.copying) for move in moves)
    pairs = sum(
        copy * (len(copies) - 1 - number) for number, copy in enumerate(copies)
    )  # with each that is longer
    return _in_turn(moves, of) + 2 * pairs
