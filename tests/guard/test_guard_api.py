"""guard.py against the real scripts, on this machine under another root folder."""

# ruff: noqa: ASYNC220, ASYNC221, ASYNC240 -- nothing else runs in these event loops

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from reconciler.errors import CommandFailed, GuardRefused, InputError
from reconciler.guard import guard, leases
from reconciler.hosts.base import pump
from reconciler.model.command import Command, Fence, Program, Result
from reconciler.model.plan import Phase
from reconciler.model.spec import Cutover

CRIU = str(Path(__file__).parent / "fakecriu.sh")


class LocalHost:
    """Runs commands here, as hosts do."""

    name = "here"

    def __init__(self, root: Path) -> None:
        self.env = dict(os.environ, RECONCILER_ROOT=str(root))
        self.commands: list[Command] = []

    async def run(self, command: Command) -> Result:
        self.commands.append(command)
        done = subprocess.run(command.argv, input=command.stdin, capture_output=True, env=self.env)
        if done.returncode not in command.ok:
            raise CommandFailed(
                "it failed",
                argv=command.argv,
                exit_code=done.returncode,
                stderr=done.stderr.decode(),
                where=self.name,
            )
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalHost:
    monkeypatch.setattr(guard, "ROOT", str(tmp_path / "root"))
    return LocalHost(tmp_path / "root")


@pytest.fixture
async def ready(here: LocalHost) -> LocalHost:
    await pump(guard.install(), here)
    return here


FENCE = Fence("web", 3)


async def test_install_is_idempotent_and_repairs(here: LocalHost) -> None:
    assert await pump(guard.show(), here) == ()
    await pump(guard.install(), here)
    path = Path(guard.guard_path())
    assert path.stat().st_mode & 0o777 == 0o700
    assert path.parent.stat().st_mode & 0o777 == 0o700
    written = path.stat().st_mtime_ns
    await pump(guard.install(), here)
    assert path.stat().st_mtime_ns == written
    path.write_text("truncated")
    await pump(guard.install(), here)
    assert path.read_bytes() == guard._script("guard")[1]
    assert sorted(p.name.split("-")[0] for p in path.parent.iterdir()) == ["guard", "hook"]


async def test_a_cut_off_install_leaves_nothing_behind_that_runs(here: LocalHost) -> None:
    command = next(guard.install())
    assert isinstance(command, Command)
    cut = Command(command.argv, stdin=command.stdin[:1000])
    with pytest.raises(CommandFailed):
        await here.run(cut)
    assert not Path(guard.guard_path()).exists()


async def test_markers(ready: LocalHost) -> None:
    await pump(guard.mark(FENCE, Phase.RESERVED, "source", run="r1", peer="h2"), ready)
    (marker,) = await pump(guard.markers(), ready)
    assert (marker.workload, marker.epoch, marker.phase, marker.role) == ("web", 3, "reserved", "source")
    assert (marker.run, marker.peer, marker.broken) == ("r1", "h2", "")
    (shown,) = await pump(guard.show("web"), ready)
    assert shown.marker == marker
    assert shown.hook == guard.Hook()
    assert await pump(guard.show("db"), ready) == ()
    with pytest.raises(GuardRefused) as caught:
        await pump(guard.mark(Fence("web", 2), Phase.RUNNING, "owner"), ready)
    assert caught.value.code == guard.LOWER_EPOCH
    assert caught.value.where == "here"
    Path(guard.workload_dir("web"), "marker").write_text("torn")
    (marker,) = await pump(guard.markers(), ready)
    assert "cut short" in marker.broken
    with pytest.raises(GuardRefused) as caught:
        await pump(guard.run(FENCE, guard.ANY, ["true"]), ready)
    assert caught.value.code == guard.MARKER_BROKEN


async def test_run(ready: LocalHost) -> None:
    result = await pump(guard.run(FENCE, (guard.NONE, Phase.RUNNING), ["cat"], stdin=b"x"), ready)
    assert result.stdout == "x"
    with pytest.raises(GuardRefused) as refused:
        await pump(guard.run(FENCE, (Phase.COMMITTED,), ["true"]), ready)
    assert refused.value.code == guard.WRONG_PHASE
    with pytest.raises(CommandFailed) as failed:
        await pump(guard.run(FENCE, guard.ANY, ["sh", "-c", "exit 75"]), ready)
    assert failed.value.status == 75  # the command's own, not the guard's


@pytest.mark.parametrize("name", ["a b", "../x", "$(id)", "-x", ""])
async def test_bad_names_never_reach_a_host(here: LocalHost, name: str) -> None:
    for program in (
        guard.mark(Fence(name, 1), Phase.RUNNING, "owner"),
        guard.clean(name),
        leases.take(name, "o", 1),
    ):
        with pytest.raises(InputError):
            await pump(program, here)
    with pytest.raises(InputError):
        await pump(guard.mark(FENCE, Phase.RUNNING, "owner", run="a\nb"), here)
    assert here.commands == []


async def test_a_hold_from_start_to_release(ready: LocalHost) -> None:
    process = subprocess.Popen(["sleep", "60"])
    assert await pump(guard.install_hook("web", "tasks-of-web"), ready) == guard.hook_path("web")
    argv = [CRIU, guard.workload_dir("web"), str(process.pid)]

    def hold(fence: Fence) -> Program[guard.HoldOutcome]:
        return guard.hold(
            fence,
            argv,
            cutover=Cutover.TRANSACTIONAL,
            silence_s=30,
            freeze_s=60,
            fence_network=False,
            run="r1",
            peer="h2",
            timeout=30,
        )

    assert (await pump(hold(FENCE), ready)).what == "held"
    assert (await pump(guard.beat(["web"]), ready))["web"].state == "held"
    assert (await pump(guard.resume(FENCE), ready)).what == "resumed"
    with pytest.raises(GuardRefused) as caught:
        await pump(guard.commit(FENCE), ready)
    assert caught.value.code == guard.RESUMED
    fence = Fence("web", 4)
    await pump(hold(fence), ready)
    await pump(guard.commit(fence), ready)
    (shown,) = await pump(guard.show("web"), ready)
    assert (shown.hook.state, shown.hook.verdict) == ("held", "commit")
    with pytest.raises(GuardRefused) as caught:
        await pump(guard.resume(fence), ready)
    assert caught.value.code == guard.COMMITTED
    ended = await pump(guard.release(fence), ready)
    assert (ended.what, ended.status, ended.tail) == ("exited", 0, "dumped")
    await pump(guard.clean("web"), ready)
    process.wait()


async def test_leases(ready: LocalHost) -> None:
    await pump(leases.take("web", "anna@ci/1-2-3", 30), ready)
    lease = await pump(leases.show("web"), ready)
    assert lease is not None
    assert lease.owner == "anna@ci/1-2-3"
    assert 25 < lease.left_s <= 30
    with pytest.raises(GuardRefused) as caught:
        await pump(leases.take("web", "bert", 30), ready)
    assert caught.value.code == guard.LEASED
    await pump(leases.beat("web", "anna@ci/1-2-3"), ready)
    await pump(leases.drop("web", "anna@ci/1-2-3"), ready)
    assert await pump(leases.show("web"), ready) is None
