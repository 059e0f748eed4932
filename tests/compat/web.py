"""HTTP: pages with the servers' own counters, downloads under way, watch streams."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from tests.compat.clients import Http, Stream, same


class Download:
    """Reads a large file so slowly that it is still under way when the program moves."""

    SIZE = 48 << 20
    STEP = 32 * 1024

    def __init__(self, address: str, port: int, path: str) -> None:
        self._stream = Stream(address, port)
        self._stream.send(f"GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
        same("the status", self._stream.line().split()[1], "200")
        while self._stream.line():
            pass
        self._seen = hashlib.sha256()
        self._read = 0

    def step(self, size: int = STEP) -> None:
        size = min(size, self.SIZE - self._read)
        self._seen.update(self._stream.exactly(size))
        self._read += size

    def finish(self) -> None:
        """Read the rest; the file is the same line again and again."""
        while self._read < self.SIZE:
            self.step(1 << 20)
        line = b"All work and no play makes a dull file.\n"
        whole = (line * (self.SIZE // len(line) + 1))[: self.SIZE]
        same("the downloaded file", self._seen.hexdigest(), hashlib.sha256(whole).hexdigest())
        self._stream.close()


class Web:
    """A keep-alive connection to a page with the server's own counters, and a download that takes all the time."""

    def __init__(self, address: str, status: str, counter: str, port: int = 80) -> None:
        self._http, self._status, self._counter = Http(address, port), status, counter
        self._download = Download(address, port, "/big")
        self._asked = 0

    def ask(self) -> int:
        code, body = self._http.request(self._status)
        same("the status", code, 200)
        self._download.step()
        self._asked += 1
        words = body.decode().replace("\n", " ").split()
        return int(words[words.index(self._counter) + (3 if self._counter == "requests" else 1)])

    def close(self) -> None:
        self._download.finish()
        self._http.close()


class Nginx(Web):
    def __init__(self, address: str) -> None:
        super().__init__(address, "/status", "requests")


class Apache(Web):
    def __init__(self, address: str) -> None:
        super().__init__(address, "/server-status?auto", "Accesses:")


class HttpAnswers:
    """`TOKEN COUNT STATE` over HTTP with keep-alive."""

    def __init__(self, address: str, port: int, path: str = "/") -> None:
        self._http, self._path, self._token = Http(address, port), path, ""

    def ask(self) -> int:
        code, body = self._http.request(self._path)
        same("the status", code, 200)
        token, count, state = body.decode().split()
        same("the state", state, "ok")
        same("the process", token, self._token or token)
        self._token = token
        return int(count)

    def close(self) -> None:
        self._http.close()


class Etcd:
    """A key, its revisions, a lease that must not run out, and a watch stream on a second connection."""

    def __init__(self, address: str) -> None:
        self._http, self._watch = Http(address, 2379), Http(address, 2379)
        self._lease = self._call("/v3/lease/grant", {"TTL": 600})["ID"]
        self._call("/v3/kv/put", {"key": _encoded("leased"), "value": _encoded("yes"), "lease": self._lease})
        body = json.dumps({"create_request": {"key": _encoded("count")}}).encode()
        head = f"POST /v3/watch HTTP/1.1\r\nHost: {address}\r\nContent-Length: {len(body)}\r\n\r\n"
        self._watch._stream.send(head.encode() + body)
        while self._watch._stream.line():
            pass
        self._watch.chunk()
        self._asked = 0

    def ask(self) -> int:
        self._asked += 1
        self._call("/v3/kv/put", {"key": _encoded("count"), "value": _encoded(str(self._asked))})
        event = json.loads(self._watch.chunk())["result"]["events"][0]["kv"]["value"]
        same("what the watch saw", event, _encoded(str(self._asked)))
        same("the leased key", self._call("/v3/kv/range", {"key": _encoded("leased")}).get("count"), "1")
        found = self._call("/v3/kv/range", {"key": _encoded("count")})["kvs"][0]
        same("the count", found["value"], _encoded(str(self._asked)))
        return int(found["version"])

    def _call(self, path: str, body: dict[str, object]) -> dict[str, Any]:
        code, answer = self._http.request(path, json.dumps(body).encode())
        same("the status", code, 200)
        said: dict[str, Any] = json.loads(answer)
        return said

    def close(self) -> None:
        self._http.close()
        self._watch.close()


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
