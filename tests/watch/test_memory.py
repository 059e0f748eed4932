"""What a watch sets apart from what is searched for garbage. Real: the interpreter's own counts."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from reconciler.model.spec import Spec
from reconciler.watch.memory import AGAIN, ALL, Keeping, set_apart


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    gc.unfreeze()
    assert gc.isenabled()


def test_what_stays_is_set_apart_without_a_search() -> None:
    searches = gc.get_stats()[2]["collections"]
    with set_apart():
        kept = [[number] for number in range(100_000)]
    assert gc.get_freeze_count() >= len(kept) and gc.get_stats()[2]["collections"] == searches


def test_nothing_stays_switched_off_when_it_fails() -> None:
    gc.unfreeze()
    with pytest.raises(ZeroDivisionError), set_apart():
        _ = 1 / 0
    assert gc.isenabled() and gc.get_freeze_count() == 0


def test_the_first_look_and_then_one_in_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    now, done = 1000.0, list[str]()
    for name in ("collect", "freeze", "unfreeze"):
        monkeypatch.setattr(gc, name, lambda name=name: done.append(name))
    keeping = Keeping(clock=lambda: now)

    def look(later: float) -> list[str]:
        nonlocal now
        now += later
        done.clear()
        keeping.looked(Spec(), (), (), 0.1)
        return done[:]

    assert look(0.0) == ["freeze"]
    assert look(60.0) == []
    assert look(AGAIN) == ["collect", "freeze"]
    assert look(ALL) == ["unfreeze", "collect", "freeze"]
    assert look(AGAIN) == ["collect", "freeze"]
