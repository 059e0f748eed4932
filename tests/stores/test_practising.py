"""Rehearsals of checkpoints: what is noted, and what is not. Real: the scripts of stores, on this machine. Fake:
the fleet, and what becomes of the copy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.views.kept import render_verified
from reconciler.commands import due, kept, practising
from reconciler.commands.copying import RestoreCopy
from reconciler.commands.discarding import Discard, Discarded
from reconciler.commands.due import Saving, TakeDue
from reconciler.commands.kept import FoundKept, Verification, Verified
from reconciler.commands.practising import RehearseKept, copy_of
from reconciler.commands.restore import Restored
from reconciler.errors import CommandFailed, HostUnreachable, InputError, Locked, ReconcilerError, Refused
from reconciler.model.checkpoint import Kept
from reconciler.model.checkpointing import RehearsalSpec
from reconciler.model.spec import Spec
from reconciler.stores import directory
from tests.stores.conftest import here
from tests.stores.test_shelves import Fleet, fleet, shop, specs

__all__ = ["fleet", "shop"]
UNHEALTHY = CommandFailed("web is not healthy", code="C334", where="h2")


class Stage:
    """What was restored and discarded. `fails`, `stays`: why it is not."""

    def __init__(self) -> None:
        self.made: list[RestoreCopy] = []
        self.gone: list[str] = []
        self.fails: ReconcilerError | None = None
        self.stays: ReconcilerError | None = None

    async def restore(self, job: RestoreCopy, *_: Any) -> Restored:
        self.made.append(job)
        job.on = job.on or "h1"
        if self.fails:
            raise self.fails
        return Restored(None, job.on, 7, 1.0, copy=f"{job.name}--copy")  # type: ignore[arg-type]

    async def discard(self, job: Discard, *_: Any) -> Discarded:
        self.gone += job.names
        if self.stays:
            raise self.stays
        return Discarded(())


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fleet: Fleet, shop: Callable[..., Kept]) -> Stage:
    made = Stage()

    @asynccontextmanager
    async def opened(*_: Any) -> AsyncIterator[Fleet]:
        yield fleet

    at = shop(1).at
    for module in (practising, due, kept):
        monkeypatch.setattr(module, "open_fleet", opened)
    for module in (kept, due):
        monkeypatch.setattr(module, "stock", lambda *_: _found(at))
    monkeypatch.setattr(practising, "Outside", lambda found, warn: type("Outside", (), {"fleet": found}))
    monkeypatch.setattr(RestoreCopy, "apply", lambda job, *a: made.restore(job, *a))
    monkeypatch.setattr(Discard, "on", lambda job, *a: made.discard(job, *a))
    return made


async def _found(at: Any) -> FoundKept:
    return FoundKept(tuple(here(directory.listed(at))), {})


def tried(tmp_path: Path, reference: str = "web@latest", on: str = "h2") -> tuple[Verified, RehearseKept]:
    job = RehearseKept(specs(), reference, on, journal_path=tmp_path / "journal")
    return asyncio.run(job()), job


def noted(tmp_path: Path) -> Kept:
    (found,) = here(directory.listed(directory.KeptAt("h1", str(tmp_path / "one"))))
    return found


def test_what_comes_up_is_noted_and_gone(tmp_path: Path, stage: Stage) -> None:
    done, job = tried(tmp_path)
    (made,) = stage.made
    assert made.strict and made.on == "h2" and made.reference == f"web@{done.kept.id}" and 0 < made.keep <= 3600
    assert stage.gone == [copy_of(done.kept)] and job.untidied == []
    found = noted(tmp_path).rehearsed
    assert found is not None and found.ok and found.host == "h2" and done.well
    assert "; rehearsed on h2 at 20" in render_verified(Verification((done,), {}))


def test_what_does_not_come_up_is_noted_with_the_reason(tmp_path: Path, stage: Stage) -> None:
    stage.fails = UNHEALTHY
    done, _ = tried(tmp_path, on="")
    found = noted(tmp_path).rehearsed
    assert found is not None and found.why == str(UNHEALTHY) and found.host == "h1"
    assert not done.well and not done.wrong and stage.gone == []
    assert "did not come up when it was rehearsed on h1" in render_verified(Verification((done,), {}))


def test_what_is_damaged_is_not_restored(tmp_path: Path, stage: Stage) -> None:
    Path(noted(tmp_path).folder, "images.tar").write_bytes(b"pagez")
    done, _ = tried(tmp_path)
    found = noted(tmp_path).rehearsed
    assert done.wrong and not stage.made and found is not None and "is damaged" in found.why and found.host == ""


@pytest.mark.parametrize(
    "error",
    [
        HostUnreachable("cannot connect", where="h2"),
        Locked("somebody works on h2", where="h2"),
        Refused("it cannot be restored there", code="P452"),
        CommandFailed("the repository of vault cannot be used", code="C382"),
    ],
)
def test_what_keeps_it_from_being_tried_says_nothing_of_it(
    tmp_path: Path, stage: Stage, error: ReconcilerError
) -> None:
    stage.fails = error
    with pytest.raises(type(error)):
        tried(tmp_path)
    assert noted(tmp_path).rehearsed is None


def test_a_copy_that_stays_is_told_and_makes_it_no_bad_one(tmp_path: Path, stage: Stage) -> None:
    stage.stays = HostUnreachable("cannot connect", where="h2")
    done, job = tried(tmp_path)
    (left,) = job.untidied
    assert done.well and left.code == "C385" and "stays" in left.text


def test_who_stops_it_while_the_copy_goes_waits_for_that(
    tmp_path: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = RehearseKept(specs(), "web@latest", "h2", journal_path=tmp_path / "journal")

    async def stopped(discard: Discard, *_: Any) -> Discarded:
        job.cancel()
        await asyncio.sleep(0)
        stage.gone += discard.names
        return Discarded(())

    monkeypatch.setattr(Discard, "on", stopped)
    done = asyncio.run(job())
    assert stage.gone == [copy_of(done.kept)] and done.well
    with pytest.raises(asyncio.CancelledError):
        job.cancel()  # nothing is there that would have to go


def test_it_names_one_checkpoint_and_a_host_of_the_specs(tmp_path: Path, stage: Stage) -> None:
    for reference, on in (("web", "h2"), ("web@latest", "h9"), ("db@latest", "h2")):
        with pytest.raises(InputError):
            tried(tmp_path, reference, on)
    assert not stage.made


def by_policy(tmp_path: Path, rehearse: dict[str, Any]) -> Saving:
    made = specs()
    policy = made.checkpoint_policies["few"]
    spec = policy.spec.model_copy(update={"every": "9999d", "rehearse": RehearsalSpec(**rehearse)})
    policies = {"few": policy.model_copy(update={"spec": spec})}
    wanted: Spec = made.model_copy(update={"checkpoint_policies": policies})
    (done,) = asyncio.run(TakeDue(wanted, tmp_path / "journal")())
    return done


def test_what_is_due_is_rehearsed_without_a_watch(tmp_path: Path, stage: Stage) -> None:
    done = by_policy(tmp_path, {"every": "1d", "on": "h2"})
    assert done.error is None and not done.wanting and done.rehearsed is not None
    assert [job.on for job in stage.made] == ["h2"]
    again = by_policy(tmp_path, {"every": "1d", "on": "h2"})
    assert again.rehearsed is None and len(stage.made) == 1


def test_one_that_fails_ends_the_timer_badly(tmp_path: Path, stage: Stage) -> None:
    stage.fails = UNHEALTHY
    done = by_policy(tmp_path, {"every": "1d"})
    assert done.wanting and done.error is None and done.rehearsed and not done.rehearsed.rehearsed.ok  # type: ignore[union-attr]
    stage.fails = Locked("somebody works on h2", where="h2")
    assert by_policy(tmp_path, {"every": "1ms", "within": "1d"}).error is stage.fails
