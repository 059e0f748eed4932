"""The one composition. Fake: the hosts behind it."""

import json
from pathlib import Path

import pytest

from reconciler.commands import compose
from reconciler.commands.compose import run_state
from reconciler.engine.lenient import unsaid
from reconciler.errors import CommandFailed, JournalError
from reconciler.hosts import wrap
from reconciler.hosts.wrap import Backoff
from reconciler.model.command import Command
from reconciler.model.event import Untidied
from reconciler.model.plan import Plan
from reconciler.model.record import RunState
from reconciler.model.spec import Spec
from tests.hosts.test_wrap import FakeFleet

PACKAGE = Path(compose.__file__).parent


@pytest.mark.parametrize("code", ["C320", "C323"])
async def test_a_broken_copy_is_made_once_more(code: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As `explain` promises, with the fleet that apply, resume, resolve, status, rehearse and doctor open."""
    inner = FakeFleet(CommandFailed("broken on the way", code=code))
    monkeypatch.setattr(compose, "reach", lambda spec: inner)
    monkeypatch.setattr(Backoff, "pause", lambda self, failed: 0.0)
    monkeypatch.setenv("RECONCILE_TRACE", str(tmp_path / "trace"))
    async with compose.open_fleet(Spec(), unsaid) as fleet:
        report = await fleet.copy_trees("h1", "h2", "k", [], lambda count: None)
    assert report.how == "direct"
    traced = [json.loads(line) for line in (tmp_path / "trace").read_text().splitlines()]
    assert [line["error"] for line in traced] == [code, ""], "the trace has both tries"


async def test_what_fails_after_the_outcome_is_told_beside_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Ending(FakeFleet):
        async def close(self) -> None:
            raise OSError("the transport is gone")

    monkeypatch.setattr(compose, "reach", lambda spec: Ending())
    monkeypatch.setenv("RECONCILE_TRACE", "/dev/full")
    told: list[Untidied] = []
    async with compose.open_fleet(Spec(), told.append) as fleet:
        for _ in range(3):
            await fleet.host("h1").run(Command(("true",)))
    assert told == [
        Untidied("S605", "the trace /dev/full is not complete (No space left on device)"),
        Untidied("S604", "the connections could not be closed properly (the transport is gone)"),
    ]


async def test_a_journal_that_cannot_note_the_end_keeps_no_outcome_back() -> None:
    class Full:
        async def end(self, run_id: str, state: RunState, at: float) -> None:
            raise JournalError("the journal cannot be written")

    told: list[Untidied] = []
    outside = compose.Outside(FakeFleet(), {}, warn=told.append)
    outcome = await outside.carry_out(outside.executor(Plan(), "run1", Full()))  # type: ignore[arg-type]
    assert run_state(outcome) is RunState.DONE
    assert [one.code for one in told] == ["S606"]
    assert "cannot be written" in told[0].text and "reconcile resume" in told[0].text


def test_nothing_is_composed_elsewhere() -> None:
    parts = ("SshFleet(", "RetryFleet(", "TraceFleet(", "Executor(", "Steps(")
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        for part in parts:
            made = text.count(part) - text.count(f"class {part}")
            assert not made or path.name == "compose.py", f"{path.name} makes a {part}...)"


def test_what_is_retried_has_a_page_that_says_so() -> None:
    from reconciler.core.pages import PAGES

    assert all("once more" in PAGES[code].text for code in wrap.COPY_AGAIN)
