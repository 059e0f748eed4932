"""Whom we talk to: keys and certificates of the spec and no others; whom we come as; and the way there."""

# The server is another process: blocking for a moment holds up nobody.
# ruff: noqa: ASYNC220, ASYNC221, ASYNC240

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from reconciler.errors import HostError, HostKeyError, HostUnreachable
from reconciler.model.command import Command
from tests.hosts.conftest import Fleets, Server, host_doc, keygen

TRUE = Command(("true",))


def fingerprint(public: Path) -> str:
    done = subprocess.run(["ssh-keygen", "-lf", public], capture_output=True, text=True, check=True)
    return done.stdout.split()[1]


def certify(server: Server, *options: str) -> Path:
    """Sign the server's key and make it present the certificate; returns the CA's public key."""
    authority = keygen(server.folder / "ca")
    sign: list[str | Path] = [
        "ssh-keygen",
        "-q",
        "-s",
        authority,
        "-I",
        "test",
        "-h",
        *options,
        f"{server.host_key}.pub",
    ]
    subprocess.run(sign, check=True)
    server.stop()
    server.start(f"HostCertificate {server.host_key}-cert.pub")
    return Path(f"{authority}.pub")


async def test_unknown_host_key_shows_its_fingerprint_and_how_to_add_it(server: Server, fleets: Fleets) -> None:
    with pytest.raises(HostKeyError) as caught:
        await fleets(server.spec(hostKey=None)).host("here").run(TRUE)
    assert fingerprint(server.folder / "host_key.pub") in caught.value.what
    assert "hostKey: ssh-ed25519 AAAA" in caught.value.fix


async def test_changed_host_key_shows_both_fingerprints(server: Server, fleets: Fleets) -> None:
    other = keygen(server.folder / "other")
    with pytest.raises(HostKeyError) as caught:
        await fleets(server.spec(hostKey=Path(f"{other}.pub").read_text().strip())).host("here").run(TRUE)
    for key in ("host_key.pub", "other.pub"):
        assert fingerprint(server.folder / key) in caught.value.what


async def test_a_key_of_another_type_is_a_changed_key(server: Server, fleets: Fleets) -> None:
    keygen(server.folder / "rsa", "-t", "rsa")
    with pytest.raises(HostKeyError, match="presents the key"):
        await fleets(server.spec(hostKey=(server.folder / "rsa.pub").read_text().strip())).host("here").run(TRUE)


async def test_a_key_that_is_none_is_refused(server: Server, fleets: Fleets) -> None:
    with pytest.raises(HostKeyError, match="not a public key"):
        await fleets(server.spec(hostKey="ssh-ed25519 nonsense")).host("here").run(TRUE)


async def test_certificate_of_the_ca(server: Server, fleets: Fleets) -> None:
    public = certify(server, "-n", "127.0.0.1")
    await fleets(server.spec(hostKey=None, hostCa=public.read_text().strip())).host("here").run(TRUE)


@pytest.mark.parametrize(
    "options",
    [("-n", "127.0.0.1", "-V", "-2d:-1d"), ("-n", "elsewhere.example")],
    ids=["expired", "another name"],
)
async def test_certificates_that_do_not_hold(server: Server, fleets: Fleets, options: tuple[str, ...]) -> None:
    public = certify(server, *options)
    with pytest.raises(HostKeyError, match="certificate is not valid"):
        await fleets(server.spec(hostKey=None, hostCa=public.read_text().strip())).host("here").run(TRUE)


async def test_certificate_of_another_ca(server: Server, fleets: Fleets) -> None:
    certify(server, "-n", "127.0.0.1")
    other = keygen(server.folder / "other")
    spec = server.spec(hostKey=None, hostCa=Path(f"{other}.pub").read_text().strip())
    with pytest.raises(HostKeyError, match="is signed by"):
        await fleets(spec).host("here").run(TRUE)


async def test_a_plain_key_where_a_certificate_is_wanted(server: Server, fleets: Fleets) -> None:
    other = keygen(server.folder / "ca")
    spec = server.spec(hostKey=None, hostCa=Path(f"{other}.pub").read_text().strip())
    with pytest.raises(HostKeyError, match="only certificates"):
        await fleets(spec).host("here").run(TRUE)


async def test_a_key_the_host_does_not_accept(server: Server, fleets: Fleets) -> None:
    other = keygen(server.folder / "other")
    with pytest.raises(HostError, match="does not accept our key"):
        await fleets(server.spec(identityFile=str(other))).host("here").run(TRUE)


async def test_no_key_at_all(server: Server, fleets: Fleets, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that lie in ~/.ssh are not offered."""
    home = server.folder / "controller"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "id_ed25519").write_bytes(server.identity.read_bytes())
    (home / ".ssh" / "id_ed25519").chmod(0o600)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with pytest.raises(HostError, match="no key to log in with"):
        await fleets(server.spec(identityFile=None)).host("here").run(TRUE)


async def test_an_agent_s_key(server: Server, fleets: Fleets, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(server.folder / "agent")
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", path)
        for _ in range(50):
            if Path(path).exists():
                break
            subprocess.run(["sleep", "0.05"], check=True)
        with pytest.raises(HostError, match="holds no key"):
            await fleets(server.spec(identityFile=None)).host("here").run(TRUE)
        subprocess.run(["ssh-add", "-q", server.identity], check=True)
        await fleets(server.spec(identityFile=None)).host("here").run(TRUE)
    finally:
        agent.kill()
        agent.wait()


async def test_a_key_file_with_a_passphrase(server: Server, fleets: Fleets) -> None:
    locked = keygen(server.folder / "locked", "-N", "secret")
    with pytest.raises(HostError, match="cannot be used") as caught:
        await fleets(server.spec(identityFile=str(locked))).host("here").run(TRUE)
    assert "agent" in caught.value.fix


async def test_user_s_ssh_configuration_is_not_read(
    server: Server, fleets: Fleets, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = server.folder / "controller"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "config").write_text("Host *\n  Port 1\n  User nobody\n  ProxyCommand false\n")
    monkeypatch.setenv("HOME", str(home))
    await fleets(server.spec()).host("here").run(TRUE)


async def test_through_a_jump_host(server: Server, fleets: Fleets) -> None:
    fleet = fleets(server.spec("door"), server.spec("inside", jump="door"))
    assert (await fleet.host("inside").run(Command(("echo", "in")))).stdout == "in\n"
    assert len(server.sessions()) == 2
    server.drop()
    assert (await _again(fleet.host("inside").run, Command(("echo", "in")))).stdout == "in\n"


async def _again(run, command):
    try:
        return await run(command)
    except HostUnreachable:
        return await run(command)


async def test_a_jump_host_is_checked_too(server: Server, fleets: Fleets) -> None:
    fleet = fleets(server.spec("door", hostKey=None), server.spec("inside", jump="door"))
    with pytest.raises(HostKeyError) as caught:
        await fleet.host("inside").run(TRUE)
    assert caught.value.where == "door"


async def test_nothing_behind_the_jump_host(server: Server, fleets: Fleets) -> None:
    fleet = fleets(server.spec("door"), server.spec("inside", jump="door", port=1))
    with pytest.raises(HostUnreachable, match="jump host door cannot reach"):
        await fleet.host("inside").run(TRUE)


async def test_jump_hosts_in_a_circle(server: Server, fleets: Fleets) -> None:
    fleet = fleets(server.spec("a", jump="b"), server.spec("b", jump="a"))
    with pytest.raises(HostError, match="circle"):
        await fleet.host("a").run(TRUE)


async def test_unreachable_hosts_in_plain_words(server: Server, fleets: Fleets) -> None:
    key = (server.folder / "host_key.pub").read_text().strip()
    common = {"hostKey": key, "identityFile": str(server.identity)}
    fleet = fleets(
        host_doc("refused", address="127.0.0.1", port=1, **common),
        host_doc("unnamed", address="no-such-host.invalid", **common),
        connect=3,
    )
    for name, words in (("refused", "refused the connection"), ("unnamed", "is unknown")):
        with pytest.raises(HostUnreachable) as caught:
            await fleet.host(name).run(TRUE)
        assert words in caught.value.why, caught.value
    with pytest.raises(HostError, match="no spec defines"):
        fleet.host("ghost")


async def test_a_server_that_says_nothing_times_out(server: Server, fleets: Fleets) -> None:
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        fleet = fleets(server.spec(port=silent.getsockname()[1]), connect=0.5)
        with pytest.raises(HostUnreachable, match="no answer"):
            await fleet.host("here").run(TRUE)
