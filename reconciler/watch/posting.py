"""What happens, told to others: a webhook, signed as Standard Webhooks says, or a command that gets it as JSON on
stdin. Each has a queue of its own and is tried again for a while; one that hangs keeps nobody waiting."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import os
import secrets
import shlex
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from reconciler.errors import InputError
from reconciler.watch.observers import Unmoved
from reconciler.watch.sending import post
from reconciler.watch.told import Told, log

SECRET: Final = "RECONCILE_WEBHOOK_SECRET"  # noqa: S105  the name of a variable
MOST_WAITING: Final = 1000
"""Messages; the oldest go first when there are more."""
PAUSES: Final = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0)
"""Before each further try; in all more than what a receiver may be away for, an hour."""
WITHIN: Final = 15.0
"""Seconds that one try may take."""
LAST_WAIT: Final = 5.0
"""Seconds that the end waits for who takes messages."""


@dataclass(frozen=True)
class Message:
    """`id` is the same in each try, so that who gets it twice can tell."""

    id: str
    at: int
    body: bytes


Send = Callable[[Message], Awaitable[None]]
"""One try; any error is a reason for another one."""
Template = Callable[[Mapping[str, Any]], str]
"""A body made of news; InputError where that fails."""


@dataclass
class Post(Unmoved):
    """A queue, and who takes what is in it."""

    send: Send
    name: str
    template: Template | None = None
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _waiting: asyncio.Queue[Message] = field(default_factory=lambda: asyncio.Queue(MOST_WAITING))

    def told(self, told: Told) -> None:
        if self._waiting.full():
            self._waiting.get_nowait()
            self._waiting.task_done()
        self._waiting.put_nowait(self._message(told))

    def _message(self, told: Told) -> Message:
        """As the user's template says; where that fails at this news, as all others are."""
        try:
            return message_of(told, self.template)
        except InputError as error:
            log.warning("%s gets a message without its template: %s (%s)", self.name, error, error.why)
            return message_of(told)

    async def deliver(self) -> None:
        """For ever."""
        while True:
            message = await self._waiting.get()
            await self._sent(message)
            self._waiting.task_done()

    async def finish(self) -> None:
        """Wait, for a while, until all that was told is delivered, while `deliver` goes on: what a watch says last
        is how it ended. What is not taken by then is lost, and the log says so."""
        try:
            async with asyncio.timeout(LAST_WAIT):
                await self._waiting.join()
        except TimeoutError:
            log.warning("%s did not take all messages before the end: those are dropped", self.name)

    async def _sent(self, message: Message) -> None:
        for pause in (*PAUSES, None):
            try:
                async with asyncio.timeout(WITHIN):
                    await self.send(message)
                return
            except (OSError, TimeoutError, ValueError) as error:
                why = str(error) or type(error).__name__
                if pause is None:
                    log.warning("%s did not take a message, which is dropped: %s", self.name, why)
                else:
                    log.info("%s did not take a message, and is asked again: %s", self.name, why)
                    await self.sleep(pause)


def message_of(told: Told, template: Template | None = None) -> Message:
    """What is sent: one shape for all news. Fields that say nothing are left out; a template has them all."""
    now = time.time()
    data = {name: value for name, value in asdict(told).items() if name != "news"}
    at = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body = {"type": f"watch.{told.news.value}", "timestamp": at, "data": data}
    if template is None:
        text = json.dumps(body | {"data": {name: value for name, value in data.items() if value}})
    else:
        text = template(body)
    return Message(f"msg_{secrets.token_hex(12)}", int(now), text.encode())


def webhook(url: str, template: Template | None = None) -> Post:
    """InputError for what is no URL, or a secret that is none."""
    try:
        parts = urlsplit(url)
        named = bool((parts.hostname or "").encode("idna"))  # a ValueError where it is none, as for a port
        good = parts.scheme in ("http", "https") and named and parts.port != 0
    except ValueError as error:
        raise InputError("a webhook is a URL that can be called", code="E190", why=str(error)) from error
    if not good:
        raise InputError("a webhook is a URL that begins with https:// or http://", code="E190")
    key = secret_key(os.environ.get(SECRET, ""))

    async def send(message: Message) -> None:
        headers = {"Content-Type": _kind(message.body), "User-Agent": "reconcile-watch", **signed(message, key)}
        status = await post(url, message.body, headers)
        if not 200 <= status < 300:
            raise ValueError(f"it answered {status}")

    return Post(send, f"the webhook at {parts.hostname}", template)


def _kind(body: bytes) -> str:
    try:
        json.loads(body)
    except ValueError:
        return "text/plain; charset=utf-8"
    return "application/json"


def secret_key(text: str) -> bytes:
    """`whsec_` and base64, as Standard Webhooks writes it; InputError for anything else. Empty: nothing is
    signed."""
    if not text:
        return b""
    try:
        key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if not 24 <= len(key) <= 64:
        fix = "24 to 64 random bytes in base64: echo whsec_$(head -c 32 /dev/urandom | base64)"
        raise InputError(f"{SECRET} is no secret of a webhook", code="E190", fix=fix)
    return key


def signed(message: Message, key: bytes) -> dict[str, str]:
    """The three headers of Standard Webhooks. The one package for it brings an HTTP client of its own."""
    headers = {"webhook-id": message.id, "webhook-timestamp": str(message.at)}
    if key:
        text = b".".join((message.id.encode(), str(message.at).encode(), message.body))
        made = base64.b64encode(hmac.digest(key, text, hashlib.sha256)).decode()
        headers["webhook-signature"] = f"v1,{made}"
    return headers


def command(line: str, template: Template | None = None) -> Post:
    """A command with its arguments, as a shell would split them; no shell runs it. InputError for an empty one."""
    try:
        argv = shlex.split(line)
    except ValueError as error:
        raise InputError("the command cannot be split into words", code="E190", why=str(error)) from error
    if not argv:
        raise InputError("the command is empty", code="E190")
    kept = {name: value for name, value in os.environ.items() if name != SECRET}

    async def send(message: Message) -> None:
        quiet = asyncio.subprocess.DEVNULL
        pipe = asyncio.subprocess.PIPE
        job = await asyncio.create_subprocess_exec(
            *argv, stdin=pipe, stdout=quiet, stderr=quiet, start_new_session=True, env=kept
        )
        try:
            await job.communicate(message.body)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(job.pid, signal.SIGKILL)  # also what it left behind
            await job.wait()
        if job.returncode:
            raise ValueError(f"it ended with status {job.returncode}")

    return Post(send, f"the command {argv[0]}", template)
