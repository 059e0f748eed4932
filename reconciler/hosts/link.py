"""Links: what a bulk copy needs on both hosts, made before the freeze and removed after the move.

Direct: the source gets a key of its own that the destination accepts from the source's address, for our receiver
only, and a warm SSH connection (templates/host/transfer-link.sh). Relay: where the source cannot reach the
destination, two SSH clients of the controller with a pipe between them (`relay`).
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from reconciler.core import answers
from reconciler.errors import CommandFailed, HostError, ReconcilerError
from reconciler.hosts.base import Host
from reconciler.hosts.scripts import install, script
from reconciler.model.command import Command, Result, Seconds
from reconciler.model.spec import HostSpec

_PLAIN_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,47}")
"""At most 48 characters: the control socket's path must fit 108 bytes."""
FOLDER = "/run/reconciler/links"
SCRIPTS = ("transfer-link", "transfer-send", "transfer-receive", "transfer-feed")
NO_WAY = 75
"""Exit status of the link script when the source cannot reach the destination."""
LONGEST_NAME = 4064
"""Bytes of a path from its folder on. Linux takes 4,095; tar puts words of its own before some."""
WARM_FOR: Seconds = 1800.0
"""How long an idle connection between hosts stays open when nobody closes the link."""
AES_FIRST = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com"
CHACHA_FIRST = "chacha20-poly1305@openssh.com,aes128-gcm@openssh.com,aes256-gcm@openssh.com"


COMPRESSORS = ("zstd", "lz4")
COMPRESS_BELOW = 200e6
"""Bytes per second of a link: below, a compressor is the faster way; above, it takes more of the processors than
it saves (see docs/bench.md)."""


@dataclass(frozen=True)
class LinkOptions:
    """How links copy. `parallel`: trees at once. `direct`: never, when False, go from host to host. `stall`: give
    up after so long without a byte. `waiting`: senders started ahead at once on one host; each takes a session."""

    parallel: int = 4
    direct: bool = True
    connect: Seconds = 5.0
    stall: Seconds = 60.0
    waiting: int = 4


class Remote(Host, Protocol):
    """A host that can also run a command which ends when we do."""

    spec: HostSpec

    async def run_attached(
        self, command: Command, on_line: Callable[[str], None], go: asyncio.Event | None = None
    ) -> Result: ...


@dataclass(frozen=True)
class Link:
    """An open link. `compress`: with what, or `none`. `why_relay` says why there is no direct way, if so. `perl`:
    whether both ends have it, which sums attributes and only the data of sparse files."""

    source: Remote
    destination: Remote
    key: str
    compress: str = "none"
    why_relay: str = ""
    perl: bool = False


def folder_key(key: str) -> str:
    """The link's name on hosts, safe in paths and short. The same for every controller."""
    if _PLAIN_KEY.fullmatch(key):
        return key
    readable = re.sub(r"[^A-Za-z0-9]+", "-", key).strip("-")[:35]
    return f"{readable}-{hashlib.sha256(key.encode()).hexdigest()[:12]}".lstrip("-")


async def open_link(
    source: Remote, destination: Remote, key: str, options: LinkOptions, compression: str = "auto"
) -> Link:
    """Make the link, or find it made. Direct when the source reaches the destination."""
    scripts = tuple(script(name) for name in SCRIPTS)
    await asyncio.gather(install(source, *scripts), install(destination, *scripts))
    prepared = await _verb(source, "prepare", key, destination.spec.address, stdin=known_hosts(destination.spec))
    facts = _facts(prepared)
    if not options.direct:
        why = "direct copies are switched off"
    elif "from" not in facts:
        why = f"{source.name} has no route to {destination.spec.address}"
    else:
        receiver = script("transfer-receive").path
        command = f"sudo -n {receiver}" if destination.spec.sudo else receiver
        with answers.of(source.name):
            came_from = answers.address(facts["from"], "its address")
            public = answers.public_key(facts.get("public"), "the public key of the link")
        words = (destination.spec.user, came_from, command)
        admitted = _facts(await _verb(destination, "admit", key, *words, stdin=public + "\n"))
        has_aes = facts.get("aes") == admitted.get("aes") == "yes"
        rate, why = await _connect(source, destination, key, options, AES_FIRST if has_aes else CHACHA_FIRST)
        if not why:
            both = tuple(tool for tool in COMPRESSORS if facts.get(tool) == admitted.get(tool) == "yes")
            chosen = choose_compression(compression, rate, both)
            perl = facts.get("perl") == admitted.get("perl") == "yes"
            return Link(source, destination, key, compress=chosen, perl=perl)
    await _verb(destination, "expel", key, destination.spec.user)
    await _verb(destination, "register", key)
    demanded = compression if compression in COMPRESSORS else "none"
    return Link(source, destination, key, compress=demanded, why_relay=why)


def choose_compression(asked: str, rate: float, both: tuple[str, ...]) -> str:
    """With what to compress over a link of so many bytes per second; `both`: what both hosts have. What is asked
    for and missing fails when it is used; the plan has refused it before."""
    if asked != "auto":
        return asked
    return next(iter(both), "none") if rate < COMPRESS_BELOW else "none"


async def _connect(
    source: Remote, destination: Remote, key: str, options: LinkOptions, ciphers: str
) -> tuple[float, str]:
    """Warm the connection: bytes per second over it, or the reason why there is no way."""
    config = ssh_config(
        "link",
        destination.spec,
        {
            "IdentityFile": f"{FOLDER}/{key}/id",
            "IdentityAgent": "none",
            "UserKnownHostsFile": f"{FOLDER}/{key}/known_hosts",
            "ConnectTimeout": f"{options.connect:.0f}",
            "Ciphers": ciphers,
        },
    )
    patience = options.connect + 2
    try:
        said = await _verb(source, "connect", key, f"{patience:g}", stdin=config, limit=patience * 2 + 10)
    except CommandFailed as error:
        if error.status != NO_WAY:
            raise
        return 0.0, error.why or "no connection"
    with answers.of(source.name):
        return answers.real(_facts(said).get("rate"), "the rate of the link"), ""


async def close_link(source: Remote, destination: Remote, key: str) -> None:
    """Remove the link from both hosts; tries both, then says what is left where."""
    hosts = (source, destination)
    results = await asyncio.gather(*(_close(host, key) for host in hosts), return_exceptions=True)
    left = [(host, error) for host, error in zip(hosts, results, strict=True) if error is not None]
    for _, error in left:
        if not isinstance(error, ReconcilerError):
            raise error
    if left:
        raise HostError(
            f"link {key} could not be removed from " + " and ".join(host.name for host, _ in left),
            code="H208",
            where=left[0][0].name,
            why="; ".join(str(error) for _, error in left),
            fix=f"there, remove the line ending in `reconciler-link:{key}` from the authorized_keys of "
            f"{left[0][0].spec.user}, and the folder {FOLDER}/{key}",
        )


async def _close(host: Remote, key: str) -> None:
    await install(host, script("transfer-link"))
    await _verb(host, "close", key, host.spec.user)


async def settle(source: Remote, key: str) -> None:
    """End what runs for the link on the source, also what a controller that stands still has started."""
    await install(source, script("transfer-link"))
    await _verb(source, "settle", key)


async def refuse_long_names(link: Link, folders: Sequence[str]) -> None:
    """HostError for a folder in which a name, from the folder on, is longer than programs can be given one."""
    if not folders:
        return
    said = await _verb(link.source, "names", link.key, str(LONGEST_NAME), *folders, limit=600)
    for words in (line.split(" ", 3) for line in said.stdout.splitlines()):
        if words[0] == "long" and len(words) == 4:
            with answers.of(link.source.name):
                which = answers.number(words[1], "a folder's number", least=1, most=len(folders))
                length = answers.number(words[2], "the length of a name")
            begin = answers.shown(words[3], "a name", 80)
            raise HostError(
                f"a path in {folders[which - 1]} has {length} bytes, and {LONGEST_NAME} can be copied",
                code="C326",
                where=link.source.name,
                why=f"it begins with {begin}",
                fix="move or rename what is so deep in it, or remove it",
            )


async def register(link: Link, entries: list[tuple[str, str, str]]) -> None:
    """Write on the destination what may be sent now (kind, flag, target), empty the folders among it, and end
    what an interrupted copy may have left running on both sides."""
    text = "".join("\t".join(entry) + "\n" for entry in entries)
    await asyncio.gather(
        _verb(link.source, "settle", link.key),
        _verb(link.destination, "register", link.key, stdin=text, limit=600),
    )


async def _verb(host: Host, verb: str, key: str, *words: str, stdin: str = "", limit: Seconds = 30) -> Result:
    argv = (script("transfer-link").path, verb, key, *words)
    return await host.run(Command(argv, stdin=stdin.encode(), changes=True, timeout=limit))


def _facts(result: Result) -> dict[str, str]:
    pairs = (entry.partition(" ") for entry in result.stdout.splitlines())
    return {name: value for name, _, value in pairs}


def known_hosts(spec: HostSpec) -> str:
    """A known_hosts file with what the spec says about this host, and nothing else."""
    address = spec.address if spec.port == 22 else f"[{spec.address}]:{spec.port}"
    keys = [f"{address} {key_text(entry)}" for entry in (spec.host_key or "").splitlines() if entry.strip()]
    authorities = (spec.host_ca or "").splitlines()
    keys += [f"@cert-authority {address} {key_text(entry)}" for entry in authorities if entry.strip()]
    return "\n".join(keys) + "\n"


def key_text(text: str) -> str:
    """`type base64` of a key written as in a .pub or a known_hosts file."""
    words = text.split()
    for index, word in enumerate(words[:-1]):
        if word.startswith(("ssh-", "ecdsa-", "sk-")):
            return f"{word} {words[index + 1]}"
    return text.strip()


def ssh_config(alias: str, spec: HostSpec, more: dict[str, str]) -> str:
    """A strict client configuration for one host: no prompt, no forwarding, no other key or host than told."""
    settings = {
        "HostName": spec.address,
        "Port": str(spec.port),
        "User": spec.user,
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
        "BatchMode": "yes",
        "PreferredAuthentications": "publickey",
        "ForwardAgent": "no",
        "ForwardX11": "no",
        "RequestTTY": "no",
        "Compression": "no",
        "ControlMaster": "auto",
        "ControlPersist": f"{WARM_FOR:.0f}",
        "ServerAliveInterval": "5",
        "ServerAliveCountMax": "2",
        "IPQoS": "throughput",
        "LogLevel": "ERROR",
        **more,
    }
    if settings.get("IdentityFile", "none") != "none":
        settings["IdentitiesOnly"] = "yes"
    return f"Host {alias}\n" + "".join(f"    {name} {_value(text)}\n" for name, text in settings.items())


def _value(text: str) -> str:
    """A configuration value: paths may hold spaces and percent signs."""
    if '"' in text or "\n" in text:
        raise ValueError(f"{text!r} cannot stand in an SSH configuration")
    return '"' + text.replace("%", "%%") + '"' if "/" in text else text
