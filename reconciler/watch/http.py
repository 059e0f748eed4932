"""What a watch answers over HTTP: whether it is well, and its metrics. Reads only, and nothing secret. And one
request of its own, for webhooks.

h11 knows the protocol: a small server of our own around it ends what is slow, large or too many, which the ASGI
servers there are leave to a proxy before them; a client whose every wait can be cancelled is as small."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import h11

from reconciler.errors import InputError

MOST_HEADERS: Final = 16384
"""Bytes of a request; none has a body that matters."""
WITHIN: Final = 5.0
"""Seconds that one may take to ask, and to take its answer."""
AT_ONCE: Final = 200
"""Connections; the one that is slowest ends for a new one."""
PLAIN: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Reply:
    status: HTTPStatus
    body: bytes
    kind: str = PLAIN


Page = Callable[[], Reply]


def said(status: HTTPStatus, text: str) -> Reply:
    return Reply(status, f"{text}\n".encode())


@asynccontextmanager
async def served(address: str, pages: Mapping[str, Page]) -> AsyncIterator[str]:
    """Reply at `HOST:PORT` for as long as the block lasts; yields the address, with the port that was chosen for
    0. InputError when that cannot be."""
    host, port = parsed(address)
    open_now: dict[asyncio.WriteTransport, None] = {}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_now[writer.transport] = None
        if len(open_now) > AT_ONCE:
            next(iter(open_now)).abort()
        try:
            async with asyncio.timeout(WITHIN):
                await _one(reader, writer, pages)
        except (OSError, TimeoutError):
            writer.transport.abort()
        finally:
            del open_now[writer.transport]
            writer.close()

    try:
        server = await asyncio.start_server(answer, host, port, limit=MOST_HEADERS)
    except OSError as error:
        why = error.strerror or str(error)
        raise InputError(f"{address} cannot be listened at", code="E190", why=why, fix="choose another") from error
    async with server:
        name, chosen, *_ = server.sockets[0].getsockname()
        yield f"[{name}]:{chosen}" if ":" in name else f"{name}:{chosen}"


async def post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    """Send a body; returns the status. It follows no redirect: what is signed for one place is not for another.
    OSError or ValueError when that fails."""
    parts = urlsplit(url)
    secure, host = parts.scheme == "https", parts.hostname or ""
    context = ssl.create_default_context() if secure else None
    port = parts.port or (443 if secure else 80)
    reader, writer = await asyncio.open_connection(host, port, ssl=context, limit=MOST_HEADERS)
    try:
        connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_HEADERS)
        target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        own = {"Host": parts.netloc.rpartition("@")[2], "Content-Length": str(len(body)), "Connection": "close"}
        request = h11.Request(method="POST", target=target, headers=list({**own, **headers}.items()))
        out = [connection.send(event) or b"" for event in (request, h11.Data(data=body), h11.EndOfMessage())]
        writer.write(b"".join(out))
        await writer.drain()
        while not isinstance(event := connection.next_event(), h11.Response):
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(4096))
        return event.status_code
    except h11.ProtocolError as error:
        raise ValueError(f"what answers there speaks no HTTP: {error}") from error
    finally:
        writer.transport.abort()


def parsed(address: str) -> tuple[str, int]:
    """`HOST:PORT` or `[ADDRESS]:PORT`. InputError for anything else."""
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise InputError(f"`{address}` is no address", code="E190", fix="such as 127.0.0.1:9464")
    return host, int(port)


async def _one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pages: Mapping[str, Page]) -> None:
    """One request, one answer."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MOST_HEADERS)
    try:
        while (event := connection.next_event()) is h11.NEED_DATA:
            connection.receive_data(await reader.read(4096))
    except h11.RemoteProtocolError as error:
        if connection.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        await _send(connection, writer, said(HTTPStatus(error.error_status_hint), "this is no request"), True)
        return
    if isinstance(event, h11.Request):
        head = event.method == b"HEAD"
        await _send(connection, writer, _answer(event, pages), not head)


def _answer(request: h11.Request, pages: Mapping[str, Page]) -> Reply:
    path = request.target.decode("ascii", "replace").partition("?")[0]
    if path not in pages:
        return said(HTTPStatus.NOT_FOUND, f"there are: {' '.join(pages)}")
    if request.method not in (b"GET", b"HEAD"):
        return said(HTTPStatus.METHOD_NOT_ALLOWED, "this can only be read")
    return pages[path]()


async def _send(connection: h11.Connection, writer: asyncio.StreamWriter, answer: Reply, body: bool) -> None:
    headers = [
        ("Content-Type", answer.kind),
        ("Content-Length", str(len(answer.body))),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("Connection", "close"),
    ]
    reason = answer.status.phrase.encode()
    out = connection.send(h11.Response(status_code=answer.status.value, headers=headers, reason=reason)) or b""
    if body:
        out += connection.send(h11.Data(data=answer.body)) or b""
    writer.write(out)
    await writer.drain()
