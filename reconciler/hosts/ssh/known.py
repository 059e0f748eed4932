"""Host keys that this machine knows already (known_hosts), and a host's key as it presents it.

Nothing is learned here: whether a presented key is the host's own is for a person to say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import asyncssh
from asyncssh.public_key import get_default_public_key_algs

from reconciler.errors import HostKeyError, HostUnreachable
from reconciler.model.command import Seconds
from reconciler.model.spec import HostSpec

SYSTEM = Path("/etc/ssh/ssh_known_hosts")
SSH_PORT = 22


def standard_files() -> tuple[Path, ...]:
    """The user's and the system's; without a home only the system's."""
    try:
        return (Path("~/.ssh/known_hosts").expanduser(), SYSTEM)
    except RuntimeError:
        return (SYSTEM,)


class KnownHosts:
    """What known_hosts files say. They are read when first needed; one that is damaged says nothing."""

    def __init__(self, files: Sequence[Path] | None = None) -> None:
        self._files = standard_files() if files is None else tuple(files)

    @cached_property
    def _entries(self) -> list[asyncssh.SSHKnownHosts]:
        found = []
        for file in self._files:
            try:
                found.append(asyncssh.import_known_hosts(file.read_text(encoding="utf-8")))
            except (OSError, ValueError):
                continue
        return found

    def completed(self, spec: HostSpec) -> HostSpec:
        """The spec, with the known keys of its address where it has none itself. A revoked key is none, and where
        any is revoked no authority counts, for it may have signed that one."""
        if spec.host_key or spec.host_ca:
            return spec
        port = None if spec.port == SSH_PORT else spec.port
        keys, authorities, revoked = set[str](), set[str](), set[str]()
        for entries in self._entries:
            trusted, signing, withdrawn, *_ = entries.match(spec.address, spec.address, port)
            keys |= {text_of(key) for key in trusted}
            authorities |= {text_of(key) for key in signing}
            revoked |= {text_of(key) for key in withdrawn}
        update = {
            "host_key": "\n".join(sorted(keys - revoked)) or None,
            "host_ca": None if revoked else "\n".join(sorted(authorities)) or None,
        }
        return spec.model_copy(update=update)


@dataclass(frozen=True)
class Presented:
    """A host's public key as specs write it, and its fingerprint as people compare it."""

    key: str
    fingerprint: str


async def presented(name: str, address: str, port: int, within: Seconds) -> Presented:
    """The key a host presents now: asked for by anybody on the way, so worth nothing until it was compared."""
    others = [a.decode() for a in get_default_public_key_algs()]
    try:
        async with asyncio.timeout(within):
            key = await asyncssh.get_server_host_key(
                address, port, config=None, server_host_key_algs=list(dict.fromkeys(["ssh-ed25519", *others]))
            )
    except (asyncssh.Error, OSError, TimeoutError) as error:
        why = f"{address} port {port}: {error or f'no answer within {within:g} s'}"
        raise HostUnreachable("cannot ask for the host's key", where=name, why=why) from error
    if key is None:
        raise HostKeyError("the host presents no key", where=name)
    return Presented(text_of(key), key.get_fingerprint())


def text_of(key: asyncssh.SSHKey) -> str:
    """`type base64`, without the comment."""
    return " ".join(key.export_public_key().decode().split()[:2])
