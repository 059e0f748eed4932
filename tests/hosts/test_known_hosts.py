"""Keys of hosts whose spec has none: known_hosts is read, a person confirms, and nothing is learned by itself."""

# The server is another process: blocking for a moment holds up nobody.
# ruff: noqa: ASYNC221, ASYNC240

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.errors import HostKeyError
from reconciler.hosts.link import known_hosts
from reconciler.hosts.ssh import SshFleet
from reconciler.hosts.ssh.known import KnownHosts
from reconciler.load import load
from reconciler.model.command import Command
from tests.hosts.conftest import Server, keygen

TRUE = Command(("true",))
RECONCILE = Path(sys.executable).with_name("reconcile")


def key_of(server: Server) -> str:
    return " ".join((server.folder / "host_key.pub").read_text().split()[:2])


async def connects(server: Server, text: str) -> SshFleet:
    """Connect to a host without a key in its spec, with these lines in known_hosts."""
    file = server.folder / "known_hosts"
    file.write_text(text)
    host = server.spec(hostKey=None)
    fleet = SshFleet({"here": host}, known=KnownHosts([server.folder / "none", file]))
    try:
        await fleet.host("here").run(TRUE)
    finally:
        await fleet.close()
    return fleet


async def test_a_known_host_is_trusted_and_its_key_is_handed_over(server: Server) -> None:
    fleet = await connects(server, f"[127.0.0.1]:{server.port} {key_of(server)}\n")
    assert key_of(server) in known_hosts(fleet.host("here").spec), "the other host is told, too"


async def test_hashed_names_are_found(server: Server) -> None:
    file = server.folder / "known_hosts"
    file.write_text(f"[127.0.0.1]:{server.port} {key_of(server)}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", file], check=True, capture_output=True)
    assert "127.0.0.1" not in file.read_text()
    await connects(server, file.read_text())


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("", "neither the spec nor known_hosts"),
        ("elsewhere.example {key}\n", "neither the spec nor known_hosts"),
        ("[127.0.0.1]:{port} {other}\n", "presents the key"),
        ("[127.0.0.1]:{port} {key}\n@revoked [127.0.0.1]:{port} {key}\n", "neither the spec nor known_hosts"),
        ("\x00 nonsense", "neither the spec nor known_hosts"),
    ],
    ids=["empty", "another host", "another key", "revoked", "damaged"],
)
async def test_others_are_refused_and_nothing_is_learned(server: Server, lines: str, says: str) -> None:
    other = " ".join(Path(f"{keygen(server.folder / 'other')}.pub").read_text().split()[:2])
    text = lines.format(key=key_of(server), other=other, port=server.port)
    with pytest.raises(HostKeyError, match=says):
        await connects(server, text)
    assert (server.folder / "known_hosts").read_text() == text


def add(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [RECONCILE, "hosts", "add", *arguments],
        cwd=folder,
        env=os.environ | {"NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_host_is_added_only_with_a_confirmed_fingerprint(server: Server, tmp_path: Path) -> None:
    shown = subprocess.run(
        ["ssh-keygen", "-lf", server.folder / "host_key.pub"], capture_output=True, text=True, check=True
    ).stdout.split()[1]
    folder = tmp_path / "repository"
    folder.mkdir()
    place = ("here", "127.0.0.1", "--port", str(server.port))
    for arguments in (place, (*place, "--fingerprint", "SHA256:another")):
        refused = add(folder, *arguments)
        assert refused.returncode == 4 and shown in refused.stderr
        assert list(folder.iterdir()) == []
    assert add(folder, *place, "--fingerprint", shown).returncode == 0
    spec = load([folder], allow_empty=True).hosts["here"].spec
    assert (spec.host_key, spec.port) == (key_of(server), server.port)
    again = add(folder, "here", "--fingerprint", shown)
    assert again.returncode == 4 and "has a host key" in again.stderr
    file = folder / "specs" / "hosts.yaml"
    file.write_text("# kept\n" + "".join(x for x in file.read_text().splitlines(True) if "hostKey" not in x))
    assert add(folder, "here", "--fingerprint", shown).returncode == 0
    assert file.read_text().startswith("# kept\n")
    assert load([folder], allow_empty=True).hosts["here"].spec.host_key == key_of(server)


def test_what_cannot_be_a_host_is_refused_before_anybody_is_asked(tmp_path: Path) -> None:
    assert add(tmp_path, "UPPER", "127.0.0.1").returncode == 4
    assert add(tmp_path, "here").returncode == 4
    nobody = add(tmp_path, "here", "127.0.0.1", "--port", "1")
    assert nobody.returncode == 7 and "cannot ask for the host's key" in nobody.stderr
