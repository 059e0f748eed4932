"""Calls of CRI as commands of a host, and their answers."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from reconciler.core import answers
from reconciler.errors import CommandFailed, HostError
from reconciler.guard import guard
from reconciler.guard.guard import ROOT
from reconciler.model.command import Command, Fence, Program, Seconds
from reconciler.model.plan import Phase
from reconciler.resources import host_script
from reconciler.runtimes.cri import messages

NOTES = f"{ROOT}/cri"
"""Is there where something of ours was made: from then on a containerd that is silent leaves something unknown."""
LIMIT: Seconds = 60.0
_SLACK: Seconds = 10.0
FAILED = "C363"
_RUNTIME, _IMAGES = "runtime.v1.RuntimeService", "runtime.v1.ImageService"
OK, NOT_FOUND, UNIMPLEMENTED = 0, 5, 12
"""Of gRPC's status codes."""


@dataclass(frozen=True)
class CriCall:
    """One call: its method, its request and the kind of its answer."""

    method: str
    kind: str = "nothing"
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)
    answer: str = "nothing"

    @property
    def line(self) -> str:
        service = _IMAGES if self.method.endswith(("Image", "Images", "ImageStatus")) else _RUNTIME
        body = base64.b64encode(messages.framed(self.kind, self.fields)).decode()
        return f"{service}/{self.method} {body}"


@dataclass(frozen=True)
class CriAnswer:
    """What came of a call. `status`: gRPC's, -1 where nobody answered; `why`: what it says of it."""

    status: int
    why: str = ""
    message: Any = None


def shell(name: str, *arguments: str) -> tuple[str, ...]:
    """The argument list that runs a script of this runtime with these arguments."""
    return ("/bin/sh", "-c", host_script("cri", name), name, *arguments)


def room(folder: str) -> Command:
    """A private folder of ours."""
    return Command(("/bin/sh", "-c", 'umask 077 && mkdir -p -- "$1"', "room", folder), changes=True)


def stdin(calls: Iterable[CriCall]) -> bytes:
    return "".join(f"{call.line}\n" for call in calls).encode()


def ask(calls: Sequence[CriCall]) -> Program[list[CriAnswer]]:
    """What each answers, whatever became of those before; changes nothing."""
    argv = shell("calls", str(round(LIMIT)), "on")
    said = yield Command(argv, stdin=stdin(calls), timeout=LIMIT * 2 + _SLACK, secret=True)
    found = read(said.stdout, calls)
    if len(found) != len(calls):
        raise answers.refused("", "what CRI answers", "an answer to each call")
    return found


def change(
    fence: Fence,
    phases: tuple[Phase | str, ...],
    *calls: CriCall,
    limit: Seconds = LIMIT,
    secret: bool = False,
) -> Program[list[Any]]:
    """Made one after the other under the guard's lock; CommandFailed at the first that fails."""
    argv = shell("calls", str(round(limit)))
    said = yield from guard.run(
        fence, phases, argv, stdin=stdin(calls), timeout=limit * len(calls) + _SLACK, secret=secret
    )
    return done(read(said.stdout, calls), calls)


def done(found: Sequence[CriAnswer], calls: Sequence[CriCall]) -> list[Any]:
    """Their messages; CommandFailed for the first that failed."""
    for call, answer in zip(calls, found, strict=False):
        if answer.status != OK:
            raise CommandFailed(f"containerd did not do {call.method}", code=FAILED, why=answer.why)
    if len(found) != len(calls):
        raise answers.refused("", "what CRI answers", "an answer to each call")
    return [answer.message for answer in found]


def read(text: str, calls: Sequence[CriCall]) -> list[CriAnswer]:
    """Answers, by the calls that they are to; none for those that were not made."""
    parts = answers.whole(text, "what CRI answers")
    numbered = ((call, parts.get(f"call {number}")) for number, call in enumerate(calls))
    return [_answer(call, part) for call, part in numbered if part is not None]


def _answer(call: CriCall, text: str) -> CriAnswer:
    head, _, body = text.strip().partition("\n")
    who, _, rest = head.partition(" ")
    code, _, why = rest.partition(" ")
    status = answers.number(code, f"the status of {call.method}", most=1000)
    why = answers.shown(unquote(why).strip(), f"the message of {call.method}", most=4000)
    if who != "grpc":
        return CriAnswer(-1, why or f"curl ended with {status}")
    if status != OK:
        return CriAnswer(status, why)
    try:
        return CriAnswer(OK, why, messages.unframed(call.answer, base64.b64decode(body, validate=True)))
    except (ValueError, binascii.Error) as error:
        raise HostError(f"its answer to {call.method} cannot be read", code=answers.CODE, why=str(error)) from None
