"""What a watch answers over HTTP, and to whom.

Everything only reads. The server is uvicorn with Starlette's routes; what it leaves to a proxy before it is here,
in `Bounded`: no connection lasts, so that clients that are slow or many keep nobody out. Pages that show workloads
(`Guarded`) are for those who ask by a name that is ours, from no other site, with the token where there is one.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import ipaddress
import logging
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from reconciler.errors import InputError
from reconciler.text import short

MOST_HEADERS: Final = 16384
"""Bytes of a request; none has a body that matters."""
WITHIN: Final = 5.0
"""Seconds that one may take to ask, and to take its answer."""
AT_ONCE: Final = 200
"""Connections; the oldest ends for a new one."""
LEAST_TOKEN: Final = 16
"""Characters of a token that nobody guesses."""
PLAIN: Final = "text/plain; charset=utf-8"
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Connection": "close",
    "Content-Security-Policy": "default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
log = logging.getLogger("reconciler.watch")


@dataclass(frozen=True)
class Reply:
    """`policy`: the Content-Security-Policy of a page; the default lets it load nothing."""

    status: HTTPStatus
    body: bytes
    kind: str = PLAIN
    policy: str = ""


Page = Callable[[], Reply]
GuardedPage = Callable[[Mapping[str, str]], Reply]
"""Gets what stands after the `?`. Is called in a thread, one at a time."""


@dataclass(frozen=True)
class Guarded:
    """Pages that show what runs where. `token` empty: whoever reaches the address may see them; `names`: by which
    browsers may ask besides addresses and `localhost`, as a foreign name could lead here."""

    pages: Mapping[str, GuardedPage]
    token: str = ""
    names: frozenset[str] = frozenset()
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


def said(status: HTTPStatus, text: str) -> Reply:
    return Reply(status, f"{text}\n".encode())


@asynccontextmanager
async def served(address: str, pages: Mapping[str, Page], guarded: Guarded | None = None) -> AsyncIterator[str]:
    """Reply at `HOST:PORT` for as long as the block lasts; yields the address, with the port that was chosen for
    0. InputError when that cannot be, or when pages would be shown to a network without a token."""
    host, port = parsed(address)
    if guarded is not None and not guarded.token and not is_loopback(host):
        fix = f"set RECONCILE_PAGE_TOKEN to {LEAST_TOKEN} characters or more, or listen at 127.0.0.1"
        raise InputError(f"the page at {address} would be shown to whoever asks", code="E190", fix=fix)
    with _bound(address, host, port) as listening:
        config = uvicorn.Config(
            _app(pages, guarded),
            http=Bounded,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=MOST_HEADERS,
            timeout_graceful_shutdown=1,
        )
        server = _Server(config)
        serving = threading.Thread(target=_serve, args=(server, listening), name="http", daemon=True)
        serving.start()
        try:
            name, chosen, *_ = listening.getsockname()
            yield f"[{name}]:{chosen}" if ":" in name else f"{name}:{chosen}"
        finally:
            server.should_exit = True
            await asyncio.to_thread(serving.join)


def _serve(server: uvicorn.Server, listening: socket.socket) -> None:
    """In a loop of its own: a look at thousands of workloads computes for a second without a break."""
    try:
        asyncio.run(server.serve(sockets=[listening]))
    except Exception:
        log.exception("the watch answers no more at its address")


@contextmanager
def _bound(address: str, host: str, port: int) -> Iterator[socket.socket]:
    try:
        family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.create_server(where[:2], family=family, backlog=AT_ONCE)
    except (OSError, ValueError) as error:  # a name can be none
        why = (error.strerror if isinstance(error, OSError) else "") or str(error)
        raise InputError(
            f"{short(address, 80)} cannot be listened at", code="E190", why=why, fix="choose another"
        ) from error
    with listening:
        yield listening


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """They are the watch's."""
        yield


class Bounded(H11Protocol):
    """A connection for one request, which ends in any case after a while."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if len(self.connections) >= AT_ONCE:
            oldest = min((one for one in self.connections if isinstance(one, Bounded)), key=lambda one: one.until)
            self.connections.discard(oldest)
            oldest.transport.abort()
        super().connection_made(transport)
        self.until = self.loop.time() + WITHIN
        self._end = self.loop.call_at(self.until, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end.cancel()
        super().connection_lost(exc)


def _app(pages: Mapping[str, Page], guarded: Guarded | None) -> Starlette:
    def plain(page: Page) -> Callable[[Request], Any]:
        async def answer(_: Request) -> Response:
            return _response(page())

        return answer

    def behind_guard(guarded: Guarded, page: GuardedPage) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            if refused := refusal(request.headers, guarded):
                return _response(refused)
            async with guarded.turn:
                return _response(await asyncio.to_thread(page, dict(request.query_params)))

        return answer

    routes = [Route(path, plain(page)) for path, page in pages.items()]
    if guarded is not None:
        routes += [Route(path, behind_guard(guarded, page)) for path, page in guarded.pages.items()]

    async def not_there(_: Request, __: Exception) -> Response:
        return _response(said(HTTPStatus.NOT_FOUND, f"there are: {' '.join(pages)}"))

    async def not_so(_: Request, __: Exception) -> Response:
        return _response(said(HTTPStatus.METHOD_NOT_ALLOWED, "this can only be read"))

    async def broken(request: Request, error: Exception) -> Response:
        log.error("the page %s failed: %r", request.url.path, error)
        return _response(said(HTTPStatus.INTERNAL_SERVER_ERROR, "this page failed; the log of the watch says why"))

    return Starlette(
        routes=routes,
        exception_handlers={404: not_there, 405: not_so, HTTPException: not_there, Exception: broken},
    )


def _response(reply: Reply) -> Response:
    headers = HEADERS | ({"Content-Security-Policy": reply.policy} if reply.policy else {})
    if reply.status is HTTPStatus.UNAUTHORIZED:
        headers |= {"WWW-Authenticate": 'Basic realm="reconcile watch", charset="UTF-8"'}
    return Response(reply.body, reply.status.value, headers, reply.kind)


def refusal(headers: Mapping[str, str], guarded: Guarded) -> Reply | None:
    """Why somebody may not see the pages, if so. A page of another site that was led here by a name of its own
    (DNS rebinding) has that name in `Host`; one that asks openly has its own in `Origin`."""
    host = headers.get("host", "")
    if not _is_ours(host, guarded.names):
        fix = "ask by address, or tell the watch the name: --page-name"
        return said(HTTPStatus.MISDIRECTED_REQUEST, f"the page is not known by that name; {fix}")
    origin = headers.get("origin")
    if origin is not None and _place(origin) != host:
        return said(HTTPStatus.FORBIDDEN, "the page is not for other sites")
    if guarded.token and not _proves(headers.get("authorization", ""), guarded.token):
        return said(HTTPStatus.UNAUTHORIZED, "this needs the token: as Bearer, or as the password of any user")
    return None


def _place(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _is_ours(host: str, names: frozenset[str]) -> bool:
    with suppress(ValueError):
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or name in names or _address(name) is not None
    return False


def _proves(authorization: str, token: str) -> bool:
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() == "basic":
        try:
            given = base64.b64decode(given, validate=True).decode().partition(":")[2]
        except ValueError:  # no base64, or no text in it
            return False
    elif scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(given.encode(), token.encode())


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def parsed(address: str) -> tuple[str, int]:
    """`HOST:PORT` or `[ADDRESS]:PORT`. InputError for anything else."""
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise InputError(f"`{address}` is no address", code="E190", fix="such as 127.0.0.1:9464")
    return host, int(port)
