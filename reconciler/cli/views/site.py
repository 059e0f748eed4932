"""The pages that a watch serves about all that it sees: made on the server, from its last look and from the
journal. What takes long is made when a look has ended, before anybody asks. They change nothing, and have no forms
but to search."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from reconciler import __version__
from reconciler.cli.views.output.plan import plan_document
from reconciler.cli.views.pages import plain, plan_page
from reconciler.cli.views.site_rows import (
    drift_rows,
    host_rows,
    kept_row,
    moving_row,
    point_row,
    run_row,
    stand_line,
)
from reconciler.cli.views.stock import HEAD, SAVED, columns, saved
from reconciler.commands.app import Seen
from reconciler.commands.compose import open_store, under_way
from reconciler.core.stock import Item, Stock, stock
from reconciler.core.tending import Postponed, narrowed
from reconciler.errors import ReconcilerError
from reconciler.load.render_site import render_page
from reconciler.model.command import Seconds
from reconciler.model.spec import Spec
from reconciler.resources import data_path
from reconciler.watch.http import GuardedPage, Reply
from reconciler.watch.loop import Stand, Watch
from reconciler.watch.observers import Unmoved

HTML: Final = "text/html; charset=utf-8"
HOME: Final = "/"
NAV: Final = (
    (HOME, "Overview"),
    ("/workloads", "Workloads"),
    ("/history", "History"),
    ("/checkpoints", "Checkpoints"),
    ("/plan", "Last plan"),
)
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
MOST: Final = 100
"""Rows of a table; there may be thousands of workloads."""
RUNS: Final = 20
OFF: Final = "off"
NOTHING: Final = Stock((), ())


def pages(watch: Watch) -> Mapping[str, GuardedPage]:
    """By path, for a watch that they may look at."""
    site = Site(watch)
    watch.onlookers.append(site)
    return {
        "/": site.overview,
        "/workloads": site.workloads,
        "/history": site.history,
        "/checkpoints": site.checkpoints,
        "/plan": site.plan,
        "/style.css": partial(_file, "style.css", "text/css; charset=utf-8"),
        "/page.js": partial(_file, "page.js", "text/javascript; charset=utf-8"),
    }


@dataclass(frozen=True)
class Prepared:
    """What is made of a look, once. `plan`: the page of its plan."""

    seen: Seen | None
    stock: Stock
    plan: bytes

    @classmethod
    def of(cls, stand: Stand) -> Prepared:
        seen, spec = stand.seen, stand.spec
        if seen is None or spec is None:
            return cls(seen, NOTHING, b"")
        return cls(seen, stock(spec, seen.world, points=seen.points), _plan_of(seen, spec))


@dataclass
class Site(Unmoved):
    """What is made of a look is kept until that of the next one is made: nobody who asks waits for it."""

    watch: Watch
    _now: Prepared | None = None
    _coming: bool = False
    _alone: threading.Lock = field(default_factory=threading.Lock)

    def looked(self, spec: Spec, waits: tuple[Postponed, ...], unknown: tuple[str, ...], seconds: Seconds) -> None:
        self._coming = True
        asyncio.get_running_loop().run_in_executor(None, self._prepare)

    def _prepare(self) -> None:
        """The first time templates too."""
        with self._alone:
            first, self._coming = self._now is None or self._now.seen is None, False
            self._now = Prepared.of(self.watch.stand)
        if first:
            with suppress(ReconcilerError):  # who asks is told
                for view in (self.overview, self.workloads, self.history, self.checkpoints):
                    view({})

    def _shown(self) -> tuple[Stand, Prepared]:
        """The last look with what is made of it; while that is being made, with what is made of the one before,
        and before the first of them is, nothing has been looked at."""
        stand, now = self.watch.stand, self._now
        if now is not None and now.seen is stand.seen:
            return stand, now
        if self._coming or self._alone.locked():
            if now is not None and now.seen is not None:
                return stand, now
            return replace(stand, spec=None, seen=None, at=0.0), Prepared(None, NOTHING, b"")
        with self._alone:
            self._now = Prepared.of(stand)
            return stand, self._now

    def overview(self, _: Mapping[str, str]) -> Reply:
        stand, made = self._shown()
        found = under_way(self.watch.journal, self.watch.now())
        drift, count = drift_rows(stand, MOST)
        return self._page(
            "overview",
            "Overview",
            "/",
            stand,
            moving=[moving_row(one) for one in found[:MOST]],
            moreMoving=max(0, len(found) - MOST),
            drift=drift,
            moreDrift=count - len(drift),
            hosts=host_rows(stand, made.stock),
        )

    def workloads(self, query: Mapping[str, str]) -> Reply:
        stand, made = self._shown()
        there = made.stock
        asked, off = query.get("q", "").strip()[:200], query.get("only") == OFF
        found = [item for item in there.items if _matches(item, asked) and not (off and item.as_wanted)]
        number = _number(query.get("page", ""), -(-len(found) // MOST))
        called = stand.spec.called if stand.spec else {}
        by_policy = any(item.point for item in there.items)
        rows = [
            {
                "tone": "" if item.as_wanted and not (item.point and item.point.wanting) else "warn",
                "cells": [
                    *columns(item, called.get(item.workload, "")),
                    *((saved(item),) if by_policy else ()),
                ],
            }
            for item in found[(number - 1) * MOST : number * MOST]
        ]
        orphans = there.orphans if not asked and not off else ()
        return self._page(
            "workloads",
            "Workloads",
            "/workloads",
            stand,
            q=asked,
            off=off,
            count=len(found),
            total=len(there.items),
            head=[name.lower() for name in (*HEAD, *(SAVED if by_policy else ()))],
            rows=rows,
            pages=_parts(len(found), number, asked, off),
            orphans=[vars(one) for one in orphans[:MOST]],
            moreOrphans=max(0, len(orphans) - MOST),
        )

    def history(self, _: Mapping[str, str]) -> Reply:
        with open_store(self.watch.journal, write=False) as journal:
            runs = journal.runs(limit=RUNS)
        rows = [run_row(run) for run in runs]
        return self._page("history", "History", "/history", self._shown()[0], runs=rows)

    def checkpoints(self, _: Mapping[str, str]) -> Reply:
        stand = self._shown()[0]
        seen = stand.seen
        points = sorted(seen.points.values(), key=lambda one: (not one.wanting, one.workload)) if seen else []
        kept = [one for point in points for one in point.kept]
        return self._page(
            "checkpoints",
            "Checkpoints",
            "/checkpoints",
            stand,
            rows=[point_row(one) for one in points[:MOST]],
            more=max(0, len(points) - MOST),
            kept=[kept_row(one) for one in kept[:MOST]],
            moreKept=max(0, len(kept) - MOST),
        )

    def plan(self, _: Mapping[str, str]) -> Reply:
        """The report of `plan --format html`, whose style is the only one that this reply lets be used."""
        stand, made = self._shown()
        page = made.plan
        if not page:
            nothing = {"moving": [], "moreMoving": 0, "drift": [], "moreDrift": 0, "hosts": []}
            return self._page("overview", "Last plan", "/plan", stand, **nothing)
        styles = re.findall(rb"<style>(.*?)</style>", page, re.DOTALL)
        hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s).digest()).decode()}'" for s in styles)
        policy = f"default-src 'none'; style-src {hashes}; frame-ancestors 'none'; base-uri 'none'"
        return Reply(HTTPStatus.OK, page, HTML, policy)

    def _page(self, template: str, title: str, here: str, stand: Stand, **data: Any) -> Reply:
        shown = plain(
            data
            | {
                "title": title,
                "here": here,
                "nav": NAV,
                "stand": stand_line(stand, self.watch.leads),
                "release": __version__,
            }
        )
        return Reply(HTTPStatus.OK, render_page(f"{template}.html.j2", **shown).encode(), HTML, POLICY)


def _plan_of(seen: Seen, spec: Spec) -> bytes:
    """With so many workloads at most, those first that are refused, then those that something else
    is said of."""
    plan = seen.plan
    by_weight = sorted(plan.findings, key=lambda found: found.severity != "refuse")
    concerned = [*(one.workload for one in by_weight), *(one.workload for one in plan.changes)]
    names = list(dict.fromkeys(concerned))
    if len(names) <= MOST:
        return plan_page(plan_document(seen, 0, spec=spec), home=HOME).encode()
    part = plan_document(replace(seen, plan=narrowed(plan, frozenset(names[:MOST]))), 0, spec=spec)
    whole = {"state": seen.state, "applyable": plan.applyable, "refused": plan.errored}
    return plan_page(part.model_copy(update=whole), left=len(names) - MOST, home=HOME).encode()


def _file(name: str, kind: str, _: Mapping[str, str]) -> Reply:
    return Reply(HTTPStatus.OK, data_path("templates", "page", name).read_bytes(), kind)


def _matches(item: Item, asked: str) -> bool:
    return not asked or any(asked in text for text in (item.workload, item.on, item.belongs, item.image))


def _number(text: str, last: int) -> int:
    return min(max(1, int(text)), max(1, last)) if text.isascii() and text.isdecimal() and len(text) < 9 else 1


def _parts(count: int, number: int, asked: str, off: bool) -> list[dict[str, Any]]:
    """Links to the parts of a long list."""
    words = {"q": asked} | ({"only": OFF} if off else {})
    return [
        {"href": f"/workloads?{urlencode(words | {'page': n})}", "text": n, "here": n == number}
        for n in range(1, -(-count // MOST) + 1)
    ]
