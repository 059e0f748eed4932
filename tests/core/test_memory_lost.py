"""Of memory that follows from a source, what nobody has any more (`core.standing`)."""

from __future__ import annotations

import pytest

from reconciler.core.standing import Matter
from reconciler.model.plan import Move
from reconciler.model.world import Alive, Following, OnDisk

MISSING = 40 * 2**20
GONE = Alive(exists=True, running=False, detail="exited")
FROZEN = Alive(exists=True, running=False, restorable=True, frozen=True)


def matter(source: Alive | None) -> Matter:
    move = Move.model_construct(source="h1", destination="h2")
    there = Alive(exists=True, running=True, following=Following(MISSING, 3.0))
    return Matter("web", {}, {"h2": there} | ({"h1": source} if source else {}), move=move)


@pytest.mark.parametrize(
    ("source", "lost"),
    [
        (FROZEN, 0),
        (None, 0),
        (GONE, MISSING),
        (Alive(exists=True, running=False, restorable=True, on_disk=OnDisk(9, 9)), 0),
        (Alive(exists=True, running=False, on_disk=OnDisk(5, 9)), 0),
        (Alive(exists=True, running=False, on_disk=OnDisk(5, 9, 4)), 4),
    ],
    ids=["held", "not-seen", "lost-power", "all-on-disk", "not-asked-yet", "some-on-disk"],
)
def test_it_is_what_a_source_that_was_seen_does_not_have(source: Alive | None, lost: int) -> None:
    assert matter(source).lost == lost


def test_nothing_is_lost_where_nothing_follows() -> None:
    assert Matter("web", {}, {"h1": GONE}).lost == 0
