"""`reconcile fence`: a host that is declared failed is made sure to be off, by a program of this machine. That it
is off is asked anew by each plan that brings something back from there: what was seen once may be over."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from reconciler.commands.compose import drivers, open_fleet
from reconciler.core.fencing import unproven, with_evidence
from reconciler.core.selecting import known_host
from reconciler.engine.lenient import unsaid
from reconciler.engine.observe import observe
from reconciler.errors import CommandFailed, InputError, Refused
from reconciler.model.base import parse_duration
from reconciler.model.command import Seconds
from reconciler.model.fencing import Fencing
from reconciler.model.spec import Spec
from reconciler.model.world import World
from reconciler.text import printable

FOLDER = "/etc/reconciler/fencing"
LOOK: Seconds = 10.0
"""For `verify` where it is only to be said how things are."""
AGAIN: Seconds = 1.0
"""Between two tries of `verify`."""
SAID = 500
"""Characters of what a program has printed that are told."""
FAILED = "C386"
log = logging.getLogger("reconciler.commands")


@dataclass(frozen=True)
class Fenced:
    """A host that is off. `said`: what `verify` printed; `seconds`: what it took."""

    host: str
    said: str
    seconds: Seconds


async def proven(spec: Spec, world: World) -> Spec:
    """The specs, with evidence for hosts that are declared failed and whose `verify` says that they are off now.
    Changes nothing: `command` is not run."""
    asked = unproven(spec, world.unknown())
    answers = await asyncio.gather(*(_is_off(name, spec.hosts[name].spec.fencing) for name in asked))
    return with_evidence(spec, {name: said for name, said in zip(asked, answers, strict=True) if said})


async def _is_off(name: str, fencing: Fencing | None) -> str:
    """As evidence, the same as long as it holds; empty where it is not known to be off."""
    assert fencing is not None
    try:
        await call(name, fencing.verify, min(LOOK, parse_duration(fencing.timeout)))
    except CommandFailed as error:
        log.info("%s is not known to be off: %s", name, error)
        return ""
    return f"its fencing confirms that it is off ({fencing.verify[0]})"


async def fence(host: str, fencing: Fencing) -> Fenced:
    """Cut it off, and wait until that is confirmed. CommandFailed: then nobody knows."""
    loop, limit = asyncio.get_running_loop(), parse_duration(fencing.timeout)
    began = loop.time()
    await call(host, fencing.command, limit)
    end = loop.time() + limit
    while True:
        try:
            said = await call(host, fencing.verify, max(AGAIN, end - loop.time()))
        except CommandFailed:
            if loop.time() + AGAIN >= end:
                raise
            await asyncio.sleep(AGAIN)
        else:
            return Fenced(host, said, loop.time() - began)


async def fence_host(spec: Spec, host: str) -> Fenced:
    """`reconcile fence HOST`. Refused for one that is not declared failed, or that answers."""
    known_host(host, spec)
    found = spec.hosts[host].spec
    if found.fencing is None:
        raise InputError(
            f"nothing says how {host} is fenced",
            code="E211",
            fix="give its Host `fencing`; or make sure by hand that it is off, and say so: `evidence`",
        )
    if not found.failed:
        raise Refused(
            f"{host} is not declared failed",
            code="P495",
            fix="say in its Host: state: failed. Workloads leave a host that is well by: reconcile drain",
        )
    async with open_fleet(spec, unsaid) as fleet:
        world = await observe(fleet, drivers(), [host])
    unseen = world.unknown().get(host)
    if unseen is not None and not unseen.silent:
        raise Refused(
            f"{host} is not known to be silent",
            code="P495",
            why=unseen.reason,
            fix=f"mend that first: reconcile doctor {host}",
        )
    if unseen is None:
        raise Refused(
            f"{host} answers",
            code="P495",
            why="it has not failed, and its power is cut from under what runs there",
            fix=f"take what runs there off it: reconcile drain {host}; or cut its network, if it must go at once",
        )
    return await fence(host, found.fencing)


async def call(host: str, words: Sequence[str], limit: Seconds) -> str:
    """What the program prints; CommandFailed where there is none, it does not end well, or not in time."""
    folder = Path(os.environ.get("RECONCILE_FENCING") or FOLDER)  # a bare name would be looked for in PATH
    what = f"{host} was not fenced: {words[0]} failed"
    try:
        job = await asyncio.create_subprocess_exec(
            str(folder / words[0]),
            *words[1:],
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise _failed(what, f"{folder / words[0]}: {error.strerror}") from error
    try:
        async with asyncio.timeout(limit):
            out, _ = await job.communicate()
    except TimeoutError as error:
        raise _failed(what, f"it did not end within {limit:g} s") from error
    finally:
        with suppress(ProcessLookupError):
            os.killpg(job.pid, signal.SIGKILL)  # also what it left behind
        await job.wait()
        with suppress(TimeoutError):  # what got away from that may have it open still
            async with asyncio.timeout(AGAIN):
                await _rest(job)
    said = printable(out.decode(errors="replace").strip())[-SAID:]
    if job.returncode:
        raise _failed(what, f"it ended with status {job.returncode}{f': {said}' if said else ''}")
    return said


async def _rest(job: asyncio.subprocess.Process) -> None:
    if job.stdout is not None:
        await job.stdout.read()


def _failed(what: str, why: str) -> CommandFailed:
    fix = "make sure by hand that it is off, and say so in its Host: evidence"
    return CommandFailed(what, code=FAILED, why=why, fix=fix)
