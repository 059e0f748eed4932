"""What kubeconfigs call `exec`: a program that answers with a token or a certificate.

It is run within a time limit, in a session of its own that ends with it, and what it says is bounded. Nothing that
it was given or has answered is shown: those are credentials."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from reconciler.core import answers
from reconciler.errors import HostError
from reconciler.hosts.kubernetes.kubeconfig import Unusable, credential
from reconciler.model.command import Seconds

EXEC_LIMIT: Seconds = 30.0
"""Longest such a program may take; it may talk to a login service. Shorter than a look at a host (HOST_LIMIT), so
that it is told what did not end."""
LINGER: Seconds = 1.0
"""Longest that is waited for the rest of its output once it has ended; what it left behind may hold that open."""
MOST_SAID = 2**20
SHOWN = 200
_GROUP = "client.authentication.k8s.io"
_VERSIONS = ("v1", "v1beta1")


@dataclass(frozen=True)
class Granted:
    token: str = ""
    certificate: str = ""
    key: str = ""


async def granted(wanted: Mapping[str, Any], where: str) -> Granted:
    """What the program answers. Unusable where the kubeconfig is at fault, H224 where the program is."""
    argv, given = _asked(wanted)

    def no_login(why: str) -> HostError:
        return HostError(
            f"the kubeconfig's program {argv[0]} gave no login",
            code="H224",
            where=where,
            why=why,
            fix="run the `exec` of its user by hand, or log in anew; see: kubectl auth whoami",
        )

    info = {"apiVersion": wanted["apiVersion"], "kind": "ExecCredential", "spec": {"interactive": False}}
    env = {**os.environ, **given, "KUBERNETES_EXEC_INFO": json.dumps(info)}
    try:
        async with asyncio.timeout(EXEC_LIMIT):
            code, out, err = await _run(argv, env)
    except TimeoutError:
        raise no_login(f"it did not end within {EXEC_LIMIT:g} s") from None
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else "it cannot be started"
        hint = wanted.get("installHint")
        raise no_login(f"{said}; {answers.shown(hint, 'it', SHOWN)}" if isinstance(hint, str) else said) from None
    if len(out) > MOST_SAID:
        raise no_login(f"it answered more than {MOST_SAID} bytes")
    if code != 0:
        raise no_login(_said(err, [*argv[1:], *given.values()]) or f"it ended with {code}")
    try:
        return _parsed(out)
    except Unusable as error:
        raise no_login(f"it answered {error}") from None


def _asked(wanted: Mapping[str, Any]) -> tuple[list[str], dict[str, str]]:
    """Its command line and what it adds to the environment."""
    version, command, args = wanted.get("apiVersion"), wanted.get("command"), wanted.get("args") or []
    if version not in {f"{_GROUP}/{one}" for one in _VERSIONS}:
        raise Unusable(f"its exec program speaks {answers.shown(str(version), 'it', 80)}, which is not known here")
    if not isinstance(command, str) or not command:
        raise Unusable("it is not a kubeconfig: its `exec` has no command")
    if not isinstance(args, list) or not all(isinstance(one, str) for one in args):
        raise Unusable("it is not a kubeconfig: the `args` of its `exec` are not a list of texts")
    try:
        return [command, *args], {str(pair["name"]): str(pair["value"]) for pair in wanted.get("env") or ()}
    except (TypeError, KeyError):
        raise Unusable("it is not a kubeconfig: the `env` of its `exec` is not names and values") from None


async def _run(argv: list[str], env: Mapping[str, str]) -> tuple[int, bytes, bytes]:
    """By pipes of our own: those of asyncio's process are waited for until the last who holds them has gone."""
    async with _pipe() as out, _pipe() as err:
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                env=env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out.theirs,
                stderr=err.theirs,
                start_new_session=True,
            )
        finally:
            os.close(out.theirs)
            os.close(err.theirs)
        try:
            code = await process.wait()
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        await asyncio.wait({out.reading, err.reading}, timeout=LINGER)
        return code, bytes(out.found), bytes(err.found)


@dataclass(frozen=True)
class _Pipe:
    """`found`: what has come out of it, up to a little more than may. `theirs`: its end to write to, which the
    caller closes."""

    theirs: int
    found: bytearray
    reading: asyncio.Task[None]


@asynccontextmanager
async def _pipe() -> AsyncIterator[_Pipe]:
    ours, theirs = os.pipe()
    reader, found = asyncio.StreamReader(), bytearray()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours, "rb")
    )

    async def read() -> None:
        while len(found) <= MOST_SAID and (part := await reader.read(65536)):
            found.extend(part)
        transport.close()  # who goes on writing is told so

    reading = asyncio.create_task(read())
    try:
        yield _Pipe(theirs, found, reading)
    finally:
        reading.cancel()
        transport.close()
        await asyncio.wait({reading})


def _said(err: bytes, given: list[str]) -> str:
    """The last line of what it complained about, without what the kubeconfig had given it."""
    lines = [line.strip() for line in err.decode(errors="replace").splitlines() if line.strip()]
    said = lines[-1] if lines else ""
    for text in sorted({part for one in given for part in (one, one.partition("=")[2])}, key=len, reverse=True):
        if len(text) > 3:
            said = said.replace(text, "...")
    return answers.shown(said[:SHOWN], "what it said")


def _parsed(out: bytes) -> Granted:
    """Unusable says what it answered, in words of ours."""
    try:
        raw = json.loads(out)
    except (ValueError, RecursionError):
        raise Unusable("something that is not JSON") from None
    status = raw.get("status") if isinstance(raw, dict) else None
    if not isinstance(raw, dict) or not isinstance(status, dict | None):
        raise Unusable("something that is not an ExecCredential")
    token, certificate, key = (
        (status or {}).get(name) or "" for name in ("token", "clientCertificateData", "clientKeyData")
    )
    if token:
        try:
            token = credential(token)
        except Unusable:
            raise Unusable("a token that is not one word of printable ASCII") from None
    if not isinstance(certificate, str) or not isinstance(key, str):
        raise Unusable("a certificate or a key that is not text")
    if not token and not (certificate and key):
        raise Unusable("neither a token nor a certificate")
    return Granted(token, certificate, key)
