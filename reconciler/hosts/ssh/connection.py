"""Making one connection: who may be on the other end, as whom we log in, and why it did not work, in words."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from reconciler.errors import HostError, HostUnreachable, ReconcilerError
from reconciler.hosts.ssh.keys import HostKeys
from reconciler.model.command import Seconds
from reconciler.model.spec import HostSpec

DROPPED_RETRIES = 3
"""sshd drops connections at random above MaxStartups (10 by default): such a drop is worth another try."""
DROPPED_PAUSE: Seconds = 0.3
CIPHERS = ("aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-gcm@openssh.com", "aes256-ctr")


@dataclass(frozen=True)
class SshLimits:
    """`connect`: for TCP, host key and login together. A dead peer is noticed after `keepalive` x (`missed` + 1).
    `sessions`: commands at once on one host (sshd allows 10). `output`: bytes one command may answer."""

    connect: Seconds = 10.0
    keepalive: Seconds = 5.0
    missed: int = 2
    sessions: int = 8
    connecting: int = 6
    output: int = 64 * 2**20


class _Client(asyncssh.SSHClient):
    """Told about keys that are not trusted; remembers and refuses them."""

    def __init__(self, keys: HostKeys) -> None:
        self._keys = keys

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self._keys.presented = key
        return False

    def validate_host_ca_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self._keys.presented_authority = key
        return False


async def connect(
    name: str, spec: HostSpec, tunnel: asyncssh.SSHClientConnection | None, limits: SshLimits
) -> asyncssh.SSHClientConnection:
    """A connection to the host; HostUnreachable, HostKeyError or HostError say why there is none."""
    for attempt in range(DROPPED_RETRIES):
        keys = HostKeys(name, spec)
        try:
            async with asyncio.timeout(limits.connect):
                return await _open(name, spec, keys, tunnel, limits)
        except (asyncssh.ConnectionLost, ConnectionResetError, BrokenPipeError) as error:
            if attempt + 1 == DROPPED_RETRIES:
                raise _translate(error, name, spec, keys, limits) from error
            await asyncio.sleep(DROPPED_PAUSE * 2**attempt)
        except (asyncssh.Error, OSError) as error:
            raise _translate(error, name, spec, keys, limits) from error
    raise AssertionError("unreachable")


async def _open(
    name: str,
    spec: HostSpec,
    keys: HostKeys,
    tunnel: asyncssh.SSHClientConnection | None,
    limits: SshLimits,
) -> asyncssh.SSHClientConnection:
    async with _credentials(name, spec) as credentials:
        connection, _ = await asyncssh.create_connection(
            lambda: _Client(keys),
            spec.address,
            spec.port,
            tunnel=tunnel or (),
            config=None,
            username=spec.user,
            client_keys=credentials,
            agent_path=None,
            agent_forwarding=False,
            known_hosts=keys.known,
            server_host_key_algs=keys.algorithms,
            preferred_auth="publickey",
            password_auth=False,
            kbdint_auth=False,
            gss_host=None,
            host_based_auth=False,
            x509_trusted_certs=None,
            encryption_algs=[cipher for cipher in CIPHERS if cipher in _supported()],
            compression_algs=None,
            keepalive_interval=limits.keepalive,
            keepalive_count_max=limits.missed,
            login_timeout=limits.connect,
        )
        return connection


@asynccontextmanager
async def _credentials(name: str, spec: HostSpec) -> AsyncIterator[list[asyncssh.SSHKeyPair]]:
    """The keys to offer: the identity file's, else the agent's, which must stay connected until we are in.
    Never those that happen to lie in ~/.ssh."""
    if spec.identity_file is not None:
        yield list(asyncssh.load_keypairs(_identity(name, spec.identity_file)))
        return
    path = os.environ.get("SSH_AUTH_SOCK", "")
    fix = "set spec.identityFile, or start an SSH agent and load a key into it"
    if not path:
        raise HostError("there is no key to log in with", code="H203", where=name, fix=fix)
    try:
        agent = await asyncssh.connect_agent(path)
    except OSError as error:
        raise HostError(
            "the SSH agent does not answer", code="H203", where=name, why=str(error), fix=fix
        ) from error
    try:
        keys = list(await agent.get_keys())
        if not keys:
            raise HostError("the SSH agent holds no key", code="H203", where=name, fix=fix)
        yield list(keys)
    finally:
        agent.close()


def _supported() -> list[str]:
    return [cipher.decode() for cipher in asyncssh.encryption.get_encryption_algs()]


def _identity(name: str, file: str) -> asyncssh.SSHKey:
    path = Path(file).expanduser()
    try:
        return asyncssh.read_private_key(path)
    except OSError as error:
        raise HostError(
            f"the key file {path} cannot be read", code="H203", where=name, why=error.strerror or str(error)
        ) from error
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        raise HostError(
            f"the key file {path} cannot be used",
            code="H203",
            where=name,
            why=str(error),
            fix="keys with a passphrase: leave out identityFile and load the key into an SSH agent",
        ) from error


def _translate(error: Exception, name: str, spec: HostSpec, keys: HostKeys, limits: SshLimits) -> ReconcilerError:
    """The one place where foreign connection errors become ours."""
    place = f"{spec.address} port {spec.port}"
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return keys.error(error)
    if isinstance(error, asyncssh.PermissionDenied):
        return HostError(
            f"{spec.user}@{spec.address} does not accept our key",
            code="H203",
            where=name,
            why=str(error),
            fix=f"add the public key to the authorized_keys of {spec.user}, or set spec.user or spec.identityFile",
        )
    if isinstance(error, TimeoutError):
        why = f"no answer from {place} within {limits.connect:g} s"
    elif isinstance(error, ConnectionRefusedError):
        why = f"{place} refused the connection; is sshd running?"
    elif isinstance(error, socket.gaierror):
        why = f"the name {spec.address} is unknown"
    elif isinstance(error, asyncssh.ChannelOpenError):
        why = f"the jump host {spec.jump} cannot reach {place}: {error.reason}"
    elif isinstance(error, OSError) and error.strerror:
        why = f"{place}: {error.strerror}"
    else:
        why = f"{place}: {error}"
    return HostUnreachable("cannot connect", where=name, why=why)
