"""Commands arrive as they were given, answers come back as they were printed, and ends are told apart."""

# The server is another process: blocking for a moment holds up nobody.
# ruff: noqa: ASYNC110

from __future__ import annotations

import asyncio
import getpass
import json
import os
import time
from pathlib import Path

import pytest

from reconciler.errors import CommandFailed, HostError, HostUnreachable, ReplyLost
from reconciler.hosts import shell
from reconciler.model.command import Command
from tests.hosts.conftest import Fleets, Server

NASTY = ("", " ", "a b", "'", '"', "$(id)", "`id`", "\\", "*", "!", "~", "-n", "--", "a\nb", "é", "#", ";rm", "&")


def reads(*argv: str, **more: object) -> Command:
    return Command(argv, **more)  # type: ignore[arg-type]


def alive(pid: int) -> bool:
    """Whether it runs: what nobody has reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_arguments_arrive_unchanged(server: Server, fleets: Fleets) -> None:
    host = fleets(server.spec()).host("here")
    result = await host.run(reads("printf", "%s\\0", *NASTY))
    assert tuple(result.stdout.split("\0")[:-1]) == NASTY


async def test_start_up_noise_is_no_answer(server: Server, fleets: Fleets) -> None:
    (server.home / ".bashrc").write_text("echo 'Welcome!'; echo warning >&2; export LC_ALL=de_DE.UTF-8\n")
    host = fleets(server.spec()).host("here")
    result = await host.run(reads("sh", "-c", 'echo "{\\"lc\\": \\"$LC_ALL\\"}"; echo mine >&2'))
    assert json.loads(result.stdout) == {"lc": "C"}
    assert result.stderr == "mine\n"


async def test_a_shell_that_runs_nothing_is_a_host_error(server: Server, fleets: Fleets) -> None:
    (server.home / ".bashrc").write_text("echo 'This account is not available.'; exit 1\n")
    with pytest.raises(HostError, match="login shell") as caught:
        await fleets(server.spec()).host("here").run(reads("true"))
    assert "not available" in caught.value.why


async def test_stdin_and_large_output(server: Server, fleets: Fleets) -> None:
    host = fleets(server.spec()).host("here")
    data = os.urandom(300_000).hex().encode()
    assert (await host.run(reads("cat", stdin=data))).stdout.encode() == data


async def test_too_much_output_is_refused(server: Server, fleets: Fleets) -> None:
    host = fleets(server.spec(), output=100_000).host("here")
    with pytest.raises(CommandFailed) as caught:
        await host.run(reads("cat", "/dev/zero"))
    assert caught.value.code == "C303"
    assert (await host.run(reads("echo", "still here"))).stdout == "still here\n"


async def test_failure_keeps_status_stderr_and_the_log(server: Server, fleets: Fleets) -> None:
    log = server.folder / "runtime.log"
    log.write_text("start\n(00.1) Error (criu/x.c:1): no such feature\nbye\n" + "detail\n" * 50)
    host = fleets(server.spec()).host("here")
    with pytest.raises(CommandFailed) as caught:
        await host.run(reads("sh", "-c", "echo oops >&2; exit 7", log=str(log)))
    assert (caught.value.status, caught.value.stderr) == (7, "oops")
    assert caught.value.log_tail == "(00.1) Error (criu/x.c:1): no such feature"
    assert (await host.run(reads("sh", "-c", "exit 7", ok=(0, 7)))).status == 7


async def test_death_by_signal_is_a_status(server: Server, fleets: Fleets) -> None:
    with pytest.raises(CommandFailed) as caught:
        await fleets(server.spec()).host("here").run(reads("sh", "-c", "kill -9 $$"))
    assert caught.value.status == 137


async def test_secrets_stay_out_of_errors(server: Server, fleets: Fleets) -> None:
    command = reads("sh", "-c", "cat >&2; exit 3", "sh", "hunter2000", stdin=b"swordfish\n", secret=True)
    with pytest.raises(CommandFailed) as caught:
        await fleets(server.spec()).host("here").run(command)
    told = f"{caught.value} {caught.value.argv} {caught.value.stderr} {caught.value.why}"
    assert "hunter2000" not in told
    assert "swordfish" not in told
    assert caught.value.status == 3


@pytest.mark.parametrize(("changes", "error"), [(False, CommandFailed), (True, ReplyLost)])
async def test_time_out_ends_the_command_on_the_host(
    server: Server, fleets: Fleets, changes: bool, error: type[Exception]
) -> None:
    host = fleets(server.spec()).host("here")
    note = server.folder / "pid"
    script = f"trap '' TERM; sleep 300 & echo $! > {note}; wait; sleep 300"
    with pytest.raises(error) as caught:
        await host.run(reads("sh", "-c", script, timeout=0.5, changes=changes))
    assert getattr(caught.value, "code", "") == "C302"
    pid = int(note.read_text())
    await asyncio.sleep(0.1)
    assert not alive(pid)


async def test_cancelling_ends_the_command_on_the_host(server: Server, fleets: Fleets) -> None:
    host = fleets(server.spec()).host("here")
    note = server.folder / "pid"
    task = asyncio.create_task(host.run(reads("sh", "-c", f"echo $$ > {note}; exec sleep 300")))
    while not note.exists() or not note.read_text():
        await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not alive(int(note.read_text()))


async def test_attached_commands_learn_that_we_are_gone(server: Server, fleets: Fleets) -> None:
    fleet = fleets(server.spec())
    seen: list[str] = []
    script = f"echo started; cat > /dev/null; touch {server.folder}/noticed; echo 2"
    task = asyncio.create_task(fleet.host("here").run_attached(reads("sh", "-c", script), seen.append))
    while not seen:
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.2)
    assert not (server.folder / "noticed").exists()
    await fleet.close()
    with pytest.raises(ReplyLost):
        await task
    for _ in range(50):
        await asyncio.sleep(0.05)
        if (server.folder / "noticed").exists():
            return
    raise AssertionError("the command did not notice")


async def test_a_lost_connection_is_a_lost_reply_then_made_again(server: Server, fleets: Fleets) -> None:
    host = fleets(server.spec()).host("here")
    await host.run(reads("true"))
    task = asyncio.create_task(host.run(reads("sleep", "300")))
    await asyncio.sleep(0.3)
    server.drop()
    with pytest.raises(ReplyLost):
        await task
    assert (await host.run(reads("echo", "again"))).stdout == "again\n"


async def test_a_stopped_server_is_unreachable_in_plain_words(server: Server, fleets: Fleets) -> None:
    host = fleets(server.spec()).host("here")
    await host.run(reads("true"))
    server.stop()
    await asyncio.sleep(0.1)
    with pytest.raises(HostUnreachable, match="refused the connection"):
        await host.run(reads("true"))


async def test_a_silent_host_is_noticed(server: Server, fleets: Fleets) -> None:
    """Half-open: the peer stops answering, nothing says so."""
    host = fleets(server.spec(), keepalive=0.3, missed=2).host("here")
    await host.run(reads("true"))
    task = asyncio.create_task(host.run(reads("sleep", "300", timeout=60)))
    await asyncio.sleep(0.3)
    frozen = server.connections()
    for pid in frozen:
        os.kill(pid, 19)
    started = time.monotonic()
    with pytest.raises(ReplyLost):
        await task
    assert time.monotonic() - started < 5
    for pid in frozen:
        os.kill(pid, 18)


async def test_many_at_once(server: Server, fleets: Fleets) -> None:
    host = fleets(server.spec()).host("here")
    results = await asyncio.gather(*(host.run(reads("echo", str(n))) for n in range(100)))
    assert [result.stdout.strip() for result in results] == [str(n) for n in range(100)]
    assert len(server.sessions()) == 1


SUDO = 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"'


async def test_sudo_wraps_the_command_alone(server: Server, fleets: Fleets) -> None:
    server.command("sudo", f'printf "%s\\n" "$*" > {server.folder}/asked; {SUDO}')
    result = await fleets(server.spec(sudo=True)).host("here").run(reads("echo", "hello there"))
    assert result.stdout == "hello there\n"
    assert (server.folder / "asked").read_text() == "-n -- echo hello there\n"


async def test_sudo_that_wants_a_password_says_what_to_add(server: Server, fleets: Fleets) -> None:
    server.command("sudo", "echo 'sudo: a password is required' >&2; exit 1")
    with pytest.raises(HostError, match="sudo asks for a password") as caught:
        await fleets(server.spec(sudo=True)).host("here").run(reads("true", changes=True))
    assert f"{getpass.getuser()} ALL=(root) NOPASSWD:" in caught.value.fix


def test_lines_that_hosts_cannot_take_are_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        shell.line(("a\0b",), "t")
    with pytest.raises(HostError, match="too long") as caught:
        shell.line(("podman", "run", "--env", "A=" + "x" * 200_000), "t")
    assert caught.value.code == "H218" and "xxx" not in str(caught.value)


async def test_a_script_that_fails_is_named_and_not_recited(server: Server, fleets: Fleets) -> None:
    host = fleets(server.spec()).host("here")
    with pytest.raises(CommandFailed) as caught:
        await host.run(reads("/bin/sh", "-c", "echo oops >&2; exit 3", "look-around", "/srv"))
    assert caught.value.what == "`/bin/sh look-around` ended with status 3"
    assert caught.value.why == "oops"
