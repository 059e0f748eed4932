"""What a workload of a failed host may come back from: what was asked, and what was not. Fake: the stores."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest

from reconciler.commands import points
from reconciler.errors import HostError
from reconciler.model.checkpoint import KeptAt
from tests.core.test_failing import PROVEN, WEB, here, kept
from tests.core.worlds import host, spec, unknown, world

SPEC = spec(host("h1", **PROVEN), host("h2"), host("h3"), WEB)
LATER = "20261127-000000-0000"


def found(monkeypatch: pytest.MonkeyPatch, *hosts, stores=None, damaged=()):
    """What it says of `web`. `stores`: what each host has of it, or how it fails."""

    async def ask(at, fleet, *names, **more):
        answer = (stores or {}).get(at.host, [])
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def verified(one, fleet):
        return SimpleNamespace(wrong=("images.tar is damaged",) if one.id in damaged else ())

    monkeypatch.setattr(points, "ask", ask)
    monkeypatch.setattr(points, "verified", verified)
    stock = asyncio.run(points.restorable(SPEC, None, world(*hosts), ["web"], 2000.0))
    return stock.best.get("web"), stock.skipped.get("web", ())


def test_what_the_dead_host_kept_is_lost_and_that_is_all(monkeypatch):
    assert found(monkeypatch, unknown("h1"), here("h2"), here("h3")) == (None, ())


def test_a_host_that_was_not_seen_and_is_not_given_up_may_keep_one(monkeypatch):
    best, skipped = found(monkeypatch, unknown("h1"), here("h2"), unknown("h3"))
    assert best is None and len(skipped) == 1 and "h3" in skipped[0] and "was not seen" in skipped[0]


def test_one_that_nobody_can_read_is_named(monkeypatch):
    broken = replace(kept(), manifest=None, broken="its seal is another")
    best, skipped = found(monkeypatch, unknown("h1"), here("h2"), here("h3"), stores={"h3": [broken]})
    assert best is None and skipped == (f"web@{broken.id} on {broken.at}: its seal is another",)


def test_damaged_ones_that_are_newer_are_named_beside_the_one_that_is_whole(monkeypatch):
    older, newer = kept(), replace(kept(), id=LATER, manifest=None, broken="its seal is another")
    long_ago = replace(newer, id="20200101-000000-0000")
    stores = {"h3": [older, newer, long_ago]}
    best, skipped = found(monkeypatch, unknown("h1"), here("h2"), here("h3"), stores=stores)
    assert best == older and [LATER in one for one in skipped] == [True]


def test_a_folder_that_cannot_be_asked_ends_the_plan(monkeypatch):
    with pytest.raises(HostError):
        found(monkeypatch, unknown("h1"), here("h2"), here("h3"), stores={"h3": HostError("no", code="H204")})


def test_a_repository_that_cannot_be_asked_may_have_a_newer_one(monkeypatch):
    at = KeptAt("h3", repository="offsite")
    monkeypatch.setattr(points, "places_of", lambda spec: [KeptAt("h2"), at])
    stores = {"h3": HostError("it is locked", code="C300"), "h2": [kept()]}
    best, skipped = found(monkeypatch, unknown("h1"), here("h2"), here("h3"), stores=stores)
    assert best == kept() and "may have a newer one: it is locked" in skipped[0]
