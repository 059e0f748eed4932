"""A source that lies while a link is made. Fake: the hosts, which only answer. Real: the destination's script."""

from __future__ import annotations

import getpass
import os
import subprocess
from pathlib import Path

import pytest

from reconciler.errors import HostError
from reconciler.hosts.link import LinkOptions, open_link
from reconciler.model.command import Command
from reconciler.resources import data_path
from tests.unit.lies import LIES, MARK, Liar, harmless

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43
HONEST = {"from": "192.0.2.7", "public": KEY, "rate": "1e9", "aes": "yes", "zstd": "yes"}


def source(**lies: str) -> Liar:
    """The source of a link, honest but for these facts."""
    facts = {**HONEST, **lies}

    def answer(command: Command) -> str:
        if "prepare" in command.argv:
            return "".join(f"{name} {value}\n" for name, value in facts.items() if name != "rate")
        return f"rate {facts['rate']}\n" if "connect" in command.argv else ""

    return Liar("h1", answer)


def destination() -> Liar:
    return Liar("h2", lambda command: "aes yes\nzstd yes\n" if "admit" in command.argv else "")


async def test_an_honest_source_gets_its_link() -> None:
    far = destination()
    link = await open_link(source(), far, "k", LinkOptions())
    assert not link.why_relay
    admit = next(c for c in far.asked if "admit" in c.argv)
    assert admit.argv[4] == "192.0.2.7"
    assert admit.stdin.decode() == KEY + "\n"


@pytest.mark.parametrize("lie", [*LIES, "0x7f.1", "192.0.2.7 ", "192.0.2.0/24", "::1%eth0", "ssh-rsa AAAA", "inf"])
@pytest.mark.parametrize("field", ["from", "public", "rate"])
async def test_no_lie_reaches_the_destination(field: str, lie: str) -> None:
    far = destination()
    if field == "from" and "\n" in lie:
        await open_link(source(**{field: lie}), far, "k", LinkOptions())  # its first line is an address
    else:
        with pytest.raises(HostError) as caught:
            await open_link(source(**{field: lie}), far, "k", LinkOptions())
        assert caught.value.where == "h1"
        assert harmless(f"{caught.value} {caught.value.fix}")
    assert MARK not in far.told


@pytest.fixture
def admit(tmp_path: Path) -> tuple[Path, dict[str, str], Path]:
    """The script with its folder here, and `getent` answering with a home here."""
    script = tmp_path / "transfer-link"
    text = data_path("templates", "host", "transfer-link.sh").read_text()
    script.write_text(text.replace("LINKS=/run/reconciler/links", f"LINKS={tmp_path}/links"))
    fake = tmp_path / "bin" / "getent"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\necho me:x:0:0::{tmp_path}/home:/bin/sh\n")
    fake.chmod(0o755)
    keys = tmp_path / "home" / ".ssh" / "authorized_keys"
    keys.parent.mkdir(parents=True)
    keys.write_text("ssh-ed25519 AAAA before\n")
    return script, {**os.environ, "PATH": f"{fake.parent}:{os.environ['PATH']}"}, keys


def run(admit: tuple[Path, dict[str, str], Path], came_from: str, command: str, public: str) -> int:
    script, env, _ = admit
    argv = ["sh", script, "admit", "k", getpass.getuser(), came_from, command]
    done = subprocess.run(argv, input=public, env=env, text=True, capture_output=True, check=False)
    return done.returncode


def test_the_line_of_a_link_is_restricted(admit: tuple[Path, dict[str, str], Path]) -> None:
    assert run(admit, "fd00::7", "sudo -n /var/lib/reconciler/bin/transfer-receive-0123", f"{KEY}\n") == 0
    line = admit[2].read_text().splitlines()[-1]
    command = '/var/lib/reconciler/bin/transfer-receive-0123 k \\"$SSH_ORIGINAL_COMMAND\\"'
    assert line == f'restrict,from="fd00::7",command="sudo -n {command}" {KEY} reconciler-link:k'


@pytest.mark.parametrize("lie", [lie for lie in LIES if len(lie) < 10_000 and "\0" not in lie])
@pytest.mark.parametrize("field", ["from", "command", "type", "blob"])
def test_the_script_writes_no_lie(admit: tuple[Path, dict[str, str], Path], field: str, lie: str) -> None:
    """Also where a controller passed one on."""
    kind, blob = KEY.split()
    public = {"type": f"{lie} {blob}\n", "blob": f"{kind} {lie}\n"}.get(field, f"{KEY}\n")
    before = admit[2].read_text()
    command = lie if field == "command" else "/bin/transfer-receive-1"
    assert run(admit, lie if field == "from" else "192.0.2.7", command, public) == 64
    assert admit[2].read_text() == before
