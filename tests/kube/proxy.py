"""A hostile way to the API server: a proxy on 127.0.0.1 that answers wrongly when told to, and counts all calls.

It shows the server's own certificate, so that clients trust it, and passes on what no fault matches.

    with standing_before(cluster) as proxy:
        proxy.faults.append(Fault(Kind.TOO_MANY, "PATCH", "/virtualmachineinstances/", times=2))
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.kube.cluster import Cluster

PASS_SECONDS = 3600.0
"""For the server's next word: a watch is silent for long, and `Proxy.end` ends it."""
_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


class Kind(Enum):
    TOO_MANY = auto()
    """429 with Retry-After."""
    BROKEN = auto()
    """500."""
    UNAVAILABLE = auto()
    """503 without a word of JSON, as load balancers answer."""
    HANG = auto()
    """No answer, until the proxy ends."""
    CUT = auto()
    """The connection ends instead of an answer; the server was not asked."""
    LOST = auto()
    """The server did it, but the answer is lost."""
    GARBAGE = auto()
    """200 with what is no JSON."""
    TORN = auto()
    """The first half of the answer, then the connection ends."""
    EXPIRED = auto()
    """401, as for a token whose time is over."""
    FORBIDDEN = auto()
    """403, as without the right."""
    CLOSED_WATCH = auto()
    """A watch ends after its first `after` events, as servers end them."""
    TOO_OLD = auto()
    """A watch says 410: its resource version is too old."""


@dataclass
class Fault:
    """What happens to calls of a method (a pattern) to a path with its query (a pattern), `times` times."""

    kind: Kind
    method: str = ".*"
    path: str = ""
    times: int = 1
    after: int = 0
    retry_after: int = 1
    """Seconds."""

    def fits(self, method: str, path: str) -> bool:
        watches = self.kind not in (Kind.CLOSED_WATCH, Kind.TOO_OLD) or "watch=true" in path
        return (
            self.times > 0 and watches and bool(re.fullmatch(self.method, method) and re.search(self.path, path))
        )


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    fault: Kind | None


def status(code: int, reason: str, message: str) -> bytes:
    """An error as Kubernetes words it."""
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return json.dumps(body | {"code": code, "reason": reason, "message": message}).encode()


@dataclass
class Proxy:
    """Use `standing_before`. Tests change `faults` and read `calls` while it runs."""

    cluster: Cluster
    url: str = ""
    faults: list[Fault] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    ending: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _open: set[http.client.HTTPSConnection] = field(default_factory=set)

    @contextlib.contextmanager
    def upstream(self) -> Iterator[http.client.HTTPSConnection]:
        """A connection to the server, which `end` cuts: a watch may be silent for ever."""
        trust = ssl.create_default_context(cafile=str(self.cluster.ca))
        found = http.client.HTTPSConnection(
            self.cluster.url.removeprefix("https://"), timeout=PASS_SECONDS, context=trust
        )
        found.connect()
        with self._lock:
            self._open.add(found)
        try:
            yield found
        finally:
            with self._lock:
                self._open.discard(found)
            found.close()

    def end(self) -> None:
        """Let go of everyone who waits."""
        self.ending.set()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)

    def note(self, method: str, path: str) -> Fault | None:
        """The fault of a call, if it has one; each counts."""
        with self._lock:
            fault = next((fault for fault in self.faults if fault.fits(method, path)), None)
            if fault:
                fault.times -= 1
            self.calls.append(Call(method, path, fault.kind if fault else None))
            return fault


_JSON = {"Content-Type": "application/json"}
_BUSY = "the server has received too many requests and has asked us to try again later"
_TOO_OLD = {"type": "ERROR", "object": json.loads(status(410, "Expired", "too old resource version: 1 (2)"))}
_ANSWERS: Mapping[Kind, tuple[int, bytes, Mapping[str, str]]] = {
    Kind.TOO_MANY: (429, status(429, "TooManyRequests", _BUSY), _JSON),
    Kind.BROKEN: (500, status(500, "InternalError", "Internal error occurred: etcdserver: leader changed"), _JSON),
    Kind.UNAVAILABLE: (503, b"<html>no healthy upstream</html>", {"Content-Type": "text/html"}),
    Kind.EXPIRED: (401, status(401, "Unauthorized", "Unauthorized"), _JSON),
    Kind.FORBIDDEN: (403, status(403, "Forbidden", "forbidden: not in the role"), _JSON),
    Kind.GARBAGE: (200, b'{"kind": "List", "items": [{\x00\xff', _JSON),
    Kind.TOO_OLD: (200, json.dumps(_TOO_OLD).encode() + b"\n", _JSON),
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def handle_one_request(self) -> None:
        with contextlib.suppress(OSError):
            super().handle_one_request()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: `calls` has it."""

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        fault = self.server.proxy.note(self.command, self.path)
        if fault and fault.kind in _ANSWERS:
            code, said, headers = _ANSWERS[fault.kind]
            again = {"Retry-After": str(fault.retry_after)} if fault.kind is Kind.TOO_MANY else {}
            self._answer(code, said, {**headers, **again})
        elif fault and fault.kind in (Kind.HANG, Kind.CUT):
            self.close_connection = True
            if fault.kind is Kind.HANG:
                self.server.proxy.ending.wait()
        else:
            self._pass_on(body, fault)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any

    def _answer(self, code: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(code)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _pass_on(self, body: bytes, fault: Fault | None) -> None:
        kind = fault.kind if fault else None
        with self.server.proxy.upstream() as upstream:
            left_out = _HOP | {"host", "accept-encoding"}
            headers = {key: value for key, value in self.headers.items() if key.lower() not in left_out}
            upstream.request(self.command, self.path, body or None, headers)
            answer = upstream.getresponse()
            shown = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP}
            if "watch=true" in self.path:
                self._stream(answer, shown, fault.after if fault and kind is Kind.CLOSED_WATCH else None)
                return
            whole = answer.read()
        if kind is Kind.LOST:
            self.close_connection = True
        elif kind is Kind.TORN:
            self.close_connection = True
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(whole)))
            self.end_headers()
            self.wfile.write(whole[: len(whole) // 2])
        else:
            self._answer(answer.status, whole, shown)

    def _stream(self, answer: http.client.HTTPResponse, headers: Mapping[str, str], last: int | None) -> None:
        """Lines as they come, until either side ends; after `last` of them, if given."""
        self.close_connection = True
        self.send_response(answer.status)
        for name, value in {**headers, "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        lines = 0
        while (last is None or lines < last) and (line := answer.readline()):
            self.wfile.write(line)
            lines += 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    proxy: Proxy

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""


@contextlib.contextmanager
def standing_before(cluster: Cluster) -> Iterator[Proxy]:
    """A proxy in front of the cluster; `cluster.kubeconfig(server=proxy.url)` leads through it."""
    proxy = Proxy(cluster)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.proxy = proxy
    shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.load_cert_chain(cluster.ca, cluster.folder / "apiserver.key")
    # The handshake belongs to a connection's own thread: one that never comes must not hold up the others.
    server.socket = shown.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    proxy.url = f"https://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="proxy")
    thread.start()
    try:
        yield proxy
    finally:
        proxy.end()
        server.shutdown()
        thread.join()
        server.server_close()
