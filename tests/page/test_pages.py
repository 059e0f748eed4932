"""The pages of a watch, without a browser. See `scene` for what is real."""

from __future__ import annotations

import asyncio
import re
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.views.site import MOST, POLICY, pages
from reconciler.commands.app import Seen
from reconciler.core.planner import make_plan
from reconciler.core.stock import Stock, stock
from reconciler.core.tending import Cause
from reconciler.errors import ReconcilerError
from reconciler.load.render_site import render_page
from reconciler.model.plan import Finding
from reconciler.state.amounts import Amounts
from reconciler.state.notebook import Notebook
from reconciler.watch.loop import Stand, Watch
from tests.bench.world import fleet
from tests.page.scene import NoSource, Shown, busy


def text(page: bytes) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.decode()))


def test_what_goes_on_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = busy(tmp_path, monkeypatch)
    shown.unknown("h2", "it does not answer <b>")
    there = pages(shown.watch)
    overview = text(there["/"]({}).body)
    for words in (
        "3 of 8 workloads not as the specs want them. 1 of 2 hosts could not be seen.",
        "web move h1 -&gt; h2",
        "transfer: 210 MiB of 512 MiB at",
        "frozen for",
        "predicted",
        "its newest checkpoint is older than its policy promises",
        "window: outside its windows until 22:00",
        "no: it does not answer &lt;b&gt;",
    ):
        assert words in overview, overview
    history = text(there["/history"]({}).body)
    assert "clients waited" in history and "create cache" in history and " by " in history
    checkpoints = text(there["/checkpoints"]({}).body)
    for words in (
        "1 h 30 min ago",
        "web@20261126-050607-aaaa h1 2026-11-26 05:06:07 UTC h2 3 MiB pinned",
        "web@20261125-050607-bbbb h2:/srv/kept - - - cannot be used: its manifest &lt;b&gt; is torn",
    ):
        assert words in checkpoints, checkpoints
    plan = there["/plan"]({}).body
    assert "1 host seen, 1 unknown" in text(plan) and b'<a href="/">' in plan, "there is a way back"
    for path, page in there.items():
        reply = page({})
        assert b"style=" not in reply.body and b"onclick" not in reply.body, path
        assert "unsafe" not in reply.policy, path
    assert there["/"]({}).policy == POLICY
    assert "style-src 'sha256-" in there["/plan"]({}).policy


def test_workloads_are_found_and_come_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Shown.made(tmp_path, monkeypatch, **{f"w{n:03}": "h1" for n in range(MOST + 5)})
    page = pages(shown.watch)["/workloads"]
    assert "All is as the specs want it: 105 workloads." in text(page({}).body)
    assert b"w099" in page({}).body and b"w100" not in page({}).body and b"page=2" in page({}).body
    for number in ("2", "3", "99999999"):
        assert b"w100" in page({"page": number}).body and b"w099" not in page({"page": number}).body
    for number in ("", "-1", "0", "x", "9" * 20, "²"):
        assert b"w000" in page({"page": number}).body
    assert "10 of 105 workloads" in text(page({"q": "w00"}).body)
    assert "0 of 105 workloads" in text(page({"q": '"><script>'}).body)
    assert b"<script>" not in page({"q": '"><script>'}).body
    assert "0 of 105 workloads" in text(page({"only": "off"}).body)


def test_a_watch_that_has_seen_nothing(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    watch = Watch(NoSource(), journal, Notebook.beside(journal))
    for path, page in pages(watch).items():
        assert page({}).status == 200, path
    assert "another watch leads" in text(pages(watch)["/"]({}).body)
    assert not journal.exists()
    watch.stand = replace(watch.stand, trouble=ReconcilerError("no host can be seen"))
    assert "no host can be seen" in text(pages(watch)["/"]({}).body)


def test_copies_are_told_of_while_they_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = list[int]()
    monkeypatch.setattr(Amounts, "note", lambda self, run, step, done, at: told.append(done))
    shown = Shown.made(tmp_path, monkeypatch, web="h1")
    shown.move(web="h2")
    assert told and max(told) > 0


def test_nobody_waits_for_what_can_be_made_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Right after a look, before anybody has asked."""
    shown = Shown.made(tmp_path, monkeypatch, web="h1")
    there = pages(shown.watch)
    (onlooker,) = shown.watch.onlookers
    rendered: list[str] = []
    made: list[int] = []

    def rendering(name: str, **data: object) -> str:
        rendered.append(name)
        return render_page(name, **data)

    def making(*about: Any, **more: Any) -> Stock:
        made.append(1)
        return stock(*about, **more)

    monkeypatch.setattr("reconciler.cli.views.site.render_page", rendering)
    monkeypatch.setattr("reconciler.cli.views.site.stock", making)
    stand = shown.watch.stand
    assert stand.spec
    spec = stand.spec

    async def look() -> None:
        onlooker.looked(spec, (), (), 0.1)

    asyncio.run(look())  # which ends when its threads have
    there["/"]({})
    there["/workloads"]({})
    assert set(rendered[:4]) == {f"{name}.html.j2" for name in ("overview", "workloads", "history", "checkpoints")}
    assert made == [1]


def test_before_the_first_look_is_prepared_nobody_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Shown.made(tmp_path, monkeypatch, web="h1")
    there = pages(shown.watch)
    (onlooker,) = shown.watch.onlookers
    go_on = threading.Event()
    monkeypatch.setattr("reconciler.cli.views.site._plan_of", lambda seen, spec: b"x" if go_on.wait(30) else b"")
    stand = shown.watch.stand
    assert stand.spec
    spec = stand.spec

    async def look() -> None:
        onlooker.looked(spec, (), (), 0.1)
        for path in ("/", "/workloads", "/checkpoints", "/plan"):
            assert "No hosts have been looked at yet" in text(there[path]({}).body), path
        go_on.set()

    asyncio.run(look())
    assert "All is as the specs want it: 1 workload." in text(there["/"]({}).body)
    assert there["/plan"]({}).body == b"x"


def test_the_plan_of_thousands_is_shown_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are refused are among the first."""
    shown = Shown.made(tmp_path, monkeypatch, web="h1")
    spec, world = fleet(4, 3 * MOST, 3 * MOST)
    plan = make_plan(spec, world)
    last = plan.changes[-1].workload
    found = Finding(rule="room", severity="refuse", workload=last, host="h1", message="it does not fit")
    plan = plan.model_copy(update={"findings": (*plan.findings, found)})
    shown.watch.stand = Stand(spec, False, seen=Seen(world, plan), at=1.0)
    page = text(pages(shown.watch)["/plan"]({}).body)
    assert "200 more workloads are not shown here" in page and "refused in part" in page
    assert f"{last} " in page and "it does not fit" in page


def test_every_cause_has_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Shown.made(tmp_path, monkeypatch, web="h1")
    for cause in Cause:
        shown.watch.stand = replace(shown.watch.stand, waits=())
        shown.wait("web", cause, "because")
        assert f"{cause}: because" in text(pages(shown.watch)["/"]({}).body)
