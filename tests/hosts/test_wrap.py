"""Wrappers around fleets. Fake: a host that answers, or fails, as the test says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from reconciler.errors import CommandFailed, HostUnreachable, ReconcilerError, ReplyLost
from reconciler.hosts.base import CopyReport, Fleet, Progress
from reconciler.hosts.wrap import (
    About,
    Backoff,
    Fault,
    FaultKind,
    FaultyFleet,
    RetryFleet,
    Traced,
    TraceFleet,
    When,
)
from reconciler.model.command import Archive, Command, Result, Tree

READ = Command(("cat", "/etc/hostname"))
CHANGE = Command(("rm", "-r", "/x"), changes=True)
QUICK = Backoff(tries=4, first=0.001)


class FakeHost:
    """Raises what `fails` holds, first to last, then answers."""

    def __init__(self, name: str, fails: Sequence[ReconcilerError]) -> None:
        self.name = name
        self.fails = list(fails)
        self.ran: list[Command] = []
        self.at_once = self.most = 0

    async def run(self, command: Command) -> Result:
        self.ran.append(command)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0.001)
        self.at_once -= 1
        if self.fails:
            raise self.fails.pop(0)
        return Result(0, "ok")


class FakeFleet:
    def __init__(self, *fails: ReconcilerError) -> None:
        self.fake = FakeHost("h1", fails)

    def host(self, name: str) -> FakeHost:
        return self.fake

    async def open_link(self, source: str, destination: str, key: str, compression: str = "auto") -> None:
        await self.fake.run(Command(("open",)))

    async def cancel_copy(self, source, destination, key):
        return None

    async def feed(self, source: str, destination: str, key: str, images: Tree) -> None:
        await self.fake.run(Command(("feed",)))

    async def prepare_copy(
        self, source: str, destination: str, key: str, pairs: Sequence[tuple[Tree, Tree]]
    ) -> None:
        await self.fake.run(Command(("prepare",)))

    async def copy_trees(
        self, source: str, destination: str, key: str, pairs: Sequence[tuple[Tree, Tree]], progress: Progress
    ) -> CopyReport:
        await self.fake.run(Command(("copy",)))
        return CopyReport(1, 1.0, "direct")

    async def copy_image(
        self, source: str, destination: str, key: str, archive: Archive, progress: Progress
    ) -> CopyReport:
        await self.fake.run(Command(("image",)))
        return CopyReport(1, 1.0, "direct")

    async def close_link(self, source: str, destination: str, key: str) -> None:
        await self.fake.run(Command(("close",)))

    async def close(self) -> None:
        self.fake.name = "closed"


def gone() -> HostUnreachable:
    return HostUnreachable("gone", where="h1")


def lost() -> ReplyLost:
    return ReplyLost("lost", where="h1")


@pytest.mark.parametrize(
    ("command", "fails", "times"),
    [
        (READ, [lost(), lost(), lost()], 4),
        (CHANGE, [], 1),
    ],
)
async def test_retry_until_it_works(command: Command, fails: list[ReconcilerError], times: int) -> None:
    inner = FakeFleet(*fails)
    noted: list[ReconcilerError] = []
    fleet: Fleet = RetryFleet(inner, QUICK, lambda about, error: noted.append(error))
    assert (await fleet.host("h1").run(command)).stdout == "ok"
    assert len(inner.fake.ran) == times
    assert noted == fails


@pytest.mark.parametrize(
    ("command", "fails", "times"),
    [
        (CHANGE, [lost()], 1),
        (READ, [CommandFailed("no")], 1),
        (READ, [gone()], 1),
        (READ, [lost(), gone()], 2),
        (READ, [lost() for _ in range(9)], 4),
    ],
)
async def test_retry_gives_up(command: Command, fails: list[ReconcilerError], times: int) -> None:
    inner = FakeFleet(*fails)
    with pytest.raises(type(fails[-1])):
        await RetryFleet(inner, QUICK).host("h1").run(command)
    assert len(inner.fake.ran) == times


@pytest.mark.parametrize(
    ("fails", "times"),
    [
        ([lost(), lost()], 3),
        ([CommandFailed("differs", code="C320")], 2),
        ([CommandFailed("broke off", code="C323")], 2),
        ([CommandFailed("differs", code="C320"), CommandFailed("differs", code="C320")], 2),
        ([CommandFailed("disk full", code="C322")], 1),
    ],
)
async def test_copies_start_again(fails: list[ReconcilerError], times: int) -> None:
    inner = FakeFleet(*fails)
    await asyncio.gather(
        RetryFleet(inner, QUICK).copy_trees("h1", "h2", "k", [], lambda count: None), return_exceptions=True
    )
    assert len(inner.fake.ran) == times


async def test_trace_tells_all_but_secrets() -> None:
    inner = FakeFleet(CommandFailed("no", exit_code=3), lost())
    noted: list[Traced] = []
    fleet = TraceFleet(inner, noted.append)
    for _ in range(2):
        with pytest.raises(ReconcilerError):
            await fleet.host("h1").run(READ)
    await fleet.host("h1").run(Command(("login", "hunter2000"), stdin=b"swordfish", secret=True))
    await fleet.open_link("h1", "h2", "k")
    assert [(t.status, t.error) for t in noted] == [(3, "C300"), (None, "C301"), (0, ""), (None, "")]
    assert noted[0].argv == READ.argv
    assert noted[3].about == "open_link"
    assert "hunter2000" not in str(noted)
    assert "swordfish" not in str(noted)


def on(when: When, word: str, fault: Fault) -> Callable[[When, About], Fault | None]:
    def rule(now: When, about: About) -> Fault | None:
        hit = now is when and isinstance(about.command, Command) and about.command.argv[0] == word
        return fault if hit else None

    return rule


@pytest.mark.parametrize(
    ("when", "kind", "error", "ran"),
    [
        (When.BEFORE, FaultKind.UNREACHABLE, HostUnreachable, 0),
        (When.BEFORE, FaultKind.LOST, ReplyLost, 0),
        (When.AFTER, FaultKind.LOST, ReplyLost, 1),
        (When.AFTER, FaultKind.UNREACHABLE, ReplyLost, 1),
    ],
)
async def test_faults_keep_the_errors_promises(
    when: When, kind: FaultKind, error: type[Exception], ran: int
) -> None:
    inner = FakeFleet()
    fleet = FaultyFleet(inner, on(when, "rm", Fault(kind)))
    with pytest.raises(error):
        await fleet.host("h1").run(CHANGE)
    assert len(inner.fake.ran) == ran
    assert (await fleet.host("h1").run(READ)).stdout == "ok"


async def test_a_blow_falls_at_its_moment() -> None:
    inner = FakeFleet()
    seen: list[int] = []

    async def blow() -> None:
        seen.append(len(inner.fake.ran))

    fleet = FaultyFleet(inner, on(When.AFTER, "rm", Fault(delay=0.001, blow=blow)))
    await fleet.host("h1").run(CHANGE)
    assert seen == [1]


async def test_wrappers_compose_and_close() -> None:
    inner = FakeFleet(lost())
    noted: list[Traced] = []
    fleet = TraceFleet(RetryFleet(inner, QUICK), noted.append)
    await fleet.host("h1").run(READ)
    await fleet.copy_image("h1", "h2", "k", Archive("abc", (), (), ""), lambda count: None)
    await fleet.close_link("h1", "h2", "k")
    await fleet.close()
    assert [t.about for t in noted] == ["run", "copy_image", "close_link"]
    assert len(inner.fake.ran) == 4
    assert inner.fake.name == "closed"
